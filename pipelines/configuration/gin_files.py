"""Gin files: where they are, what they include, and their statements, without importing anything.

A file on the command line is looked for in the current directory, then among the shipped ones, so
that `gin/planet.gin` is found from anywhere; one that is included, beside the including file first.
"""

from __future__ import annotations

import contextlib
import io
import os
import pathlib
import sysconfig
from collections.abc import Iterator, Sequence
from typing import Any

import gin
from gin import config_parser

from pipelines.configuration import gin_errors
from pipelines.system.errors import UserError, nearest

# Folders with a folder gin/: a checkout's, and where an installed package puts its data.
SHIPPED = (
    pathlib.Path(__file__).resolve().parents[2],
    pathlib.Path(sysconfig.get_path("data"), "share", "lookahead"),
)


class References(config_parser.ParserDelegate):
    """Notes what a text refers to, and looks nothing up.

    Attributes:
      selectors: of every `@scope/name`, in the order they are read.
    """

    def __init__(self) -> None:
        self.selectors: list[str] = []

    def configurable_reference(self, scoped_configurable_name: str, evaluate: bool) -> None:
        """Called by the parser for `@scope/name` and `@scope/name()`."""
        self.selectors.append(scoped_configurable_name.rpartition("/")[2])

    def macro(self, macro_name: str) -> None:
        """Called by the parser for `%name`."""


def check(paths: Sequence[str], flag: str = "--gin_file") -> None:
    """Checks that all files are there, included ones too, and can be read as gin.

    Args:
      paths: as they were written.
      flag: which names them.

    Raises:
      UserError: in one line, which file and where it was wanted.
    """
    if not paths:
        raise UserError(f"{flag} is missing; expected a file such as gin/planet_small.gin")
    for path in paths:
        _check(find(path), ())


def parse(path: str) -> None:
    """Adds a file to gin's configuration, with all that it includes.

    Raises:
      Exception: whatever gin, or what it imports, has to say.
    """
    found = find(path)
    with included_beside(found.parent):
        gin.parse_config(named(read(found), str(found)))


@contextlib.contextmanager
def included_beside(folder: pathlib.Path | None) -> Iterator[None]:
    """While it lasts, gin finds what is included as `find` does.

    gin itself looks in the current directory alone, and can only be told so.
    """
    outer = gin.config.parse_config_file
    gin.config.parse_config_file = lambda name, *_: parse(str(find(name, folder)))
    try:
        yield
    finally:
        gin.config.parse_config_file = outer


def named(text: str, name: str) -> io.StringIO:
    """The text as a file, so that gin's errors tell its name."""
    file = io.StringIO(text)
    file.name = name
    return file


def find(path: str, beside: pathlib.Path | None = None) -> pathlib.Path:
    """Returns where the file is.

    Args:
      path: as it was written.
      beside: the folder of the file that includes it; None: the command line names it.

    Raises:
      UserError: it is nowhere, or a folder.
    """
    here = pathlib.Path(".")
    folders = [here, *SHIPPED] if beside is None else [beside, *SHIPPED, here]
    places = [folder / path for folder in folders]
    for place in places:
        if os.path.isfile(place):
            return place
    if any(map(os.path.isdir, places)):
        raise UserError(f"gin file '{path}' is a folder; expected a file that ends in .gin")
    valid = [name for folder in folders for name in _gin_files(folder, os.path.dirname(path))]
    raise UserError(f"gin file '{path}' does not exist{nearest(path, valid)}")


def is_there(path: str) -> bool:
    """Whether `find` finds a file that the command line names."""
    return any((folder / path).is_file() for folder in (pathlib.Path("."), *SHIPPED))


def statements(text: str, name: str, references: References | None = None) -> Iterator[Any]:
    """Yields the statements of a text as gin's parser makes them.

    Args:
      text: in gin's language.
      name: of the file, for errors.
      references: notes what is referred to.

    Raises:
      UserError: it is not gin's language.
    """
    try:
        yield from config_parser.ConfigParser(named(text, name), references or References())
    except Exception as error:
        raise UserError(gin_errors.describe(error, name)) from error


def read(path: pathlib.Path) -> str:
    """Returns a file's text.

    Raises:
      UserError: it cannot be read, or is no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path}: {error}; expected text in UTF-8") from error


def _check(path: pathlib.Path, including: tuple[pathlib.Path, ...]) -> None:
    for statement in statements(read(path), str(path)):
        if isinstance(statement, config_parser.IncludeStatement):
            place = f"{path}, line {statement.location.line_num}: "
            try:
                included = find(statement.filename, path.parent)
            except UserError as error:
                raise UserError(place + str(error)) from error
            if any(included.samefile(outer) for outer in (*including, path)):
                raise UserError(f"{place}'{statement.filename}' includes itself")
            _check(included, (*including, path))


def _gin_files(folder: pathlib.Path, below: str) -> list[str]:
    """The gin files of a folder below `folder`, as paths that begin at `folder`."""
    place = folder / below
    there = os.listdir(place) if os.path.isdir(place) else []
    return [os.path.join(below, name) for name in there if name.endswith(".gin")]
