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


def table_of_fewer(max_considered: int, room: int, simulations: tf.Tensor) -> tf.Tensor:
    """`table_of_considered_visits` for int32 `simulations` of 1 to `room`, known only when it runs:
    float32 [max_considered + 1, room]; columns past `simulations` mean nothing.

    A phase that began after `rounds` visits of each action and `start` simulations has the value
    rounds + (s − start) // remaining. Carried on past its end it stays below the next phase, which
    has fewer actions to go round; so the entry is the greatest of all phases that have begun.
    """
    remaining = np.array([_actions_by_phase(m, max_considered) for m in range(max_considered + 1)])
    phases = np.ceil(np.log2(np.maximum(remaining[:, :1], 2))).astype(np.int32)
    each = tf.maximum(1, simulations // tf.constant(phases * remaining, tf.int32))
    rounds = tf.cumsum(each, axis=1, exclusive=True)[:, None]
    start = tf.cumsum(each * remaining, axis=1, exclusive=True)[:, None]
    simulation = tf.range(room)[None, :, None]
    visits = rounds + (simulation - start) // remaining[:, None]
    visits = tf.where(simulation >= start, visits, 0)
    return tf.cast(tf.reduce_max(visits, axis=2), tf.float32)


def _actions_by_phase(num_considered: int, max_considered: int) -> list[int]:
    """How many actions each phase goes round, of as many phases as the longest halving has."""
    sizes = [max(1, num_considered)]
    while len(sizes) < max(1, math.ceil(math.log2(max_considered))):
        sizes.append(max(min(2, sizes[0]), sizes[-1] // 2))
    return sizes


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
