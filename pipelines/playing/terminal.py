"""A terminal as a screen for small pictures and as a keyboard."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Sequence
from types import TracebackType

import numpy as np

from pipelines.system.errors import UserError

_HOME, _CLEAR, _REST = "\x1b[H", "\x1b[2J", "\x1b[J"
_NO_CURSOR, _CURSOR, _PLAIN = "\x1b[?25l", "\x1b[?25h", "\x1b[0m"
_LINE_END = "\x1b[K\r\n"
_SEQUENCES = {b"[A": "up", b"[B": "down", b"[C": "right", b"[D": "left"}
_BYTES = {b" ": "space", b"w": "up", b"s": "down", b"d": "right", b"a": "left"}
_WIDEST = 80
# Seconds within which the rest of an arrow's bytes are there.
_SEQUENCE = 0.02


class Terminal:
    """Holds the terminal while it is entered: keys come one by one and are not shown.

    Raises:
      UserError: standard input or output is no terminal.
    """

    def __init__(self) -> None:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise UserError("standard input and output are no terminal; expected one to play in")
        self._input = sys.stdin.fileno()

    def __enter__(self) -> Terminal:
        self._before = termios.tcgetattr(self._input)
        tty.setcbreak(self._input)
        self._write(_CLEAR + _NO_CURSOR)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        termios.tcsetattr(self._input, termios.TCSADRAIN, self._before)
        self._write(_PLAIN + _CURSOR + "\r\n")

    def show(self, frames: Sequence[np.ndarray], lines: Sequence[str]) -> None:
        """Draws pictures side by side, and lines of text below."""
        text = "".join(line + _LINE_END for line in lines)
        self._write(_HOME + picture(frames) + text + _REST)

    def key(self, seconds: float | None = None) -> str | None:
        """The next key's name: a character, `space`, or an arrow; None: there was none in time.

        `q` also stands for the terminal's end.
        """
        if not self._waiting(seconds):
            return None
        byte = os.read(self._input, 1)
        if byte == b"\x1b":
            rest = os.read(self._input, 2) if self._waiting(_SEQUENCE) else b""
            return _SEQUENCES.get(rest, "escape")
        if byte in (b"", b"\x04"):
            return "q"
        return _BYTES.get(byte, byte.decode(errors="replace"))

    def _waiting(self, seconds: float | None) -> bool:
        return bool(select.select([self._input], [], [], seconds)[0])

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def picture(frames: Sequence[np.ndarray]) -> str:
    """Pictures uint8 [H, W, C] side by side, two pixels a character, in 24-bit colour.

    What is wider than a terminal leaves out rows and columns.
    """
    image = np.concatenate([_with_margin(_small(frame)) for frame in frames], axis=1)
    rows = []
    for upper, lower in zip(image[::2], image[1::2], strict=True):
        cells = (
            f"\x1b[38;2;{a[0]};{a[1]};{a[2]};48;2;{b[0]};{b[1]};{b[2]}m▀"
            for a, b in zip(upper.tolist(), lower.tolist(), strict=True)
        )
        rows.append("".join(cells) + _PLAIN + _LINE_END)
    return "".join(rows)


def _small(frame: np.ndarray) -> np.ndarray:
    """In colours [h, w, 3], h even and w within the widest."""
    stride = -(-frame.shape[1] // _WIDEST)
    frame = frame[::stride, ::stride]
    frame = frame[: frame.shape[0] // 2 * 2]
    return frame[..., :3] if frame.shape[-1] >= 3 else frame[..., :1].repeat(3, axis=-1)


def _with_margin(frame: np.ndarray) -> np.ndarray:
    return np.pad(frame, [(0, 0), (0, 2), (0, 0)])
