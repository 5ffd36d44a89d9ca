"""The rule by which a simulation walks down: everything `simulate` needs beside the tree."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from ops.mcts.qtransforms import QTransform

UNLIMITED_DEPTH = (1 << 31) - 1


class SelectionRule(NamedTuple):
    """`kind` is 'puct' or 'gumbel'; the last two are read by gumbel's root alone.

    gumbel: [B, A], the noise of the root's actions.
    considered: [max considered + 1, N], see seq_halving.
    """

    kind: str
    qtransform: QTransform
    max_depth: int = UNLIMITED_DEPTH
    pb_c_init: float = 1.25
    pb_c_base: float = 19652.0
    gumbel: tf.Tensor | None = None
    considered: tf.Tensor | None = None
