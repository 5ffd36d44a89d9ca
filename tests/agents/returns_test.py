"""n-step returns equal sums written out one by one."""

from __future__ import annotations

import itertools
import os

import numpy as np
import pytest
import tensorflow as tf

from agents.returns import (
    episode_returns,
    generalised_advantages,
    last_rows,
    n_step_returns,
)


def written_out(rewards, discounts, values, n):
    length = len(rewards)
    result = np.zeros(length)
    for t in range(length):
        factor, end = 1.0, min(t + n, length)
        for i in range(t, end):
            result[t] += factor * rewards[i]
            factor *= discounts[i]
        result[t] += factor * values[end]
    return result


@pytest.mark.parametrize("n", [1, 3, 7, 20, None])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_returns_equal_the_sums(n: int | None, sign: float):
    rng = np.random.RandomState(7)
    batch, length = 3, 7
    rewards, values = rng.normal(size=[batch, length]), rng.normal(size=[batch, length + 1])
    discounts = sign * rng.uniform(0.5, 1, [batch, length])
    discounts[1, 4] = 0.0  # An episode that ends on the way.
    actual = n_step_returns(*map(tf.constant, (rewards, discounts, values)), n)
    expected = [written_out(rewards[b], discounts[b], values[b], n or length) for b in range(batch)]
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_players_in_turn_see_the_outcome_with_opposite_signs():
    rewards, discounts = tf.constant([[0.0, 0, 0, 1]]), tf.constant([[-1.0, -1, -1, 0]])
    np.testing.assert_array_equal(
        n_step_returns(rewards, discounts, tf.zeros([1, 5]), None), [[-1, 1, -1, 1]]
    )


@pytest.mark.parametrize(("n", "values", "message"), [(0, 4, "n is 0"), (1, 3, "3 values")])
def test_wrong_arguments_are_named(n: int, values: int, message: str):
    with pytest.raises(ValueError, match=message):
        n_step_returns(tf.zeros([1, 3]), tf.zeros([1, 3]), tf.zeros([1, values]), n)


def test_returns_over_whole_episodes_equal_the_sums():
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    rng = np.random.RandomState(seed)
    lengths = rng.randint(1, 8, 5)
    rows = sum(lengths) + 5
    rewards, discounts, values = (rng.uniform(-1, 1, rows) for _ in range(3))
    ends = np.cumsum(lengths + 1)
    start = np.isin(np.arange(rows), [0, *ends[:-1]])
    expected = []
    for end, length in zip(ends, lengths, strict=True):
        steps = slice(end - 1 - length, end - 1)
        following = np.zeros(length + 1)
        following[-1] = values[end - 1]
        found = written_out(rewards[steps], discounts[steps], following, length)
        expected += [*found, values[end - 1]]
    floats = [tf.constant(x, tf.float32) for x in (rewards, discounts, values)]
    actual = episode_returns(*floats[:2], tf.constant(start), floats[2])
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(np.flatnonzero(last_rows(tf.constant(start))), ends - 1)


@pytest.mark.parametrize("trace", [0.0, 0.7, 1.0])
def test_generalised_advantages_equal_those_written_out(trace):
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    rng = np.random.RandomState(seed)
    rewards, discounts = rng.normal(size=[3, 9]), rng.uniform(0, 1, [3, 9])
    values, final = rng.normal(size=[3, 10]), rng.uniform(size=[3, 9]) < 0.3
    expected = np.zeros([3, 10])
    for b, t in itertools.product(range(3), reversed(range(9))):
        if not final[b, t]:
            error = rewards[b, t] + discounts[b, t] * values[b, t + 1] - values[b, t]
            expected[b, t] = error + trace * discounts[b, t] * expected[b, t + 1]
    inputs = [tf.constant(x, tf.float32) for x in (rewards, discounts, values)]
    found = generalised_advantages(*inputs, tf.constant(final), trace)
    np.testing.assert_allclose(found, expected[:, :-1], rtol=1e-4, atol=1e-5)
