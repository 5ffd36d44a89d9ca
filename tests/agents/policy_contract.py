"""What loops, evaluation and export rely on in every policy; each policy's test inherits it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from agents.policy import Policy


class PolicyContract:
    """Subclasses say how to make the policy under test.

    Attributes:
      low, high: bounds of the actions, both included.
      reads_observations: whether the action depends on them.
    """

    low: Any
    high: Any
    reads_observations = True

    def make(self) -> Policy:
        raise AssertionError("a subclass makes its policy here")

    @pytest.fixture(scope="class")
    def policy(self, request) -> Policy:
        return request.cls().make()

    def test_actions_fit_their_spec_whatever_the_batch(self, policy: Policy) -> None:
        for batch_size in (1, 3):
            state = policy.initial_state(batch_size)
            for t in range(2):
                action, state, info = policy.step(
                    observe(policy, batch_size, t), state, tf.constant([0, t])
                )
                assert action.shape == (batch_size, *policy.action_spec.shape)
                assert action.dtype == policy.action_spec.dtype
                assert np.all(action >= self.low) and np.all(action <= self.high)
                assert all(values.shape[0] == batch_size for values in tf.nest.flatten(info))

    def test_the_state_keeps_its_nest(self, policy: Policy) -> None:
        start = policy.initial_state(3)
        _, state, _ = policy.step(observe(policy, 3), start, tf.constant([0, 0]))
        tf.nest.assert_same_structure(start, state)
        for before, after in zip(tf.nest.flatten(start), tf.nest.flatten(state), strict=True):
            assert before.shape == after.shape and before.shape[0] == 3
            assert before.dtype == after.dtype

    def test_the_batch_size_may_be_a_tensor(self, policy: Policy) -> None:
        start = tf.nest.flatten(policy.initial_state(2))
        for known, asked in zip(
            start, tf.nest.flatten(policy.initial_state(tf.constant(2))), strict=True
        ):
            np.testing.assert_array_equal(known, asked)

    def test_the_seed_decides_the_action(self, policy: Policy) -> None:
        observation, state = observe(policy, 3), policy.initial_state(3)
        first, again, other = (
            policy.step(observation, state, tf.constant([7, calls]))[0].numpy()
            for calls in (1, 1, 2)
        )
        np.testing.assert_array_equal(first, again)
        assert np.any(first != other)

    def test_whatever_it_reads_is_among_its_variables(self, policy: Policy) -> None:
        inputs = observe(policy, 3), policy.initial_state(3), tf.constant([7, 1])
        read = policy.step.get_concrete_function(*inputs).captured_inputs
        known = {id(variable.handle) for variable in policy.variables}
        unknown = [x for x in read if x.dtype == tf.resource and id(x) not in known]
        assert not unknown, "who acts in another process is given its variables, and no others"

    def test_rows_do_not_see_each_other(self, policy: Policy) -> None:
        observation, state = observe(policy, 3), policy.initial_state(3)
        _, state, _ = policy.step(observation, state, tf.constant([0, 0]))
        alone = policy.step(observation, state, tf.constant([0, 1]))
        changed = tf.nest.map_structure(_with_another_last_row, observation)
        state = tf.nest.map_structure(lambda x: tf.concat([x[:2], _another(x[2:])], 0), state)
        beside = policy.step(changed, state, tf.constant([0, 1]))
        for ours, theirs in zip(tf.nest.flatten(alone), tf.nest.flatten(beside), strict=True):
            np.testing.assert_allclose(ours[:2], theirs[:2], atol=1e-4)
        if self.reads_observations:
            said = zip(
                *(tf.nest.flatten([step[0], step[2]]) for step in (alone, beside)), strict=True
            )
            assert any(np.any(ours[2] != theirs[2]) for ours, theirs in said)


def observe(policy: Policy, batch_size: int, seed: int = 0) -> Any:
    """Random observations [B, …] of the policy's spec; of truths, one at least holds in a row."""
    rng = np.random.RandomState(seed)
    return tf.nest.map_structure(
        lambda spec: tf.constant(_draw(rng, [batch_size, *spec.shape], spec.dtype), spec.dtype),
        policy.observation_spec,
    )


def _draw(rng: np.random.RandomState, shape: list[int], dtype: tf.DType) -> np.ndarray:
    if dtype.is_floating:
        return rng.normal(size=shape)
    if not dtype.is_bool:
        return rng.randint(0, 256, shape)
    truths = rng.randint(0, 2, shape).reshape([shape[0], -1])
    truths[np.arange(shape[0]), rng.randint(0, truths.shape[1], shape[0])] = 1
    return truths.reshape(shape).astype(bool)


def _with_another_last_row(observation: tf.Tensor) -> tf.Tensor:
    changed = np.array(observation)
    changed[-1] = np.flip(changed[-1])
    if changed.dtype != bool:
        changed[-1] += 1
    return tf.constant(changed)


def _another(values: tf.Tensor) -> tf.Tensor:
    if values.dtype.is_bool:
        return tf.logical_not(values)
    return values + (0.5 if values.dtype.is_floating else 1)
