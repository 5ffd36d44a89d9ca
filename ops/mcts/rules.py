"""The rule by which a simulation walks down: everything `simulate` needs beside the tree."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from ops.mcts.qtransforms import QTransform

UNLIMITED_DEPTH = (1 << 31) - 1


class SelectionRule(NamedTuple):
    """`kind` is 'puct', 'gumbel' or 'stochastic'; each of the last three is read by one kind alone.

    gumbel: [B, A], the noise of the root's actions; read by gumbel's root.
    considered: [max considered + 1, N], see seq_halving; read by gumbel's root.
    first_outcome: actions from here on are outcomes of chance; the others are the players', who
      move by PUCT. Read by stochastic, whose nodes' legal actions are all of one kind.
    """

    kind: str
    qtransform: QTransform
    max_depth: int = UNLIMITED_DEPTH
    pb_c_init: float = 1.25
    pb_c_base: float = 19652.0
    gumbel: tf.Tensor | None = None
    considered: tf.Tensor | None = None
    first_outcome: int = 0
