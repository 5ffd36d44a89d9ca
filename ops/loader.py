"""Finds and loads the native libraries that setup.py built; without them the twins serve."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import pathlib
import sys
from collections.abc import Iterator
from types import ModuleType

import tensorflow as tf
from tensorflow.python.ops import control_flow_util


class LibraryMissing(tf.errors.InvalidArgumentError, ValueError):
    """'native' was asked for where its library is not: `message` is one line for the user."""

    def __init__(self, message: str) -> None:
        super().__init__(None, None, message)


_PORTABLE = contextvars.ContextVar("portable", default=False)
_COMPILABLE = contextvars.ContextVar("compilable", default=False)


@contextlib.contextmanager
def portable() -> Iterator[None]:
    """Graphs built in this context run where the libraries are not: 'auto' is plain TensorFlow."""
    token = _PORTABLE.set(True)
    try:
        yield
    finally:
        _PORTABLE.reset(token)


@contextlib.contextmanager
def compilable() -> Iterator[None]:
    """Graphs built in this context may be compiled by XLA later, by whoever loads them."""
    token = _COMPILABLE.set(True)
    try:
        yield
    finally:
        _COMPILABLE.reset(token)


def is_portable() -> bool:
    """Whether the caller stands in `portable`."""
    return _PORTABLE.get()


def path_of(name: str) -> pathlib.Path:
    """Where the library of `ops/<name>` lies once built."""
    return pathlib.Path(__file__).parent / name / f"_{name}_ops.so"


@functools.cache
def _load(name: str) -> tuple[ModuleType | None, str]:
    path = path_of(name)
    if not path.exists():
        return None, f"the native ops of ops/{name} are not built; `make setup` builds them"
    try:
        return tf.load_op_library(str(path)), ""
    except tf.errors.NotFoundError as error:
        return None, f"the native ops of ops/{name} do not load: {error.message}"


@functools.cache
def _warn(message: str) -> None:
    print(f"warning: {message}; using plain TensorFlow", file=sys.stderr)


def load(name: str, warn: bool = False) -> ModuleType | None:
    """The generated wrappers of `ops/<name>`'s ops, or None where the library is missing.

    With `warn` a missing library is named on stderr, once a process.
    """
    module, problem = _load(name)
    if module is None and warn:
        _warn(problem)
    return module


def load_all() -> None:
    """Loads what is built of all libraries, for graphs that were saved with native ops."""
    for directory in sorted(pathlib.Path(__file__).parent.iterdir()):
        if path_of(directory.name).exists():
            load(directory.name)


def require(name: str, wanted: str = "backend is 'native'") -> ModuleType:
    """As `load`, for callers that cannot do without; `wanted` says what for.

    Raises:
      LibraryMissing: says why there is no library, and how to have it.
    """
    module, problem = _load(name)
    if module is None:
        raise LibraryMissing(f"{wanted}, but {problem}")
    return module


def has_cuda(name: str) -> bool:
    """Whether the library of `ops/<name>` registers kernels for GPUs."""
    module = load(name)
    return module is not None and hasattr(module, f"lookahead_{name}_cuda_marker")


def has_gpu() -> bool:
    """Whether tensors may lie on a GPU, as they do by default where there is one."""
    return bool(tf.config.list_logical_devices("GPU"))


def serves(name: str) -> bool:
    """Whether 'auto' means the library of `ops/<name>` here; says so once where it is missing.

    It does where the library is built and has kernels for the device that tensors go to by default,
    unless XLA is compiling or the graph has to run without the library (`portable`).
    """
    if is_portable() or compiling():
        return False
    return (not has_gpu() or has_cuda(name)) and load(name, warn=True) is not None


def compiling() -> bool:
    """Whether the graph being built is one that XLA must, or may have to, compile."""
    if _COMPILABLE.get():
        return True
    if tf.executing_eagerly():
        return False
    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
