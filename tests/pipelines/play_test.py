"""Protects play.py: a person at a terminal, here a pseudo one; and its lines for what is wrong."""

from __future__ import annotations

import codecs
import io
import os
import pathlib
import pty
import re
import select
import subprocess
import sys
import time

import pytest

from pipelines import play
from tests.agents.simple.tiny_run import make

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def logdir(tmp_path_factory) -> pathlib.Path:
    """Of a run that has not begun, with its world of this moment."""
    logdir = tmp_path_factory.mktemp("play") / "log"
    run = make(logdir)
    run._export("best")
    run._claimed.keep()
    run.close()
    return logdir


class Person:
    """Presses keys and reads the screen of a program in a pseudo-terminal."""

    def __init__(self, *flags: str) -> None:
        self._mine, theirs = pty.openpty()
        self.program = subprocess.Popen(
            [sys.executable, str(ROOT / "pipelines" / "play.py"), *flags],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        os.close(theirs)
        self.seen = ""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def press(self, keys: bytes) -> None:
        os.write(self._mine, keys)

    def wait_for(self, pattern: str, seconds: float = 180) -> None:
        end = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            assert time.monotonic() < end, self.seen[-2000:]
            if select.select([self._mine], [], [], 1.0)[0]:
                try:
                    # What is read may end within a character.
                    self.seen += self._decode(os.read(self._mine, 65536))
                except OSError as error:  # The program has ended.
                    raise AssertionError(self.seen[-2000:]) from error

    def close(self) -> None:
        os.close(self._mine)
        self.program.kill()
        self.program.wait()


def test_a_person_plays_both_games_by_arrows_and_ends_with_q(logdir):
    person = Person(f"--logdir={logdir}")
    try:
        # The last words of a frame: a terminal hands a frame on in pieces.
        person.wait_for(r"step 0  real 0  imagined 0  pixels apart 0\.0%(?s:.*)i, n, q")
        assert "pixels/catch, real and imagined" in person.seen
        assert "1/left: left" in person.seen and person.seen.count("▀") >= 12 * 52
        person.press(b"\x1b[D")
        person.wait_for(r"step 1  real")
        person.press(b"2.")
        person.wait_for(r"step 3  real")
        person.press(b"i")
        person.wait_for(r"step 3  real(?s:.*)step 0  real 0  imagined 0  pixels apart 0\.0%")
        person.press(b"q")
        assert person.program.wait(timeout=60) == 0
    finally:
        person.close()


def test_without_a_terminal_it_says_so(logdir, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert play.main(["play.py", f"--logdir={logdir}"]) == 2
    assert capsys.readouterr().err == (
        "error: standard input and output are no terminal; expected one to play in\n"
    )


def test_a_run_that_has_no_world_is_named(tmp_path, logdir, capsys):
    assert play.main(["play.py", f"--logdir={logdir}", "--world=last"]) == 2
    line = f"error: no world in '{logdir}/world/last'; --world=best is there\n"
    assert capsys.readouterr().err == line
    (tmp_path / "config.gin").write_text("")
    assert play.main(["play.py", f"--logdir={tmp_path}"]) == 2
    assert capsys.readouterr().err.endswith("; agents that learn one save it\n")
    assert play.main(["play.py"]) == 2
    assert capsys.readouterr().err.startswith("error: --logdir is missing; expected the log dir")
