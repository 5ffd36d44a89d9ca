"""What TensorFlow does not say of functions that a SavedModel gave back."""

from __future__ import annotations

from typing import Any


def forget_tracing_warnings(loaded: Any) -> None:
    """TensorFlow counts the first call of each restored function as one more trace of the same."""
    names = ("initial_state", "step", "step_with_options", "begin_step", "continue_step")
    for name in (*names, "evaluate", "search_settings"):
        if (function := getattr(loaded, name, None)) is not None:
            function._omit_frequent_tracing_warning = True


def has_native_ops(function: Any) -> bool:
    """Whether a function of a SavedModel calls ops of ours, which XLA does not know."""
    (concrete,) = function.concrete_functions
    graph = concrete.graph.as_graph_def()
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    return any(node.op.startswith("Lookahead") for node in nodes)
