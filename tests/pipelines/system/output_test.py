"""Protects programs from whoever reads, or does not read, what they print."""

from __future__ import annotations

import fcntl
import io
import os
import pathlib
import subprocess
import sys

import pytest

from pipelines.system import output

ROOT = pathlib.Path(__file__).resolve().parents[3]
HELP = f"{sys.executable} pipelines/run.py --help"
WRONG = f"{sys.executable} pipelines/run.py --sed=1"


@pytest.fixture
def pipe():
    """A pipe of one page: its reading end, and the other one to be stdout."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    with open(reader, "rb", 0) as end, open(writer, "w") as stdout:
        yield end, stdout


def test_what_is_printed_is_what_is_read(pipe, monkeypatch):
    reader, stdout = pipe
    monkeypatch.setattr(sys, "stdout", stdout)
    with output.lossy():
        print("déjà", flush=True)
        assert reader.read(100) == "déjà\n".encode()
        print("at the end")
    assert reader.read(100) == b"at the end\n"


def test_a_reader_that_is_gone_is_no_error(pipe, monkeypatch):
    reader, stdout = pipe
    monkeypatch.setattr(sys, "stdout", stdout)
    with output.lossy():
        print("read", flush=True)
        reader.close()
        for _ in range(3):
            print("not read", flush=True)


def test_a_reader_that_does_not_read_is_not_waited_for_and_may_come_back(pipe, monkeypatch):
    reader, stdout = pipe
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(output, "_PATIENCE", 10)
    with output.lossy():
        for number in range(2000):
            print(f"line {number:06d}", flush=True)
        shown = reader.read(1 << 16)
        assert shown.startswith(b"line 000000\n") and len(shown) <= 4096
        print("again", flush=True)
        assert reader.read(100) == b"again\n"


def test_a_stream_that_is_no_file_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with output.lossy():
        print("kept")
    assert sys.stdout.getvalue() == "kept\n"


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (f"{HELP} > /dev/full", 0),
        (f"{HELP} >&-", 0),
        (f"{HELP} | true", 0),
        (f"{WRONG} 2> /dev/full", 2),
        (f"{WRONG} 2>&-", 2),
        (f"{WRONG} >&- 2>&-", 2),
    ],
)
def test_a_programs_status_is_the_same_whatever_becomes_of_its_words(command, status):
    script = f"set -o pipefail; {command}"
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (status, "")


def test_a_line_from_a_signals_handler_waits_for_nobody(pipe):
    reader, stdout = pipe
    descriptor = stdout.fileno()
    os.set_blocking(descriptor, False)
    while True:
        try:
            os.write(descriptor, b"x" * 100)
        except BlockingIOError:
            break
    os.set_blocking(descriptor, True)
    output.say_at_once("lost", descriptor)
    reader.read(1 << 16)
    output.say_at_once("heard", descriptor)
    assert reader.read(100) == b"heard\n"
    reader.close()
    output.say_at_once("lost", descriptor)
