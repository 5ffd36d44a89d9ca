"""Protects runs from each other, and directories from runs that never began."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from pipelines.logdir import log_directory
from pipelines.system.errors import UserError
from tests.pipelines.logdir import racing_starts
from tests.pipelines.logdir.racing_starts import IDENTITY, make_files

ROOT = pathlib.Path(__file__).resolve().parents[3]


def refused(logdir, expected: str, identity=IDENTITY) -> None:
    """Checks that the directory is refused in this line, and is then as it was."""
    before = {path: path.lstat().st_ino for path in pathlib.Path(logdir).rglob("*")}
    with (
        pytest.raises(UserError, match=f"^{re.escape(expected)}$"),
        log_directory.claim(logdir, identity),
    ):
        pass
    assert {path: path.lstat().st_ino for path in pathlib.Path(logdir).rglob("*")} == before


def test_a_directory_is_held_by_one_run_at_a_time(tmp_path):
    with log_directory.claim(tmp_path / "a", IDENTITY) as claimed:
        claimed.keep()
        refused(
            tmp_path / "a",
            f"log directory {tmp_path}/a is in use by process {os.getpid()}; wait for it or choose "
            "another --logdir",
        )
        with log_directory.claim(tmp_path / "b", IDENTITY):
            pass
    with log_directory.claim(tmp_path / "a", IDENTITY) as claimed:
        assert claimed.path == tmp_path / "a", "free again once the run before has ended"


@pytest.mark.parametrize(
    ("name", "other"), [("agent", "dqn"), ("environment", "dm_control/hopper_hop"), ("seed", 2)]
)
def test_another_runs_directory_is_refused_and_untouched(tmp_path, name, other):
    (tmp_path / "summary.json").write_text(json.dumps({**IDENTITY, name: other}))
    refused(
        tmp_path,
        f"log directory {tmp_path} belongs to a run with {name} {other!r}, not {IDENTITY[name]!r}; "
        "choose another --logdir",
    )


@pytest.mark.parametrize("text", ["[1]", "7", "{}", "{", "[" * 100_000, '{"agent": "planet"}'])
def test_a_summary_that_is_none(tmp_path, text, capsys):
    (tmp_path / "summary.json").write_text(text)
    refused(
        tmp_path,
        f"{tmp_path}/summary.json is no run's summary; choose another --logdir, or remove that "
        "file",
    )
    (tmp_path / "checkpoints").mkdir()  # Their manifests tell whose run it is.
    with log_directory.claim(tmp_path, IDENTITY):
        pass
    assert capsys.readouterr().err == (
        f"warning: {tmp_path}/summary.json is damaged and written anew\n"
    )


@pytest.mark.parametrize("name", ["thesis.tex", "other-run/summary.json", "Config.gin"])
def test_a_directory_with_files_but_no_run_is_refused(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("")
    (tmp_path / "checkpoints").mkdir()  # A name that others use too.
    refused(
        tmp_path,
        f"log directory {tmp_path} holds other files than a run's, such as "
        f"{name.split('/')[0]!r}; choose one that is empty or not there",
    )
    (tmp_path / "config.gin").write_text("")  # People may put what they want beside a run.
    with log_directory.claim(tmp_path, IDENTITY):
        pass


def test_hidden_files_and_the_programs_own_output_may_be_there(tmp_path):
    (tmp_path / ".gitignore").write_text("*")
    script = (
        "from pipelines.logdir import log_directory\n"
        f"with log_directory.claim({str(tmp_path)!r}, {IDENTITY!r}):\n    print('held')"
    )
    with open(tmp_path / "out.txt", "w") as out:
        subprocess.run([sys.executable, "-c", script], cwd=ROOT, stdout=out, check=True)
    assert (tmp_path / "out.txt").read_text() == "held\n"
    assert sorted(os.listdir(tmp_path)) == [".gitignore", "out.txt"]


@pytest.mark.parametrize("path", ["file", "file/log", "dangling"])
def test_a_directory_that_cannot_be_is_one_line(tmp_path, path):
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to("nowhere")
    with (
        pytest.raises(UserError, match=rf"^cannot write {tmp_path}/{path}: Not a directory$"),
        log_directory.claim(tmp_path / path, IDENTITY),
    ):
        pass
    assert sorted(os.listdir(tmp_path)) == ["dangling", "file"]


@pytest.mark.parametrize("ended_by", ["a failure", "a stop"])
def test_a_start_that_fails_takes_back_all_it_made(tmp_path, ended_by):
    logdir = tmp_path / "runs" / "first"
    with contextlib.suppress(UserError), log_directory.claim(logdir, IDENTITY):
        make_files(logdir)
        (logdir / f".config.gin.{os.getpid()}.tmp").write_text("")
        if ended_by == "a failure":
            raise UserError("no")
        log_directory.take_back()
        assert os.listdir(tmp_path) == []
    assert os.listdir(tmp_path) == []


def test_a_start_that_fails_leaves_what_was_there_and_what_is_not_a_runs(tmp_path):
    (tmp_path / "metrics.csv").write_text("step\n")
    (tmp_path / "policy").mkdir()
    with pytest.raises(UserError), log_directory.claim(tmp_path, IDENTITY):
        (tmp_path / "config.gin").write_text("")
        (tmp_path / "policy" / "best").write_text("")
        (tmp_path / "notes.txt").write_text("")  # By whoever watches the run.
        (tmp_path / "metrics.csv.damaged-1").write_text("")
        (tmp_path / "another" / "run").mkdir(parents=True)
        raise UserError("no")
    expected = ["another", "metrics.csv", "metrics.csv.damaged-1", "notes.txt", "policy"]
    assert sorted(os.listdir(tmp_path)) == expected
    assert (tmp_path / "policy" / "best").exists() and (tmp_path / "another" / "run").exists()


def test_a_start_that_fails_leaves_another_run_in_a_folder_that_both_wanted(tmp_path):
    """The one made runs/, the other is in it by the time that the one fails."""
    with pytest.raises(UserError), log_directory.claim(tmp_path / "runs" / "b", IDENTITY):
        with log_directory.claim(tmp_path / "runs" / "a", IDENTITY) as claimed:
            make_files(claimed.path)
            claimed.keep()
        raise UserError("no")
    assert os.listdir(tmp_path / "runs") == ["a"]
    assert (tmp_path / "runs" / "a" / "checkpoints" / "000000000001" / "file").exists()


def test_a_start_that_fails_touches_nothing_of_a_run_that_took_its_place(tmp_path):
    """Somebody removed the directory in the meantime, and began anew there."""
    with pytest.raises(UserError), log_directory.claim(tmp_path / "a", IDENTITY):
        shutil.rmtree(tmp_path / "a")
        with log_directory.claim(tmp_path / "a", IDENTITY) as claimed:
            make_files(claimed.path)
            claimed.keep()
        raise UserError("no")
    assert (tmp_path / "a" / "checkpoints" / "000000000001" / "file").exists()


@pytest.mark.parametrize("change", ["removed", "renamed", "replaced"])
def test_a_directory_that_is_gone_is_told_in_one_line(tmp_path, change):
    with log_directory.claim(tmp_path / "a", IDENTITY) as claimed:
        claimed.keep()
        claimed.check()
        (tmp_path / "a").rename(tmp_path / "b")
        if change == "replaced":
            shutil.copytree(tmp_path / "b", tmp_path / "a")
        if change == "removed":
            shutil.rmtree(tmp_path / "b")
        with pytest.raises(UserError, match=rf"^log directory {tmp_path}/a is gone: ") as error:
            claimed.check()
        assert "\n" not in str(error.value)


def test_what_killed_runs_left_is_swept_and_what_living_ones_write_is_not(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / "config.gin").write_text("")
    for folder, name in (
        (".", "metrics.csv"),
        (".", "config.gin"),
        ("policy", "last"),
        ("videos", "000001-episode-0.gif"),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        for pid in (dead.pid, os.getpid(), os.getppid()):
            (tmp_path / folder / f".{name}.{pid}.tmp").write_text("")
    (tmp_path / "policy" / f".last.{dead.pid}.tmp").unlink()
    (tmp_path / "policy" / f".last.{dead.pid}.tmp" / "variables").mkdir(parents=True)
    with log_directory.claim(tmp_path, IDENTITY) as claimed:
        claimed.keep()
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob(".*.tmp"))
    parent = os.getppid()
    assert left == [
        f".config.gin.{parent}.tmp",
        f".metrics.csv.{parent}.tmp",
        f"policy/.last.{parent}.tmp",
        f"videos/.000001-episode-0.gif.{parent}.tmp",
    ]


def test_a_policy_that_was_moved_aside_for_one_that_never_came_is_put_back(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / "config.gin").write_text("")
    for name in ("best", "last"):
        (tmp_path / "policy" / f".{name}.{dead.pid}.old").mkdir(parents=True)
        (tmp_path / "policy" / f".{name}.{dead.pid}.old" / "saved_model.pb").write_text("old")
    (tmp_path / "policy" / "last").mkdir()
    (tmp_path / "policy" / "last" / "saved_model.pb").write_text("next")
    with log_directory.claim(tmp_path, IDENTITY):
        pass
    assert sorted(os.listdir(tmp_path / "policy")) == ["best", "last"]
    contents = [(tmp_path / "policy" / n / "saved_model.pb").read_text() for n in ("best", "last")]
    assert contents == ["old", "next"]


def test_sweeping_needs_no_room_on_the_disk(tmp_path, monkeypatch):
    (tmp_path / "config.gin").write_text("")
    (tmp_path / f".metrics.csv.{os.getpid()}.tmp").write_text("")

    def fail(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for name in ("write", "pwrite", "ftruncate"):
        monkeypatch.setattr(os, name, fail)
    with log_directory.claim(tmp_path, IDENTITY):
        pass
    assert os.listdir(tmp_path) == ["config.gin"]


@pytest.mark.parametrize("call", [(os, "open"), (fcntl, "flock")])
def test_a_directory_that_is_taken_away_between_two_steps_of_a_claim_is_made_again(
    tmp_path, monkeypatch, call
):
    module, name = call
    original, calls = getattr(module, name), []

    def late(*args):
        if not calls:
            (tmp_path / "runs").rename(tmp_path / "gone")  # Its maker has taken it back.
        calls.append(args)
        return original(*args)

    monkeypatch.setattr(module, name, late)
    with log_directory.claim(tmp_path / "runs" / "a", IDENTITY) as claimed:
        claimed.check()
        assert len(calls) == 2
    assert os.listdir(tmp_path) == ["gone"]


ROUNDS = 50


def races(folder: pathlib.Path, failing: int) -> list[tuple[str, pathlib.Path]]:
    """How the starts of each round have ended, and their log directory."""
    command = [sys.executable, "-m", "tests.pipelines.logdir.racing_starts"]
    command += [str(folder), str(failing), str(ROUNDS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ended = done.stdout.split()
    assert len(ended) == ROUNDS
    return [(letters, folder / str(i) / "runs" / "log") for i, letters in enumerate(ended)]


def test_of_starts_at_once_in_one_directory_one_wins_and_loses_nothing(tmp_path):
    for letters, logdir in races(tmp_path, failing=0):
        assert sorted(letters) == ["R", "R", "R", "W"]
        assert (logdir / "checkpoints" / "000000000001" / "file").exists()


def test_of_starts_at_once_those_that_fail_cost_a_winner_nothing(tmp_path):
    for letters, logdir in races(tmp_path, failing=racing_starts.STARTS - 1):
        assert letters.count("W") <= 1 and "X" not in letters
        left = [path for path in logdir.rglob("*") if not path.is_dir()]
        assert bool(left) == ("W" in letters), f"{letters} left {left}"
        assert not left or (logdir / "checkpoints" / "000000000001" / "file").exists()
