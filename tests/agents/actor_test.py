from __future__ import annotations

import dm_env
import numpy as np
import pytest
import tensorflow as tf

from agents.actor import Actor, Step
from agents.policy import Policy
from tests.agents import board

FIRST, MID, LAST = dm_env.StepType.FIRST, dm_env.StepType.MID, dm_env.StepType.LAST


class CountingPolicy(Policy):
    """Acts with the steps since each row's start; remembers the seeds that it was given."""

    def __init__(self) -> None:
        super().__init__(name="counting")
        self.observation_spec = self.action_spec = tf.TensorSpec([1], tf.float32)
        self.seeds = []

    def initial_state(self, batch_size):
        return {"count": tf.zeros([batch_size, 1]), "grid": tf.zeros([batch_size, 2, 2])}

    def step(self, observation, state, seed):
        self.seeds.append(tuple(seed.numpy()))
        state = tf.nest.map_structure(lambda values: values + 1, state)
        return state["count"] + 100 * observation, state, {}


class RecordingAdder:
    def __init__(self) -> None:
        self.calls = []

    def add_first(self, timestep) -> None:
        self.calls.append(("first", timestep.observation[0]))

    def add(self, action, next_timestep, *extras) -> None:
        self.calls.append(("add", action[0], next_timestep.observation[0], *extras))

    def reset(self) -> None:
        self.calls.append(("reset",))


class ExplainingPolicy(CountingPolicy):
    """Says how far each row is, as a search says what it saw."""

    def step(self, observation, state, seed):
        action, state, _ = super().step(observation, state, seed)
        info = {"grid": state["grid"], "count": state["count"][:, 0], "unasked": seed}
        return action, state, info


def timesteps(*kinds: dm_env.StepType, observation: float = 0.0) -> list[dm_env.TimeStep]:
    values = np.full([1], observation, np.float32)
    return [dm_env.TimeStep(kind, 0.0, 1.0, values) for kind in kinds]


def test_rows_start_again_where_an_episode_starts():
    actor = Actor(CountingPolicy(), batch_size=3, seed=4)
    np.testing.assert_array_equal(
        actor.select_action(timesteps(FIRST, FIRST, FIRST)), [[1], [1], [1]]
    )
    np.testing.assert_array_equal(actor.select_action(timesteps(MID, FIRST, MID)), [[2], [1], [2]])
    np.testing.assert_array_equal(actor.select_action(timesteps(MID, MID, LAST)), [[3], [2], [3]])


def test_observations_reach_the_policy():
    actor = Actor(CountingPolicy(), batch_size=1, seed=4)
    np.testing.assert_array_equal(actor.select_action(timesteps(FIRST, observation=2)), [[201]])


def test_nests_of_observations_reach_the_policy_leaf_by_leaf():
    policy, rng = board.BoardPolicy(), np.random.RandomState(0)
    rows = [
        {"board": rng.rand(3, 3, 3).astype(np.float32), "legal_actions": np.arange(9) == row}
        for row in (2, 7)
    ]
    adder = RecordingAdder()
    actor = Actor(policy, 2, seed=4, adders=[adder, adder], extras=["scores"])
    np.testing.assert_array_equal(actor.select_action([*map(dm_env.restart, rows)]), [2, 7])
    actor.observe(1, Step(np.array([7]), actor.recorded(1), timesteps(MID)[0]))
    ((*_, extras),) = adder.calls
    expected = rows[1]["board"].ravel() @ policy.weights.numpy()
    np.testing.assert_allclose(extras["scores"], expected, rtol=1e-4)


def test_each_call_has_a_seed_of_its_own_that_counter_and_seed_decide():
    policy = CountingPolicy()
    actor = Actor(policy, batch_size=1, seed=4)
    for _ in range(3):
        actor.select_action(timesteps(FIRST))
    resumed = Actor(policy, batch_size=1, seed=4)
    resumed.calls = actor.calls
    resumed.select_action(timesteps(FIRST))
    assert policy.seeds == [(4, 0), (4, 1), (4, 2), (4, 3)]


def test_a_state_that_is_restored_goes_on_as_it_would_have():
    policy = ExplainingPolicy()
    actor = Actor(policy, 2, seed=4, extras=("grid",))
    for kind in (FIRST, MID, MID):
        actor.select_action(timesteps(kind, kind))
    resumed = Actor(policy, 2, seed=4, extras=("grid",))
    resumed.restore(actor.state())
    for _ in range(2):
        expected, found = (a.select_action(timesteps(MID, FIRST)) for a in (actor, resumed))
        np.testing.assert_array_equal(expected, found)
        np.testing.assert_array_equal(actor.recorded(1)["grid"], resumed.recorded(1)["grid"])


def test_another_policys_state_is_refused():
    state = Actor(CountingPolicy(), 2, seed=4).state()
    with pytest.raises(ValueError, match="other shapes"):
        Actor(CountingPolicy(), 3, seed=4).restore(state)


def test_an_idle_rows_state_stays_as_it_is():
    actor = Actor(CountingPolicy(), 2, seed=4)
    actor.select_action(timesteps(FIRST, FIRST))
    actor.select_action(timesteps(MID, MID), [True, False])
    np.testing.assert_array_equal(actor.select_action(timesteps(MID, MID)), [[3], [2]])
    actor.select_action(timesteps(MID, FIRST), [True, False])
    np.testing.assert_array_equal(actor.select_action(timesteps(MID, MID)), [[5], [1]])


def test_a_policy_that_skips_idle_rows_is_told_them():
    class Skipping(CountingPolicy):
        skips_idle_rows = True

        def step(self, observation, state, seed, active):
            self.active = active.numpy().tolist()
            return super().step(observation, state, seed)

    policy = Skipping()
    actor = Actor(policy, 2, seed=4)
    actor.select_action(timesteps(FIRST, FIRST), [False, True])
    assert policy.active == [False, True]
    actor.select_action(timesteps(MID, MID))
    assert policy.active == [True, True]


def test_nests_that_a_policy_records_come_row_by_row():
    class Nested(CountingPolicy):
        def step(self, observation, state, seed):
            action, state, _ = super().step(observation, state, seed)
            return action, state, {"core": (state["count"], {"grid": state["grid"]})}

    actor = Actor(Nested(), 2, seed=4, extras=("core",))
    actor.select_action(timesteps(FIRST, FIRST))
    count, rest = actor.recorded(1)["core"]
    np.testing.assert_array_equal(count, [1])
    np.testing.assert_array_equal(rest["grid"], np.ones([2, 2]))


def test_what_happens_in_a_row_is_written_by_its_adder():
    adders = [RecordingAdder(), RecordingAdder()]
    actor = Actor(CountingPolicy(), batch_size=2, seed=4, adders=adders)
    first, last = timesteps(FIRST, LAST, observation=5)
    actor.observe_first(1, first)
    actor.observe(1, Step(np.array([0.5]), {}, last))
    assert adders[0].calls == []
    assert adders[1].calls == [("first", 5.0), ("add", 0.5, 5.0)]


def test_what_the_policy_says_is_written_row_by_row_where_it_is_named():
    adders = [RecordingAdder(), RecordingAdder()]
    actor = Actor(ExplainingPolicy(), 2, 4, adders=adders, extras=("grid", "count"))
    actor.select_action(timesteps(FIRST, FIRST))
    actions = actor.select_action(timesteps(MID, FIRST))
    for row, timestep in enumerate(timesteps(MID, MID)):
        actor.observe(row, Step(actions[row], actor.recorded(row), timestep))
    for adder, count in zip(adders, (2, 1), strict=True):
        ((*_, extras),) = adder.calls
        assert set(extras) == {"grid", "count"}
        assert extras["count"].dtype == np.float32 and extras["count"] == count
        np.testing.assert_array_equal(extras["grid"], np.full([2, 2], count))


def test_abandon_forgets_the_episodes_in_progress():
    adders = [RecordingAdder(), RecordingAdder()]
    actor = Actor(CountingPolicy(), batch_size=2, seed=4, adders=adders)
    actor.select_action(timesteps(FIRST, FIRST))
    actor.abandon()
    assert [adder.calls for adder in adders] == [[("reset",)], [("reset",)]]
    np.testing.assert_array_equal(actor.select_action(timesteps(MID, MID)), [[1], [1]])


def test_without_adders_nothing_is_written():
    actor = Actor(CountingPolicy(), batch_size=1, seed=4)
    (first,) = timesteps(FIRST)
    actor.observe_first(0, first)
    actor.observe(0, Step(np.zeros([1]), {}, first))
    actor.abandon()
    assert actor.calls == 0


def test_adders_of_another_number_are_refused():
    with pytest.raises(ValueError, match="got 1 adders, expected one for each of 2"):
        Actor(CountingPolicy(), batch_size=2, seed=4, adders=[RecordingAdder()])
