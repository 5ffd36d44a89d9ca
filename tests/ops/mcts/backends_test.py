"""Which implementation 'auto' picks."""

from __future__ import annotations

from ops import loader
from ops.mcts.backends import resolve


def test_auto_is_plain_tensorflow_where_a_graph_must_run_without_the_library():
    assert resolve("auto") == "native"
    with loader.portable():
        assert resolve("auto") == "tensorflow"
        assert resolve("native") == "native"
    assert resolve("auto") == "native"
