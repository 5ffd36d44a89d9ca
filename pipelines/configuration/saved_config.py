"""The config.gin of a log directory, which may be anybody's: data, while gin files are code.

gin imports whatever a file names, and with dynamic registration calls any function in it. So a
saved file is read by gin's parser alone first, and may import and configure only what this project
itself makes configurable; values are literals anyway.
"""

from __future__ import annotations

import pathlib

import gin
from gin import config_parser

from pipelines.configuration import gin_files
from pipelines.system.errors import UserError

_PACKAGES = ("agents", "pipelines")
# Where gin's own three lie: macro, constant and singleton.
_GIN = "gin.config"


def read(path: pathlib.Path) -> tuple[str, set[str]]:
    """Reads the file, and checks what it would import and include; imports nothing.

    Returns:
      The text, and the selectors of all that it configures or refers to, for `check_configured`.

    Raises:
      UserError: it cannot be read, is no gin, includes a file, or imports what is not ours.
    """
    text, references, selectors = gin_files.read(path), gin_files.References(), set()
    for statement in gin_files.statements(text, str(path), references):
        if isinstance(statement, config_parser.ImportStatement):
            if statement.module.split(".")[0] not in _PACKAGES:
                _refuse(path, statement, f"import '{statement.module}'")
        elif isinstance(statement, config_parser.IncludeStatement):
            _refuse(path, statement, f"include '{statement.filename}'")
        elif getattr(statement, "arg_name", True):  # A macro has none.
            selectors.add(statement.selector)
    return text, selectors.union(references.selectors)


def check_configured(path: pathlib.Path, selectors: set[str]) -> None:
    """Checks what the selectors have led gin to, once it has read the file.

    Raises:
      UserError: some of it is not ours.
    """
    for selector in sorted(selectors):
        module = gin.get_configurable(selector).__module__
        if module.split(".")[0] not in _PACKAGES and module != _GIN:
            raise UserError(f"{path} configures '{selector}' of {module}; {_expected()}")


def _refuse(path: pathlib.Path, statement: object, what: str) -> None:
    raise UserError(f"{path}, line {statement.location.line_num}: cannot {what}; {_expected()}")


def _expected() -> str:
    return (
        f"a log directory is no code: expected modules of {' and '.join(_PACKAGES)} alone, and no "
        "include"
    )
