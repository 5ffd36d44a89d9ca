"""Runs our programs again and again, each time in a process of its own, for tests.

TensorFlow's import is paid for once: this process imports everything and forks for each run, before
any thread is started. What a run prints, its exit status and its answer to signals are a real
program's.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Run:
    """One run of the program, as `subprocess.Popen` shows it."""

    def __init__(self, server: ProgramServer, pid: int, folder: pathlib.Path) -> None:
        self._server, self.pid, self._folder = server, pid, folder
        self.status: int | None = None

    @property
    def stdout(self) -> str:
        return (self._folder / "stdout").read_text()

    @property
    def stderr(self) -> str:
        return (self._folder / "stderr").read_text()

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def poll(self) -> int | None:
        """The exit status; negative: the signal that ended it; None: it runs."""
        if self.status is None:
            self.status = self._server.ask({"poll": self.pid})
        return self.status

    def wait(self, timeout: float = 1200.0) -> int:
        end = time.monotonic() + timeout
        while self.poll() is None:
            assert time.monotonic() < end, f"still running:\n{self.stdout}\n{self.stderr}"
            time.sleep(0.02)
        return self.status

    def wait_for(self, text: str, timeout: float = 1200.0) -> None:
        """Waits until stdout holds `text`."""
        end = time.monotonic() + timeout
        while text not in self.stdout:
            assert self.poll() is None, f"ended without '{text}':\n{self.stdout}\n{self.stderr}"
            assert time.monotonic() < end, f"no '{text}':\n{self.stdout}"
            time.sleep(0.02)


class ProgramServer:
    """Starts runs; `folder` holds what they print."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder, self._count = folder, 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.pipelines.program_server"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout.readline() == "ready\n"

    def start(
        self,
        *arguments: str,
        program: str = "run",
        file_bytes: int | None = None,
        stdout: str | None = None,
        terminal: str | None = None,
        nohup: bool = False,
    ) -> Run:
        """Starts `python pipelines/PROGRAM.py ARGUMENTS…`.

        Args:
          *arguments: of the command line.
          program: `run`, `evaluate`, or `replay`: a server of the experiment's tables.
          file_bytes: no file may grow beyond; None: they may.
          stdout: a pipe's name that is printed to; None: a file's, which `Run.stdout` reads.
          terminal: one's name, whose end the program has a signal of; it is printed to.
          nohup: the program is started deaf to that signal.
        """
        self._count += 1
        folder = self._folder / f"run-{self._count}"
        folder.mkdir()
        for name in ("stdout", "stderr"):
            (folder / name).touch()
        argv = [f"pipelines/{program}.py", *arguments]
        order = {"argv": argv, "program": program, "folder": str(folder), "limit": file_bytes}
        order |= {"stdout": stdout, "terminal": terminal, "nohup": nohup}
        return Run(self, self.ask(order), folder)

    def run(self, *arguments: str, **options) -> Run:
        """Starts and waits."""
        run = self.start(*arguments, **options)
        run.wait()
        return run

    @contextlib.contextmanager
    def replay(self, *arguments: str) -> Iterator[tuple[Run, str]]:
        """A replay server in a process of its own, for run.py's arguments, and its address."""
        run = self.start(*arguments, program="replay")
        run.wait_for("\n")
        try:
            yield run, run.stdout.strip()
        finally:
            run.send_signal(signal.SIGKILL)
            run.wait()

    def ask(self, order: dict) -> int | None:
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def _serve() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    import agents.planet.builder  # noqa: F401
    import pipelines.launch.local  # noqa: F401

    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        answer = _poll(order["poll"]) if "poll" in order else _fork(order)
        print(json.dumps(answer), flush=True)


def _poll(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _fork(order: dict) -> int:
    if pid := os.fork():
        return pid
    status = 1
    try:
        sys.stdin.close()
        for number, name in ((1, "stdout"), (2, "stderr")):
            path = pathlib.Path(order["folder"]) / name
            os.dup2(os.open(path, os.O_WRONLY), number)
        _redirect(order["stdout"], order["terminal"])
        if order["nohup"]:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if order["limit"]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (order["limit"], order["limit"]))
        os.chdir(ROOT)
        status = _main(order["program"])(order["argv"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _redirect(stdout: str | None, terminal: str | None) -> None:
    if stdout is not None:
        os.dup2(os.open(stdout, os.O_WRONLY), 1)
    if terminal is not None:
        os.setsid()  # The terminal opened next is then this process's own.
        opened = os.open(terminal, os.O_RDWR)
        os.dup2(opened, 1)
        os.dup2(opened, 2)
        os.close(opened)
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        stream.reconfigure(line_buffering=os.isatty(number))


def _main(program: str) -> Callable[[list[str]], int]:
    if program == "replay":
        return _serve_replay
    return importlib.import_module(f"pipelines.{program}").main


def _serve_replay(argv: list[str]) -> int:
    import reverb

    from pipelines.configuration import experiment
    from pipelines.environments import make_environment_spec
    from pipelines.launch.parts import Parts

    files = [argument.removeprefix("--gin_file=") for argument in argv[1:]]
    made = Parts(experiment.parse(files), seed=0)
    server = reverb.Server(made.tables(make_environment_spec(made.environments())))
    print(f"127.0.0.1:{server.port}", flush=True)
    server.wait()
    return 0


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGHUP):  # Which whoever runs the tests may ignore.
        signal.signal(number, signal.SIG_DFL)
    _serve()
