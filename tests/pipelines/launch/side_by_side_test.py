"""Protects runs side by side: each its turn and its cores, and one stop that reaches all."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from pipelines.launch.side_by_side import Job, SideBySide, shares

# Says on which cores it runs, waits for a stop where it is told to, and fails where it is told to.
PROGRAM = """
import os, signal, sys
what = sys.argv[1]
signal.signal(signal.SIGTERM, lambda *_: (print("saved"), sys.exit(0)))
print("cores", sorted(os.sched_getaffinity(0)), flush=True)
if what == "wait":
    signal.pause()
if what == "fail":
    print("error: it is so", flush=True)
    sys.exit(2)
"""


@pytest.fixture
def side_by_side(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)

    def make(whats, at_a_time):
        jobs = [Job(str(i), [what], tmp_path / f"{i}.log") for i, what in enumerate(whats)]
        return jobs, SideBySide(jobs, at_a_time, program)

    return make


def test_every_job_has_its_turn_and_one_that_fails_stops_no_other(side_by_side):
    jobs, runs = side_by_side(["end", "fail", "end", "fail", "end"], 2)
    began, ended = [], []
    assert runs.run(began.append, ended.append)
    assert began == jobs
    assert sorted(how.job.name for how in ended) == ["0", "1", "2", "3", "4"]
    said = {how.job.name: (how.status, how.complaint) for how in ended}
    assert said["0"] == said["2"] == said["4"] == (0, "")
    assert said["1"] == said["3"] == (2, "error: it is so")


def test_a_stop_reaches_those_that_run_and_begins_no_more(side_by_side):
    jobs, runs = side_by_side(["wait", "wait", "wait"], 2)
    began, ended = [], []

    def stop_when_both_wait():
        while not all(job.output.is_file() and job.output.stat().st_size for job in jobs[:2]):
            time.sleep(0.01)
        runs.stop()

    threading.Thread(target=stop_when_both_wait).start()
    assert not runs.run(began.append, ended.append)
    assert began == jobs[:2]
    assert [how.status for how in ended] == [0, 0]
    assert all(job.output.read_text().endswith("saved\n") for job in jobs[:2])
    assert not jobs[2].output.exists()


def test_a_job_that_is_killed_says_so(side_by_side):
    (job,), runs = side_by_side(["wait"], 1)
    ended = []

    def kill_when_it_waits():
        while not (job.output.is_file() and job.output.stat().st_size):
            time.sleep(0.01)
        ((pid, _),) = list(runs._running.items())
        os.kill(pid, signal.SIGKILL)

    threading.Thread(target=kill_when_it_waits).start()
    assert runs.run(lambda job: None, ended.append)
    assert [how.status for how in ended] == [-signal.SIGKILL]


def test_places_share_all_cores_and_none_is_without():
    assert shares([0, 1, 2, 3], 2) == [[0, 2], [1, 3]]
    assert shares([4, 7], 2) == [[4], [7]]
    assert shares([0, 1, 2], 2) == [[0, 2], [1]]
    assert shares([3, 5], 3) == [[3], [5], [3]]
