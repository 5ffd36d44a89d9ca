"""A program that speaks a line protocol, as a child process with a time limit for each answer."""

from __future__ import annotations

import contextlib
import os
import queue
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from pipelines.system.errors import UserError, first_line

_SECONDS_TO_QUIT = 2.0
# Programs load what they need before they answer for the first time.
_SECONDS_TO_START = 120.0


def check_program(command: str) -> None:
    """Raises UserError unless `command` begins with a program that is there."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UserError(f"program '{command}' is no command: {first_line(error)}") from error
    if not words:
        raise UserError("program is empty; expected a command")
    if shutil.which(words[0]) is None:
        raise UserError(f"program '{words[0]}' of '{command}' is not found or cannot be executed")


class Child:
    """One running program.

    Args:
      command: as one types it into a shell; no shell sees it.
      seconds: that an answer may take.
      seconds_to_start: that the first answer may take, if that is more.

    Raises:
      UserError: it cannot be started, and later: it ended, was silent for too long. The one line
        names it.
    """

    def __init__(
        self, command: str, seconds: float, seconds_to_start: float = _SECONDS_TO_START
    ) -> None:
        self.command, self._answered = command, False
        self._seconds, self._seconds_to_start = seconds, seconds_to_start
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                shlex.split(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                errors="replace",
                start_new_session=True,  # Ctrl-C is for us; its own children end with it.
            )
        except (OSError, ValueError, IndexError) as error:
            self._errors.close()
            raise UserError(
                f"program '{command}' cannot be started: {first_line(error)}"
            ) from error
        threading.Thread(target=self._read, daemon=True).start()

    def say(self, line: str) -> None:
        """Sends a line."""
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError:
            raise self._gone(line) from None

    def hear(self, said: str, deadline: float) -> str:
        """Returns the next line, without its end.

        Args:
          said: to what it answers, for the error's line.
          deadline: see `deadline`.
        """
        try:
            line = self._lines.get(timeout=max(deadline - time.monotonic(), 0.0))
        except queue.Empty:
            raise UserError(
                f"program '{self.command}' has not answered '{said}' in time "
                f"({self._seconds:g} seconds)"
            ) from None
        if line is None:
            self._lines.put(None)  # It stays gone.
            raise self._gone(said)
        self._answered = True
        return line.rstrip("\r\n")

    def deadline(self) -> float:
        """Until when an answer to what is said now may come; the first one may take longer."""
        seconds = self._seconds if self._answered else max(self._seconds, self._seconds_to_start)
        return time.monotonic() + seconds

    def wrong(self, said: str, answer: str) -> UserError:
        """The error of an answer that does not fit."""
        return UserError(f"program '{self.command}' has answered '{said}' with '{answer}'")

    def close(self) -> None:
        """Asks it to quit, and ends it if it does not."""
        with contextlib.suppress(OSError):
            self._process.stdin.write("quit\n")
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_SECONDS_TO_QUIT)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._errors.close()

    def _read(self) -> None:
        with contextlib.suppress(ValueError):  # Closed under it.
            for line in self._process.stdout:
                self._lines.put(line)
        self._lines.put(None)

    def _gone(self, said: str) -> UserError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_SECONDS_TO_QUIT)
        self._errors.seek(0)
        last = (self._errors.read().strip().splitlines() or [""])[-1]
        status = self._process.returncode
        how = f"status {status}" if status is not None else "its output closed"
        return UserError(
            f"program '{self.command}' has ended ({how}) at '{said}'"
            + (f": {last}" if last else "")
        )


def gtp_answer(child: Child, line: str) -> str:
    """Says a line of the Go Text Protocol, and returns what is answered.

    Raises:
      UserError: it is refused.
    """
    child.say(line)
    return hear_gtp(child, line)


def hear_gtp(child: Child, line: str) -> str:
    """The answer to `line`, which ends with an empty one."""
    deadline, lines = child.deadline(), []
    while (text := child.hear(line, deadline)) or not lines:
        if text:
            lines.append(text)
    answer = "\n".join(lines)
    if not answer.startswith("="):
        raise child.wrong(line, answer)
    return answer[1:].strip()
