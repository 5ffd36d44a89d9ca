"""Headless Chromium by its DevTools protocol, over a pipe: enough to look at a page and click."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from typing import Any

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1200,900")
# Of a command, and of what a page is waited for.
SECONDS = 60.0


def program() -> str | None:
    """Where Chromium is on this machine; None: nowhere."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """A page of a browser that reads commands from `commands` and answers to `answers`.

    Attributes:
      faults: what its scripts have not caught.
    """

    def __init__(self, commands: int, answers: int, address: str) -> None:
        self._commands, self._answers, self._read = commands, answers, b""
        self._numbers, self._session = itertools.count(1), {}
        self.faults: list[str] = []
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        self._ask("Runtime.enable")
        self._ask("Page.navigate", url=address)
        self.wait("location.href != 'about:blank' && document.readyState == 'complete'")

    def evaluate(self, expression: str) -> Any:
        """The value of some JavaScript, which JSON has to hold."""
        said = self._ask("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in said:
            raise ValueError(f"{expression}: {said['exceptionDetails']}")
        return said["result"].get("value")

    def wait(self, expression: str) -> None:
        """Waits until it is true; a page that is just being replaced has no say."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(ValueError):
                if self.evaluate(f"Boolean({expression})"):
                    return
            time.sleep(0.05)
        raise TimeoutError(f"not within {SECONDS:g} s: {expression}; {self.faults}")

    def click(self, selector: str) -> None:
        """Presses the mouse in the middle of the first that fits."""
        at = self.evaluate(
            f"(() => {{ const found = document.querySelector({json.dumps(selector)});"
            "found.scrollIntoView({block: 'center'}); const box = found.getBoundingClientRect();"
            "return {x: box.x + box.width / 2, y: box.y + box.height / 2}; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._ask("Input.dispatchMouseEvent", type=kind, **at, button="left", clickCount=1)

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters, **self._session}
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while (said := self._next()).get("id") != number:
            if said.get("method") == "Runtime.exceptionThrown":
                self.faults.append(json.dumps(said["params"]["exceptionDetails"]))
        if "error" in said:
            raise ValueError(f"{method}: {said['error']['message']}")
        return said["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._read:
            if not select.select([self._answers], [], [], SECONDS)[0]:
                raise TimeoutError("the browser says nothing")
            if not (read := os.read(self._answers, 1 << 16)):
                raise ConnectionError("the browser has ended")
            self._read += read
        message, _, self._read = self._read.partition(b"\0")
        return json.loads(message)


@contextlib.contextmanager
def opened(address: str) -> Iterator[Page]:
    """A page of a browser of its own."""
    (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # The protocol wants its pipes at 3 and 4.
        process = os.posix_spawn(
            program(),
            [program(), *FLAGS, "--remote-debugging-pipe", f"--user-data-dir={profile}"],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, theirs_in, 3),
                (os.POSIX_SPAWN_DUP2, theirs_out, 4),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield Page(ours_out, ours_in, address)
        finally:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            os.close(ours_in)
            os.close(ours_out)
