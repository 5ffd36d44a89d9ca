"""Protects symmetries: boards and what is said of actions turn together, and games stay games."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents.boards.symmetries import misfit, turned_at_random, turned_states
from ops import games
from ops.games.host import HostRules

SEED = tf.constant([3, 4])


def all_of_a_square(board: np.ndarray) -> list[np.ndarray]:
    """The eight, by NumPy."""
    turned = [np.rot90(board, k) for k in range(4)]
    return turned + [turn[:, ::-1] for turn in turned]


def test_a_square_is_turned_in_all_eight_ways_and_policies_with_it():
    board = np.arange(9, dtype=np.float32).reshape(3, 3)
    planes = tf.constant(np.tile(board[None, :, :, None], (200, 1, 1, 1)))
    policies = tf.constant(np.tile(np.append(board.ravel(), 77.0), (200, 1)), tf.float32)
    legal = policies > 4
    turned, (moved, allowed) = turned_at_random("dihedral", planes, [policies, legal], SEED)
    found = {turn.numpy().tobytes() for turn in turned[..., 0]}
    assert found == {np.ascontiguousarray(turn).tobytes() for turn in all_of_a_square(board)}
    np.testing.assert_array_equal(moved[:, :9], tf.reshape(turned, [200, 9]))
    np.testing.assert_array_equal(moved[:, 9], np.full(200, 77.0))  # A pass stays a pass.
    np.testing.assert_array_equal(allowed, moved > 4)


def test_a_mirror_turns_columns_and_half_of_the_rows():
    planes = tf.random.stateless_uniform([100, 2, 4, 3], SEED)
    policies = tf.random.stateless_uniform([100, 4], SEED)
    turned, (moved,) = turned_at_random("mirror", planes, [policies], SEED)
    changed = np.any(moved != policies, axis=1)
    assert 30 < np.count_nonzero(changed) < 70
    for row in range(100):
        step = -1 if changed[row] else 1
        np.testing.assert_array_equal(turned[row], planes[row].numpy()[:, ::step])
        np.testing.assert_array_equal(moved[row], policies[row].numpy()[::step])


def test_none_changes_nothing():
    planes, policies = tf.random.normal([5, 2, 2, 1]), tf.random.normal([5, 4])
    turned, (moved,) = turned_at_random("none", planes, [policies], SEED)
    assert turned is planes and moved is policies


def test_packed_states_are_turned_as_boards_are():
    """With the boards before, and who is to move."""
    rules, rng = games.make("go", size=5), np.random.RandomState(0)
    host = HostRules(rules)
    state = host.initial(40)
    for _ in range(7):
        scores = rng.uniform(size=(40, 26)) * host.legal(state)
        state = host.step(state, scores.argmax(axis=1))[0]
    moves = tf.one_hot(rng.randint(0, 26, 40), 26)
    turned, moved = turned_states("dihedral", tf.constant(state), moves, rules.options, SEED)
    planes, (policies,) = turned_at_random("dihedral", rules.observe(state), [moves], SEED)
    np.testing.assert_array_equal(rules.observe(turned), planes)
    np.testing.assert_array_equal(moved, policies)
    np.testing.assert_array_equal(rules.to_play(turned), rules.to_play(state))
    assert np.any(turned.numpy() != state)


@pytest.mark.parametrize(
    ("kind", "shape", "num_actions", "fits"),
    [
        ("none", (8, 8), 4674, True),
        ("mirror", (8, 8), 4674, False),
        ("mirror", (6, 7), 7, True),
        ("dihedral", (6, 7), 7, False),
        ("dihedral", (6, 7), 42, False),
        ("dihedral", (5, 5), 26, True),
        ("dihedral", (3, 3), 9, True),
        ("dihedral", (3, 3), 3, False),
    ],
)
def test_a_game_that_has_no_such_symmetries_is_told(kind, shape, num_actions, fits):
    assert (misfit(kind, shape, num_actions) is None) == fits
