"""Protects what all programs share: the line that does it again, and how they end."""

from __future__ import annotations

import signal
import subprocess
import sys

from pipelines.system import command_line

INTERRUPTED = """
import os, signal, sys
from absl import flags
from pipelines.system import command_line

def action():
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()

sys.exit(command_line.run_program(["program"], flags.FlagValues(), "", action))
"""


def test_the_line_that_does_it_again_names_the_interpreter_that_runs(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "a b" / "bin" / "python"))
    argv = ["pipelines/run.py", "--gin_bindings=A.b = 'c'"]
    monkeypatch.chdir(tmp_path)
    below = """'a b/bin/python' pipelines/run.py '--gin_bindings=A.b = '"'"'c'"'"'' --logdir=x"""
    assert command_line.again(argv, "--logdir=x") == below
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert command_line.again(argv, "--logdir=x") == below.replace("a b", f"{tmp_path}/a b")


def test_ctrl_c_ends_a_program_as_the_signal_does_and_not_with_a_traceback():
    command = [sys.executable, "-c", INTERRUPTED]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")
