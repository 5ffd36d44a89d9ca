"""Protects SimPLe's policy: it sees a stack of frames, and draws unless it is judged."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from agents.builder import Role
from agents.frame_stacking import into_channels
from tests.agents.policy_contract import PolicyContract, observe
from tests.agents.simple import tiny


def policy_of(evaluation: bool = False, **changes):
    made = tiny.builder(**changes)
    networks = tiny.networks_of(made)
    return made.make_policy(networks, tiny.SPEC, Role(evaluation=evaluation)), networks


class TestSimPLePolicy(PolicyContract):
    low, high = 0, tiny.NUM_ACTIONS - 1

    def make(self):
        return policy_of()[0]

    def test_the_seed_decides_the_action(self, policy) -> None:
        """Of more rows, since the policy may be sure of some."""
        observation, state = observe(policy, 64), policy.initial_state(64)
        first, again, other = (
            policy.step(observation, state, tf.constant([7, n]))[0] for n in (1, 1, 2)
        )
        np.testing.assert_array_equal(first, again)
        assert np.any(first != other)


def test_it_acts_by_the_last_frames_as_the_imagined_rows_show_them(rng):
    policy, networks = policy_of(evaluation=True)
    frames = tf.constant(tiny.frames(rng, 3, 4))
    state = policy.initial_state(4)
    for t in range(3):
        action, state, info = policy.step(frames[t], state, tf.constant([0, t]))
    expected = networks.policy.acting(into_channels(tf.stack([frames[1], frames[2]], axis=1)))
    np.testing.assert_array_equal(action, expected.mode())
    np.testing.assert_allclose(info["log_prob"], expected.log_prob(action), rtol=1e-4, atol=1e-5)


def test_a_share_of_the_collected_actions_may_be_random(rng):
    frame = tf.repeat(tf.constant(tiny.frames(rng, 1)), 3000, axis=0)
    drawn = {}
    for share in (0.0, 1.0):
        policy, networks = policy_of(random_share=share)
        action, _, _ = policy.step(frame, policy.initial_state(3000), tf.constant([0, 0]))
        drawn[share] = np.bincount(action, minlength=3) / 3000
    stack = tf.stack([tf.zeros_like(frame[:1]), frame[:1]], axis=1)
    expected = networks.policy.acting(into_channels(stack)).probs_parameter()[0]
    np.testing.assert_allclose(drawn[0.0], expected, atol=0.05)
    np.testing.assert_allclose(drawn[1.0], [1 / 3] * 3, atol=0.05)
