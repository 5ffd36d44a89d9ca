"""Protects that a search finds what dynamic programming says: small problems, tic-tac-toe."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ops import mcts
from tests.ops.mcts import tictactoe
from tests.ops.mcts.models import HostModel, TableModel

BACKENDS = ("native", "tensorflow")


def layered_tables(seed, num_layers, width, num_actions):
    """A game of `num_layers` moves: random rewards; moves that end it, pass the turn, or neither.

    The last layer's states are terminal. No state's value is told beforehand.
    """
    rng = np.random.default_rng(seed)
    states, size = (num_layers + 1) * width, ((num_layers + 1) * width, num_actions)
    layer = np.arange(states) // width
    below = np.minimum(layer + 1, num_layers)[:, None] * width
    logits = np.zeros(size, np.float32)
    logits[layer == num_layers] = -np.inf
    return {
        "next_state": (below + rng.integers(0, width, size)).astype(np.int32),
        "reward": rng.uniform(-1, 1, size).astype(np.float32),
        "discount": rng.choice([0.0, 0.9, -1.0], size, p=[0.1, 0.5, 0.4]).astype(np.float32),
        "prior_logits": logits,
        "value": np.zeros(states, np.float32),
    }


def optimal_qvalues(tables, num_layers):
    """Q* of every state by backward induction: [S, A]."""
    value = np.zeros(len(tables["value"]))
    terminal = ~np.isfinite(tables["prior_logits"]).any(-1)
    for _ in range(num_layers):
        qvalues = tables["reward"] + tables["discount"] * value[tables["next_state"]]
        value = np.where(terminal, 0.0, qvalues.max(-1))
    return tables["reward"] + tables["discount"] * value[tables["next_state"]]


@pytest.mark.parametrize("backend, num_simulations, tolerance, policy", [
    ("native", 6000, 0.08, "muzero"),
    ("native", 6000, 0.08, "alphazero"),
    ("native", 6000, 0.08, "tree_min_max"),
    ("tensorflow", 1500, 0.15, "muzero"),
])  # fmt: skip
def test_a_search_converges_to_the_optimal_value(backend, num_simulations, tolerance, policy):
    seed, num_layers = 12, 2
    print("seed", seed)
    tables = layered_tables(seed, num_layers, width=8, num_actions=3)
    model, roots = TableModel(tables), tf.range(8)
    search = {
        "muzero": mcts.muzero_policy,
        "alphazero": lambda *a, **k: mcts.alphazero_policy(*a, min_value=-3, max_value=3, **k),
        "tree_min_max": lambda *a, **k: mcts.muzero_policy(
            *a, qtransform=mcts.qtransform_by_tree_min_max(), **k
        ),
    }[policy]
    run = tf.function(lambda: search(
        model.root(roots), model.step, num_simulations, temperature=0.0, seed=(0, 1),
        dirichlet_fraction=0.0, backend=backend,
    ))  # fmt: skip
    out = run()
    optimal = optimal_qvalues(tables, num_layers)[:8]
    found = out.search_tree.summary().qvalues.numpy()[np.arange(8), out.action]
    np.testing.assert_allclose(found, optimal.max(-1), atol=tolerance)
    np.testing.assert_array_equal(out.action, optimal.argmax(-1))


def test_gumbel_takes_the_best_of_the_actions_whose_values_it_knows():
    """Below the root it follows what it has seen: a problem of one move is what it must solve."""
    tables = layered_tables(12, 1, width=8, num_actions=20)
    model, optimal = TableModel(tables), optimal_qvalues(tables, 1)[:8]
    run = tf.function(lambda: mcts.gumbel_muzero_policy(
        model.root(tf.range(8)), model.step, 60, max_num_considered_actions=20,
        gumbel_scale=0.0, seed=(0, 1),
    ))  # fmt: skip
    out = run()
    np.testing.assert_array_equal(out.action, optimal.argmax(-1))
    found = out.search_tree.summary().qvalues.numpy().max(-1)
    np.testing.assert_allclose(found, optimal.max(-1), rtol=1e-6)


def assert_solved(boards, actions):
    wrong = [
        (board, int(action))
        for board, action in zip(boards, actions, strict=True)
        if int(action) not in tictactoe.best_actions(board)
    ]
    assert wrong == []


def test_tic_tac_toe_is_solved_from_every_position_after_two_moves():
    tables, rows = tictactoe.tables()
    assert len(rows) == 5478
    boards = tictactoe.after_two_moves()
    model = TableModel(tables)
    roots = tf.constant([rows[board] for board in boards])
    search = tf.function(lambda: mcts.alphazero_policy(
        model.root(roots), model.step, 2000, temperature=0.0, dirichlet_fraction=0.0, seed=(0, 1),
    ))  # fmt: skip
    out = search()
    assert len(boards) == 72
    assert_solved(boards, out.action)
    worth = np.array([tictactoe.negamax(board) for board in boards])
    found = out.search_tree.summary().qvalues.numpy()[np.arange(72), out.action]
    np.testing.assert_array_equal(np.sign(np.round(found, 1)) * (np.abs(found) > 0.5), worth)


class RolloutGame(HostModel):
    """A leaf is worth the mean of random games from it on."""

    def __init__(self, *args, seed):
        super().__init__(*args)
        self.rng = np.random.default_rng(seed)

    def answer(self, parent, action):
        after, (reward, discount, logits, _) = super().answer(parent, action)
        games = np.stack([self.play_out(after) for _ in range(4)])
        return after, (reward, discount, logits, games.mean(0))

    def play_out(self, state):
        """The outcome of one random game a state, for the player to move."""
        total, sign = np.zeros(state.shape, np.float32), np.ones(state.shape, np.float32)
        for _ in range(9):
            logits = self.tables["prior_logits"][state]
            action = np.argmax(logits + self.rng.gumbel(size=logits.shape), axis=-1)
            running = np.isfinite(logits).any(-1)
            total += np.where(running, sign * self.tables["reward"][state, action], 0.0)
            sign *= np.where(running, self.tables["discount"][state, action], 0.0)
            state = np.where(running, self.tables["next_state"][state, action], state)
        return total


def test_tic_tac_toe_is_solved_on_the_host_by_rollouts_with_walks_in_flight():
    seed = 3
    print("seed", seed)
    tables, rows = tictactoe.tables()
    boards = tictactoe.after_two_moves()
    game = RolloutGame(tables, [rows[board] for board in boards], 801, seed=seed)
    tree = mcts.Tree(game.root(), 800, dirichlet_fraction=0.0, backend="native")
    game.drive(tree, 100, walks=8)
    assert_solved(boards, tree.summary().visit_counts.argmax(-1))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("max_depth", [1, 3])
def test_no_walk_is_longer_than_max_depth(backend, max_depth):
    tables = layered_tables(13, 6, width=4, num_actions=2)
    model = TableModel(tables)
    run = tf.function(lambda: mcts.muzero_policy(
        model.root(tf.range(4)), model.step, 60, max_depth=max_depth, seed=(0, 1), backend=backend
    ))  # fmt: skip
    tree = run().search_tree
    parents, depth = tree.parents.numpy(), np.zeros(tree.parents.shape, int)
    for node in range(1, parents.shape[1]):
        above = np.maximum(parents[:, node], 0)
        depth[:, node] = (parents[:, node] >= 0) * (depth[np.arange(4), above] + 1)
    assert depth.max() == max_depth
    np.testing.assert_array_equal(tree.node_visits[:, 0], 61)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("discount", [0.0, -1.0])
def test_a_discount_ends_the_episode_or_changes_the_player(backend, discount):
    """One action, reward 1 each time, leaves worth 0.5: the backup by hand."""
    tables = {
        "next_state": np.array([[1], [2], [2]], np.int32),
        "reward": np.ones((3, 1), np.float32),
        "discount": np.full((3, 1), discount, np.float32),
        "prior_logits": np.zeros((3, 1), np.float32),
        "value": np.full(3, 0.5, np.float32),
    }
    model = TableModel(tables)
    run = tf.function(lambda: mcts.muzero_policy(
        model.root(tf.constant([0, 0])), model.step, 2, seed=(0, 1), backend=backend
    ))  # fmt: skip
    summary = run().search_tree.summary()
    first = 1.0 + discount * 0.5  # the return of the first walk from the root
    second = 1.0 + discount * (1.0 + discount * 0.5)
    np.testing.assert_allclose(summary.value, (0.5 + first + second) / 3, rtol=1e-6)
    middle = (0.5 + first) / 2
    np.testing.assert_allclose(summary.qvalues[:, 0], 1.0 + discount * middle, rtol=1e-6)
