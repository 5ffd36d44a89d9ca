"""Protects what a person sees of a run: a bar on a terminal, else a line a report."""

from __future__ import annotations

import fcntl
import io
import math
import os
import pty
import select
import struct
import termios
import time

import numpy as np
import pytest

from pipelines.system.progress import Progress


def counters(episodes: int) -> dict[str, float]:
    return {"episodes": episodes, "step": 20 * episodes, "updates": 10 * episodes}


def test_without_a_terminal_each_report_is_one_plain_line():
    stream = io.StringIO()
    progress = Progress(10, stream=stream)
    progress.update(counters(1), 12.34)
    assert stream.getvalue() == "", "a step is no report"
    progress.report(counters(5), 12.34)
    progress.report(counters(10), 999.96, evaluation=500.04)
    progress.close()
    first, last = stream.getvalue().splitlines()
    assert first.startswith("episodes 5/10  steps 100  updates 50  return 12.3  left 0:00:0")
    assert last.startswith("episodes 10/10  steps 200  updates 100  return 1000.0  left 0:00:00")
    assert last.endswith("  evaluation 500.0")


def test_before_the_first_episode_nothing_is_made_up():
    stream = io.StringIO()
    Progress(10, stream=stream).report(counters(0), math.nan)
    assert stream.getvalue() == "episodes 0/10  steps 0  updates 0  return -  left ?\n"


def test_time_left_counts_only_the_pace_since_the_resume(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    progress = Progress(200, initial=100, stream=stream)
    now[0] = 60.0
    progress.report(counters(110), 1.0)  # 6 s an episode, 90 episodes to go.
    assert stream.getvalue().endswith("left 0:09:00\n")


def test_time_left_goes_down_within_an_episode(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    progress = Progress(3, stream=stream)
    now[0] = 2000.0
    progress.update(counters(1), 1.0)  # 2000 s an episode, two to go; noticed, and shown.
    for now[0] in (2300.0, 5000.0, 6200.0):
        progress.update(counters(1), 1.0)
    left = [line.split("left ")[1] for line in stream.getvalue().splitlines()]
    assert left == ["1:06:40", "1:01:40", "0:33:20", "0:33:20"], "the last one is still to come"


def test_time_left_is_told_by_what_is_learned_from_and_does_not_jump(monkeypatch):
    now, updates = [0.0], 0
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    progress = Progress(100, stream=stream)
    for episodes in range(1, 101):
        if episodes > 5:  # The first ones are random, and cost next to nothing.
            updates += 10
            progress.update({**counters(episodes - 1), "updates": updates}, 1.0)
            now[0] += 300 if episodes == 6 else 30  # TensorFlow builds its graphs.
            now[0] += 120 if episodes % 10 == 0 else 0  # An evaluation.
        now[0] += 1
        progress.report({**counters(episodes), "updates": updates}, 1.0)
    left = [line.split("left ")[1] for line in stream.getvalue().splitlines()]
    shown = np.array([_seconds(text) for text in left[6:]])  # From the second one learned from.
    mean = 31 + 120 / 10
    true = mean * (100 - np.arange(7, 101))
    assert (shown <= 1.5 * true).all() and (shown >= 0.7 * true).all()
    late = slice(20, None)
    assert (np.abs(shown - true)[late] <= 0.1 * true[late] + mean).all()


def test_time_left_of_a_run_told_in_steps_is_told_by_whole_rounds(monkeypatch):
    now, shown = [0.0], []
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    progress = Progress(128 * 100, unit="step", stream=stream)
    for done in range(1, 101):
        for row in range(128):  # 8 rows a second, then learning.
            now[0] += 1 / 8
            state = {"episodes": done, "step": 128 * (done - 1) + row + 1, "updates": done - 1}
            progress.update(state, 1.0)
        now[0] += 100 if done == 1 else 24
        progress.update({**state, "updates": done}, 1.0)
        progress.report({**state, "updates": done}, 1.0)
    left = [
        line.split("left ")[1] for line in stream.getvalue().splitlines() if "left ?" not in line
    ]
    shown = [_seconds(text) for text in left][-97:]
    true = 40 * (100 - np.arange(4, 101))
    assert (np.abs(shown - true) <= 0.1 * true + 40).all()


def _seconds(text: str) -> int:
    hours, minutes, seconds = map(int, text.split(":"))
    return 3600 * hours + 60 * minutes + seconds


def test_a_long_silence_is_broken(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    progress = Progress(10, stream=stream)
    for now[0] in (100.0, 299.0, 300.0, 301.0):
        progress.update(counters(1), 5.0)
    assert stream.getvalue().count("\n") == 1, "one line, after five minutes"
    now[0] = 500.0
    progress.report(counters(2), 5.0)
    for now[0] in (799.0, 801.0):
        progress.update(counters(3), 5.0)
    assert [line.split()[1] for line in stream.getvalue().splitlines()] == ["1/10", "2/10", "3/10"]


@pytest.fixture
def terminal(request):
    """A stream onto a pseudo-terminal, and a function that reads what it shows."""
    reader, writer = pty.openpty()
    columns = getattr(request, "param", 120)
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(writer, "w") as stream:
        yield stream, lambda: _read_all(reader)
    os.close(reader)


def _read_all(reader):
    """What a terminal has been sent; it arrives in pieces, so until nothing more comes."""
    shown = b""
    while select.select([reader], [], [], 0.2)[0]:
        shown += os.read(reader, 1 << 16)
    return shown.decode()


def test_a_terminal_shows_a_bar_with_the_same_words(terminal):
    stream, read = terminal
    progress = Progress(10, stream=stream)
    progress.update(counters(5), 12.34)
    shown = read()
    assert " 50%|" in shown
    assert "episodes 5/10  steps 100  updates 50  return 12.3  left " in shown
    assert "\n" not in shown, "the bar stays on its line"


def test_a_terminal_keeps_evaluations_above_the_bar(terminal):
    stream, read = terminal
    progress = Progress(10, stream=stream)
    progress.update(counters(5), 12.34)
    progress.report(counters(5), 12.34)
    read()
    progress.report(counters(5), 12.34, evaluation=77.7)
    progress.close()
    shown = read()
    assert shown.count("\n") == 2, "one line for the evaluation, and one where the bar ends"
    assert "evaluation 77.7" in shown.split("\n")[0]


@pytest.mark.parametrize("terminal", [0], indirect=True)
def test_a_terminal_without_a_width_gets_lines(terminal):
    stream, read = terminal
    Progress(10, stream=stream).report(counters(5), 12.34)
    assert read().startswith("episodes 5/10 ")


def test_a_bar_moves_while_an_evaluation_goes_on_but_not_with_its_every_step(terminal, monkeypatch):
    stream, read = terminal
    progress = Progress(10, stream=stream)
    now = [time.monotonic() + 1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for step in range(1, 301):
        now[0] += 0.01
        progress.update(counters(5), 12.34, f"evaluating, step {step}")
    shown = read()
    assert 20 <= shown.count("evaluating, step ") <= 40
    progress.report(counters(5), 12.34)
    assert "evaluating" not in read(), "it is over"
