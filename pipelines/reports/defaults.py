"""What settings are where a configuration of an older revision does not know them."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Sequence

_IMPORT = re.compile(r"^import ((?:agents|pipelines)(?:\.\w+)*)$", re.MULTILINE)
_OTHER = object()  # Equal to no value.


def without_defaults(config: dict[str, str], text: str, names: Sequence[str]) -> dict[str, str]:
    """A configuration without those of the settings `names` that say what holds without them.

    Args:
      config: settings by name, as `configurations.settings` reads them.
      text: of the config.gin, whose imports make the settings known.
      names: of settings that not every run of the agent has.
    """
    asked = [name for name in names if name in config]
    if asked:
        for module in ("pipelines.configuration.experiment", *_IMPORT.findall(text)):
            _import(module)
    silent = {name for name in asked if _read(config[name]) == _default(name)}
    return {name: value for name, value in config.items() if name not in silent}


def _import(module: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError:  # Of another revision: nothing is known of it then.
        return


def _read(value: str) -> object:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return _OTHER


def _default(name: str) -> object:
    import gin

    selector, _, parameter = name.rpartition(".")
    try:
        configurable = gin.get_configurable(selector.split("/")[-1])
        return inspect.signature(configurable).parameters[parameter].default
    except (ValueError, KeyError):
        return object()
