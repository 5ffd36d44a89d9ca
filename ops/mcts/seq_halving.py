"""Sequential halving with Gumbel (Danihelka et al. 2022): what a simulation may consider."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

LOW_LOGIT = -1e9


def considered_visits(num_considered: int, num_simulations: int) -> list[int]:
    """The visit count that an action must have to be considered, for each simulation."""
    if num_considered <= 1:
        return list(range(num_simulations))
    phases = math.ceil(math.log2(num_considered))
    visits, sequence = [0] * num_considered, []
    remaining = num_considered
    while len(sequence) < num_simulations:
        for _ in range(max(1, int(num_simulations / (phases * remaining)))):
            sequence += visits[:remaining]
            visits[:remaining] = [v + 1 for v in visits[:remaining]]
        remaining = max(2, remaining // 2)
    return sequence[:num_simulations]


def table_of_considered_visits(max_considered: int, num_simulations: int) -> np.ndarray:
    """Row m is the sequence for m considered actions: float32 [max_considered + 1,
    num_simulations].
    """
    rows = [considered_visits(m, num_simulations) for m in range(max_considered + 1)]
    return np.array(rows, np.float32)


def score_considered(
    considered_visit: tf.Tensor,
    gumbel: tf.Tensor,
    logits: tf.Tensor,
    qvalues: tf.Tensor,
    visits: tf.Tensor,
) -> tf.Tensor:
    """gumbel + logit + q for the actions with that visit count, -inf for the rest: [B, A].

    `considered_visit` is [B, 1]; the logits are shifted so that the greatest is 0.
    """
    shifted = logits - tf.reduce_max(logits, axis=-1, keepdims=True)
    score = tf.maximum(LOW_LOGIT, gumbel + shifted + qvalues)
    return tf.where(visits == considered_visit, score, -float("inf"))
