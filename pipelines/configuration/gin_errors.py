"""Says in one line what is wrong with gin files and bindings.

gin's errors are Python's own types: what is wrong stands in the first line of their text, and where
in the lines below. A text that is not understood here is shown as it is.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import logging
import pkgutil
import re
import tokenize
from collections.abc import Callable, Iterator, Sequence

import gin

from pipelines.system.errors import UserError, first_line, nearest


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Holds back gin's own log lines on what it then raises."""
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


@contextlib.contextmanager
def as_user_errors(source: str = "") -> Iterator[None]:
    """Turns what gin, or what it called, raises on `source` into a UserError of one line."""
    try:
        with quiet():
            yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(describe(error, source)) from error


def check_macros(gin_bindings: Sequence[str]) -> None:
    """Refuses `batch_size = 3`: to gin a macro, to whoever typed it a parameter.

    Raises:
      UserError: nothing that has been read uses the macro.
    """
    text = gin.config_str()
    for binding in gin_bindings:
        found = re.match(r"\s*(\w+)\s*=", binding)
        if found and not re.search(rf"%{found[1]}\b", text):
            raise UserError(
                f"--gin_bindings: no file uses a macro %{found[1]}; expected a binding such as "
                f"PlaNetConfig.batch_size = 16{nearest(found[1], _all_parameters())}"
            )


def describe(error: Exception, source: str = "") -> str:
    """Returns the line for an error that gin, or what it called, raised while reading `source`."""
    return _place(error, source) + _what(error)


def _place(error: Exception, source: str) -> str:
    """Returns `<file>, line <n>: `, or as much of it as is known."""
    found = re.search(r'In (?:file "(.+)"|bindings string),? line (\d+)', str(error))
    if found:
        return f"{found[1] or '--gin_bindings'}, line {found[2]}: "
    line = error.args[1][0] if isinstance(error, tokenize.TokenError) else None
    if isinstance(error, SyntaxError):
        source, line = error.filename or source, error.lineno
    return f"{source}, line {line}: " if line else f"{source}: " if source else ""


# What gin and Python say, and what the user is told, given the pattern's groups.
_TEXTS: dict[str, Callable[..., str]] = {
    r"No configurable matching (?:reference )?'@?([\w./]+)": lambda name: (
        f"no configurable named '{_last(name)}'{nearest(_last(name), _configurables())}"
    ),
    r"Configurable '(.+)' doesn't have a parameter named '(.+)'": lambda name, parameter: (
        f"{_last(name)} has no parameter '{parameter}'{nearest(parameter, _parameters(name))}"
    ),
    r"No bindings specified for '(.+)/gin.macro'": lambda name: (
        f"macro %{name} is used and nowhere defined; expected a line {name} = VALUE"
    ),
    r"No module named '(.+)'": lambda name: (
        f"no module named '{name}'{nearest(name, _modules_beside(name))}"
    ),
    r"malformed node or string": lambda: (
        "not a value; expected a number, a quoted 'text', a list, @name or @name()"
    ),
    r"(.*) missing \d+ required .* arguments?: (.*)": lambda call, missing: (
        f"{call} needs {missing}; expected the name alone, as in @name, where a factory is wanted"
    ),
}


def _what(error: Exception) -> str:
    text = first_line(error)
    for pattern, explain in _TEXTS.items():
        if found := re.match(pattern, text):
            return explain(*found.groups())
    if isinstance(error, SyntaxError):
        line = f" in '{error.text.strip()}'" if error.text else ""
        message = error.msg.rstrip(".")
        return f"{message}{line}; expected a line such as PlaNetConfig.batch_size = 16"
    if isinstance(error, RecursionError):
        return "nested too deeply to be read"
    if isinstance(error, tokenize.TokenError):
        return f"{error.args[0]}; expected a closing bracket or quote"
    return text


def _last(selector: str) -> str:
    return re.split(r"[./]", selector)[-1]


def _configurables() -> list[str]:
    # gin has no public list of them.
    registry = getattr(gin.config, "_REGISTRY", {})
    return [_last(selector) for selector, _ in registry.items()]


def _parameters(name: str) -> list[str]:
    return list(inspect.signature(gin.get_configurable(name)).parameters)


def _all_parameters() -> list[str]:
    names = [name for name in _configurables() if name not in ("macro", "constant", "singleton")]
    return [f"{name}.{parameter}" for name in names for parameter in _parameters(name)]


def _modules_beside(name: str) -> list[str]:
    """Returns the full names of the modules in the same package; at the top, our own packages."""
    package, _, _ = name.rpartition(".")
    if not package:
        return ["agents", "pipelines"]
    try:
        path = importlib.import_module(package).__path__
    except (ImportError, AttributeError):
        return []
    return [f"{package}.{module.name}" for module in pkgutil.iter_modules(path)]
