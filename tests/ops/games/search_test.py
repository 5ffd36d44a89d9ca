"""Protects that rules serve a search as its model: the whole search in one graph, saved or not."""

from __future__ import annotations

import re

import numpy as np
import pytest
import tensorflow as tf

from ops import games, loader, mcts
from tests.ops.mcts import tictactoe

BACKENDS = ("native", "tensorflow")


def model_of(rules: games.Rules):
    """(root_fn, recurrent_fn) of a network that knows nothing: uniform priors, value 0."""

    def logits_of(legal):
        return tf.where(legal, 0.0, -float("inf"))

    def root_fn(state):
        return mcts.RootFnOutput(
            logits_of(rules.legal(state)), tf.zeros_like(state[:, 0], tf.float32), state
        )

    def recurrent_fn(action, state):
        state, reward, discount, legal = rules.step(state, action)
        value = tf.zeros_like(reward)
        return mcts.RecurrentFnOutput(reward, discount, logits_of(legal), value), state

    return root_fn, recurrent_fn


def searched(rules: games.Rules, num_simulations: int, **options):
    """state [B, S] -> PolicyOutput, as a graph."""
    root_fn, recurrent_fn = model_of(rules)

    @tf.function
    def search(state):
        return mcts.alphazero_policy(
            root_fn(state),
            recurrent_fn,
            num_simulations,
            dirichlet_fraction=0.0,
            temperature=0.0,
            seed=(0, 1),
            **options,
        )

    return search


def after_two_moves(rules: games.Rules) -> tuple[tf.Tensor, list[tuple[int, ...]]]:
    """Tic-tac-toe after two moves, the first at a corner, an edge or the centre: states [24, S],
    and tictactoe's boards.
    """
    pairs = [(a, b) for a in (0, 1, 4) for b in range(9) if a != b]
    state = rules.initial(len(pairs))
    for moves in zip(*pairs, strict=True):
        state = rules.step(state, np.array(moves, np.int32)).state
    return state, [tictactoe.move(tictactoe.move(tictactoe.EMPTY, a), b) for a, b in pairs]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_search_over_the_rules_plays_tic_tac_toe_perfectly(backend):
    rules = games.make("tic_tac_toe", backend=backend)
    state, boards = after_two_moves(rules)
    actions = searched(rules, 1200)(state).action.numpy()
    for board, action in zip(boards, actions, strict=True):
        assert -tictactoe.negamax(tictactoe.move(board, int(action))) == tictactoe.negamax(board)


@pytest.mark.parametrize(("name", "options"), [("go", {"size": 5}), ("connect_four", {})])
def test_every_node_holds_the_state_that_its_actions_lead_to(name, options):
    rules = games.make(name, **options)
    state = rules.initial(2)
    tree = searched(rules, 60)(state).search_tree
    parents, actions = tree.parents.numpy(), tree.action_from_parent.numpy()
    embeddings, step = tree.embeddings.numpy(), tf.function(rules.step)
    assert (embeddings[:, 0] == state.numpy()).all()
    for node in range(1, 61):
        before = embeddings[np.arange(2), parents[:, node]]
        after = step(tf.constant(before), tf.constant(actions[:, node])).state.numpy()
        assert (after == embeddings[:, node]).all()
    assert len(np.unique(embeddings[0], axis=0)) > 50


def test_a_tree_goes_on_from_the_move_that_was_played():
    rules = games.make("connect_four")
    state, search = rules.initial(2), searched(rules, 80)
    found = search(state)
    kept = mcts.reroot(found.search_tree, found.action, 80)
    after = rules.step(state, found.action).state
    assert (kept.embeddings[:, 0].numpy() == after.numpy()).all()
    assert (kept.summary().visit_counts.numpy().sum(axis=1) > 5).all()


def test_a_portable_saved_model_searches_by_itself(tmp_path):
    rules = games.make("connect_four")
    module = tf.Module()
    shape = tf.TensorSpec([None, rules.state_size], tf.uint8)
    root_fn, recurrent_fn = model_of(rules)
    with loader.portable():
        module.act = tf.function(
            lambda state: (
                mcts.alphazero_policy(
                    root_fn(state),
                    recurrent_fn,
                    40,
                    dirichlet_fraction=0.0,
                    temperature=0.0,
                    seed=(0, 1),
                ).action
            ),
            input_signature=[shape],
        )
        tf.saved_model.save(module, str(tmp_path))
    # Three in a row of the mover's own: it wins.
    state = rules.initial(1)
    for column in (2, 2, 3, 3, 4, 4):
        state = rules.step(state, [column]).state
    loaded = tf.saved_model.load(str(tmp_path)).act
    assert loaded(state).numpy()[0] in (1, 5)
    graph = loaded.concrete_functions[0].graph.as_graph_def()
    functions = [function.node_def for function in graph.library.function]
    names = {node.op for nodes in (graph.node, *functions) for node in nodes}
    assert not [name for name in names if name.startswith("Lookahead")]


def test_go_says_that_it_has_no_portable_rules():
    rules = games.make("go", size=9)
    state = rules.initial(1)
    said = "this graph is for plain TensorFlow, but go has native rules alone, unlike tic_tac_toe"
    with loader.portable(), pytest.raises(ValueError, match=re.escape(said)):
        rules.legal(state)
    with pytest.raises(ValueError, match=re.escape(said)):
        tf.function(rules.legal, jit_compile=True)(state)
