"""Protects the torso's memory: many rows at once give what step after step gives."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf

from agents.networks.perception import Dense
from agents.recurrent.torso import RecurrentTorso, memory_spec

SEEN = tf.TensorSpec([3], tf.float32)
NUM_ACTIONS = 4


def make(frame_stack: int, core_size: int | None) -> RecurrentTorso:
    tf.random.set_seed(0)
    return RecurrentTorso(Dense((5,), "tanh"), frame_stack, core_size, NUM_ACTIONS, SEEN)


def draw(batch: int, length: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    rng = np.random.RandomState(seed)
    return (
        tf.constant(rng.normal(size=[batch, length, 3]), tf.float32),
        tf.constant(rng.randint(0, NUM_ACTIONS, [batch, length]), tf.int32),
        tf.constant(rng.uniform(size=[batch, length]) < 0.3),
    )


def stepped(torso: RecurrentTorso, state, seen, actions, starts):
    """Features [B, T, F] and memories behind each row, with resets as an actor's."""
    initial, features, states = torso.initial_state(seen.shape[0]), [], []
    for t in range(seen.shape[1]):
        first = starts[:, t]
        state = {
            k: tf.where(tf.reshape(first, [-1] + [1] * (v.shape.rank - 1)), initial[k], v)
            for k, v in state.items()
        }
        said, state = torso.step(seen[:, t], state)
        state = torso.remember(state, actions[:, t])
        features.append(said)
        states.append(state)
    return tf.stack(features, axis=1), states


@pytest.mark.parametrize(("frame_stack", "core_size"), [(1, None), (3, None), (1, 6), (3, 6)])
def test_many_rows_at_once_equal_step_after_step(frame_stack: int, core_size: int | None):
    torso = make(frame_stack, core_size)
    seen, actions, starts = draw(batch=4, length=9)
    whole, states = stepped(torso, torso.initial_state(4), seen, actions, starts)
    np.testing.assert_allclose(
        torso.unroll(seen, actions, starts, torso.initial_state(4)), whole, atol=1e-5
    )
    # From a memory on, and with rows that only warm it up.
    part = [x[:, 3:] for x in (seen, actions, starts)]
    np.testing.assert_allclose(torso.unroll(*part, states[2]), whole[:, 3:], atol=1e-5)
    np.testing.assert_allclose(torso.unroll(*part, states[2], burn_in=2), whole[:, 5:], atol=1e-5)


def test_no_gradient_goes_back_to_rows_that_warm_the_memory_up():
    torso = make(1, 6)
    seen, actions, starts = draw(batch=2, length=6)
    starts = tf.zeros_like(starts)
    with tf.GradientTape() as tape:
        tape.watch(seen)
        said = torso.unroll(seen, actions, starts, torso.initial_state(2), burn_in=3)
        total = tf.reduce_sum(said)
    gradient = tape.gradient(total, seen)
    assert said.shape == (2, 3, 6)
    assert not np.any(gradient[:, :3]) and np.all(np.any(gradient[:, 3:], axis=-1))


@pytest.mark.parametrize(("frame_stack", "core_size"), [(1, None), (3, None), (2, 6)])
def test_the_memory_is_what_its_spec_says(frame_stack: int, core_size: int | None):
    state = make(frame_stack, core_size).initial_state(2)
    spec = memory_spec(frame_stack, core_size, SEEN)
    assert {k: (v.dtype, v.shape[1:]) for k, v in state.items()} == {
        k: (v.dtype, v.shape) for k, v in spec.items()
    }
    assert bool(state) == (frame_stack > 1 or core_size is not None)
