"""What is written to replay is what the update reads: targets, context, ends of episodes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from agents.muzero.trajectories import positions, stacks
from agents.types import Trajectory
from pipelines.replay.server import Replay
from tests.agents.muzero import tiny

TABLE = "positions"


def written(episode: tiny.Episode) -> list[Trajectory]:
    """The items that an episode becomes, in the order of its positions."""
    config = dataclasses.replace(episode.config, replay_sampler="uniform")
    builder = tiny.builder(config)
    tables = builder.make_tables(tiny.spec(config))
    replay = Replay(tables)
    try:
        episode.add_to(builder.make_adder(replay.client))
        size = replay.size(TABLE)
        items = {}
        while len(items) < size:
            for sample in replay.client.sample_items(TABLE, 50):
                items[sample.info.key] = sample
    finally:
        replay.close()
    # Keys do not tell the order; the position's own observation does.
    row = config.context
    found = [Trajectory(*sample.data) for sample in items.values()]

    def position(item: Trajectory) -> int:
        seen = tf.nest.flatten(item.observation)[0][row]
        matches = [np.array_equal(seen, tf.nest.flatten(o)[0]) for o in episode.observations[:-1]]
        return matches.index(True)

    return sorted(found, key=position)


def targets_in_numpy(episode: tiny.Episode) -> np.ndarray:
    """Value targets, written out from the paper's formula."""
    config, length = episode.config, episode.length
    n = config.n_step or length
    result = np.zeros(length)
    for t in range(length):
        end = length if episode.over else length - 1
        factor, i = 1.0, t
        while i < min(t + n, end):
            result[t] += factor * episode.rewards[i]
            factor *= config.discount
            i += 1
        if i < length:  # Not past a true end, where nothing more can come.
            result[t] += factor * episode.values[i]
    return result


CASES = [
    (tiny.VECTORS, 9, True),
    (tiny.VECTORS, 9, False),
    (tiny.VECTORS, 1, True),
    (tiny.VECTORS, 1, False),
    (tiny.VECTORS, 2, True),
    (tiny.BOARD, 6, True),
    (tiny.ATARI, 7, True),
    (dataclasses.replace(tiny.VECTORS, reanalyze_fraction=0.5), 8, True),
]


@pytest.mark.parametrize(("config", "length", "over"), CASES)
def test_every_position_is_an_item_with_the_papers_targets(config, length, over):
    episode = tiny.Episode(config, length, over, seed=length)
    items = written(episode)
    assert len(items) == length
    expected, c = targets_in_numpy(episode), config.context
    for t, item in enumerate(items):
        assert item.reward.shape == (config.length,)
        for row in range(config.length):
            at = t + row - c
            extras = {name: values[row] for name, values in item.extras.items()}
            if 0 <= at < length:
                np.testing.assert_allclose(extras["value_target"], expected[at], atol=1e-5)
                np.testing.assert_array_equal(extras["search_policy"], episode.policies[at])
                assert item.reward[row] == episode.rewards[at]
                assert item.action[row] == episode.actions[at]
                assert extras["policy_weight"] == extras["value_weight"] == 1
            else:
                assert extras["value_target"] == item.reward[row] == 0
                assert extras["policy_weight"] == 0
                assert extras["value_weight"] == (1 if at >= length and over else 0)
            seen = tf.nest.flatten(item.observation)[0][row]
            if 0 <= at <= length:
                np.testing.assert_array_equal(seen, tf.nest.flatten(episode.observations[at])[0])
            else:
                assert not np.any(seen)
            assert item.start_of_episode[row] == (at == 0)


def test_the_update_reads_the_position_its_future_and_its_past():
    config = dataclasses.replace(tiny.ATARI, n_step=1, consistency_scale=2.0)
    episode = tiny.Episode(config, 7, over=True)
    items = written(episode)
    batch = tf.nest.map_structure(lambda *x: tf.constant(np.stack(x)), *items)
    data = positions(batch, config, tiny.NUM_ACTIONS, tf.constant([1, 2]))
    t = 3
    np.testing.assert_array_equal(data.observations[t], episode.observations[1:4])
    np.testing.assert_array_equal(data.past_actions[t], episode.actions[:3])
    np.testing.assert_array_equal(data.actions[t], episode.actions[3:6])
    np.testing.assert_array_equal(data.rewards[t], episode.rewards[3:6])
    np.testing.assert_array_equal(data.policy_targets[t], episode.policies[3:7])
    np.testing.assert_array_equal(data.policy_weights[6], [1, 0, 0, 0])
    np.testing.assert_array_equal(data.value_weights[6], [1, 1, 1, 1])
    np.testing.assert_array_equal(data.searched_at, [3] * 7)
    seen, led = (tf.reshape(x, [7, 3, *x.shape[1:]]) for x in data.later)
    for k in range(3):
        np.testing.assert_array_equal(seen[t, k], episode.observations[t + k - 1 : t + k + 2])
        np.testing.assert_array_equal(led[t, k], episode.actions[t + k - 2 : t + k + 1])
    # At the start nothing was seen before: zeros.
    assert not np.any(data.observations[0][:2]) and not np.any(data.past_actions[0])


def test_actions_behind_the_end_are_random_and_legal_numbers():
    config = tiny.VECTORS
    items = written(tiny.Episode(config, 2, over=True))
    batch = tf.nest.map_structure(lambda *x: tf.constant(np.stack(x * 50)), items[1])
    data = positions(batch, config, tiny.NUM_ACTIONS, tf.constant([0, 0]))
    behind = data.actions.numpy()[:, 1:]
    assert set(behind.ravel()) == set(range(tiny.NUM_ACTIONS))
    assert np.all(data.actions[:, 0] == items[1].action[0])


def test_stacks_of_several_rows_are_each_rows_own():
    batch = tiny.random_batch(tiny.ATARI, size=2)
    rows = tf.constant([[3, 4], [4, 5]])
    observations, past = stacks(batch, rows, 3)
    np.testing.assert_array_equal(observations[1], batch.observation[0, 2:5])
    np.testing.assert_array_equal(past[1], batch.action[0, 1:4])
    np.testing.assert_array_equal(observations[2], batch.observation[1, 2:5])
    np.testing.assert_array_equal(past[3], batch.action[1, 2:5])


def test_priorities_are_the_distance_of_search_value_and_target():
    config = tiny.VECTORS
    episode = tiny.Episode(config, 5, over=True)
    builder = tiny.builder(config)
    replay = Replay(builder.make_tables(tiny.spec(config)))
    try:
        episode.add_to(builder.make_adder(replay.client))
        samples = replay.client.sample_items(TABLE, 200)
    finally:
        replay.close()
    found = sorted({round(float(sample.info.priority), 5) for sample in samples})
    expected = np.abs(episode.values - targets_in_numpy(episode)) + config.min_priority
    np.testing.assert_allclose(found, sorted(expected), atol=2e-5)


def test_mirroring_turns_boards_actions_and_policies_of_half_of_the_positions_together():
    config = dataclasses.replace(tiny.BOARD, action_planes="columns", consistency_scale=2.0)
    batch = tiny.random_batch(config, size=64, seed=5)
    seed = tf.constant([3, 4])
    plain = positions(batch, config, tiny.NUM_ACTIONS, seed)
    data = positions(batch, dataclasses.replace(config, mirror=True), tiny.NUM_ACTIONS, seed)
    turned = np.any(data.policy_targets != plain.policy_targets, axis=(1, 2))
    assert 16 < np.count_nonzero(turned) < 48
    for row in range(64):
        forwards = slice(None, None, -1 if turned[row] else None)
        last = tiny.NUM_ACTIONS - 1
        actions = last - plain.actions[row] if turned[row] else plain.actions[row]
        np.testing.assert_array_equal(data.actions[row], actions)
        np.testing.assert_array_equal(
            data.policy_targets[row], plain.policy_targets[row].numpy()[:, forwards]
        )
        np.testing.assert_array_equal(
            data.observations[row], plain.observations[row].numpy()[:, :, forwards]
        )
        later = slice(config.unroll_steps * row, config.unroll_steps * (row + 1))
        np.testing.assert_array_equal(
            data.later[0][later], plain.later[0][later].numpy()[:, :, :, forwards]
        )
    for name in ("rewards", "value_targets", "policy_weights", "value_weights", "searched_at"):
        np.testing.assert_array_equal(getattr(data, name), getattr(plain, name))
