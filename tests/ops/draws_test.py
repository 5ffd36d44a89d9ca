"""Draws by a seed a row: each row's are those of a batch of that row alone."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ops import draws

SEEDS = tf.constant([[1, 2], [3, 4], [1, 2], [5, -6]])


def logits() -> tf.Tensor:
    return tf.random.stateless_normal([4, 7], [0, 0])


DRAWS = {
    "uniform": lambda seed, rows: draws.uniform(tf.constant([rows, 3]), seed, -1.0, 2.0),
    "integers": lambda seed, rows: draws.uniform([rows, 5], seed, 0, 99, tf.int32),
    "normal": lambda seed, rows: draws.normal(tf.constant([rows, 2, 3]), seed),
    "vector": lambda seed, rows: draws.uniform(tf.constant([rows]), seed),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_row_draws_what_it_would_alone(name):
    together = DRAWS[name](SEEDS, 4)
    for i in range(4):
        np.testing.assert_array_equal(together[i], DRAWS[name](SEEDS[i], 1)[0])
    np.testing.assert_array_equal(together[0], together[2])
    assert not np.array_equal(together[0], together[1])


def test_a_row_is_drawn_as_it_would_be_alone():
    values = logits()
    together = draws.categorical(values, SEEDS)
    alone = [draws.categorical(values[i : i + 1], SEEDS[i])[0] for i in range(4)]
    np.testing.assert_array_equal(together, alone)


def test_seeds_are_split_row_by_row():
    together = draws.split(SEEDS, 3)
    for i in range(4):
        for many, one in zip(together, draws.split(SEEDS[i], 3), strict=True):
            np.testing.assert_array_equal(many[i], one)


def test_one_seed_for_all_draws_as_tensorflow_does():
    seed = SEEDS[0]
    np.testing.assert_array_equal(
        DRAWS["uniform"](seed, 4), tf.random.stateless_uniform([4, 3], seed, -1.0, 2.0)
    )
    np.testing.assert_array_equal(
        draws.categorical(logits(), seed),
        tf.random.stateless_categorical(logits(), 1, seed, tf.int32)[:, 0],
    )
