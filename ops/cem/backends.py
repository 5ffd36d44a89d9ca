"""Which implementation plans."""

from __future__ import annotations

import tensorflow as tf
from tensorflow.python.ops import control_flow_util

from ops import loader

BACKENDS = ("auto", "native", "tensorflow")


def resolve(backend: str) -> str:
    """'native' or 'tensorflow'.

    'auto' is native where the library is loaded and serves the device, unless XLA is compiling or
    the graph has to run without the library (`loader.portable`).

    Raises:
      ValueError: another name, or 'native' without the library.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend is {backend!r}; expected one of {BACKENDS}")
    if backend == "native" and loader.load("cem") is None:
        raise ValueError(f"backend is 'native', but {loader.why_missing('cem')}")
    if backend != "auto":
        return backend
    usable = not loader.is_portable() and not _compiling() and _has_kernels()
    return "native" if usable and loader.load("cem", warn=True) is not None else "tensorflow"


def _compiling() -> bool:
    """Whether the graph being built is one that XLA must compile."""
    if tf.executing_eagerly():
        return False
    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def _has_kernels() -> bool:
    """Whether the device that tensors go to by default is one the library serves."""
    return not tf.config.list_logical_devices("GPU") or loader.has_cuda("cem")
