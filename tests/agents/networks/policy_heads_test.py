"""Protects the distributions: densities as SciPy has them, bounds kept, misfits named."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from dm_env import specs

from agents.networks.policy_heads import policy_head

BOUNDED = specs.BoundedArray([2], np.float32, [-1, 2], [1, 6])


def test_a_cut_gaussians_densities_are_those_of_scipy():
    head = policy_head(BOUNDED, stddev=0.7, agent="Test")
    features = tf.random.stateless_normal([50, 3], [0, 1])
    head(features)
    head.trainable_variables[-1].assign(tf.random.stateless_normal([3, 2], [0, 2]))
    distribution = head(features)
    actions = distribution.sample(seed=[0, 3])
    assert np.all(actions >= BOUNDED.minimum) and np.all(actions <= BOUNDED.maximum)

    centre, reach = np.array(distribution.mode()), np.array([1.0, 2.0])
    assert np.all(centre > BOUNDED.minimum) and np.all(centre < BOUNDED.maximum)
    low, high = ((bound - centre) / (0.7 * reach) for bound in (BOUNDED.minimum, BOUNDED.maximum))
    reference = scipy.stats.truncnorm(low, high, centre, 0.7 * reach)
    expected = reference.logpdf(actions).sum(-1)
    np.testing.assert_allclose(distribution.log_prob(actions), expected, rtol=1e-4, atol=1e-4)
    entropy = reference.entropy().sum(-1)
    np.testing.assert_allclose(distribution.entropy(), entropy, rtol=1e-3, atol=1e-3)
    ends = distribution.log_prob(tf.broadcast_to(BOUNDED.maximum, [50, 2]))
    assert np.all(np.isfinite(ends)), "a bound is an action too"


def test_discrete_actions_are_equally_likely_at_first():
    distribution = policy_head(specs.DiscreteArray(5), 1.0, "Test")(tf.ones([2, 3]))
    np.testing.assert_allclose(distribution.probs_parameter(), np.full([2, 5], 0.2), rtol=1e-6)
    assert distribution.sample(seed=[0, 0]).dtype == tf.int32


@pytest.mark.parametrize(
    "actions",
    [
        specs.BoundedArray([2], np.float32, [-1, -np.inf], [1, np.inf]),
        specs.BoundedArray([2], np.int32, 0, 3),
        specs.BoundedArray([2, 2], np.float32, 0, 1),
        specs.Array([2], np.float32),
    ],
)
def test_other_actions_are_one_line(actions):
    line = r"^Test needs one discrete action, or float32 \[A\] between finite bounds, got "
    with pytest.raises(ValueError, match=line):
        policy_head(actions, 1.0, "Test")
