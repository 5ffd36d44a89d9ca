"""Paths as people type them, and as libraries want them that take some for patterns."""

from __future__ import annotations

import contextlib
import os
import re
import unicodedata
from collections.abc import Iterator

from absl import flags

_PATTERN = re.compile(r"[*?\[\\]")


class PathParser(flags.ArgumentParser):
    """Reads a flag that is a path; `~` and `~NAME` at its beginning are home directories.

    What no message could show in one line, and no library take, is refused: control characters and
    names that are no UTF-8.
    """

    syntactic_help = "a path: not empty, printable, ~NAME the home of a user"

    def parse(self, argument: str) -> str:
        """Returns the path that is meant."""
        path = os.path.expanduser(argument)
        if not path or path.startswith("~") or any(map(_hidden, path)):
            raise ValueError(self.syntactic_help)
        return path


@contextlib.contextmanager
def literal(folder: str | os.PathLike[str]) -> Iterator[str]:
    """Gives `folder` a name without pattern characters, as long as the context lasts.

    TensorFlow expands patterns in the names of what it restores: of `runs/lr=[1,2]` it finds
    nothing, and of `runs/lr=?` perhaps another run's weights.

    Raises:
      OSError: there is no such folder.
    """
    folder = os.fspath(folder)
    if not _PATTERN.search(folder):
        yield folder
        return
    name = lasting_literal(folder)
    try:
        yield name
    finally:
        os.close(int(name.rpartition("/")[2]))


def lasting_literal(folder: str | os.PathLike[str]) -> str:
    """Returns such a name that lasts as long as the process; a descriptor is left open for it."""
    folder = os.fspath(folder)
    if not _PATTERN.search(folder):
        return folder
    return f"/proc/self/fd/{os.open(folder, os.O_RDONLY | os.O_DIRECTORY)}"


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
