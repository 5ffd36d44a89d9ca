"""Protects the root's prior: noise and prior over the legal actions, whoever asks for a search."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ops import mcts
from tests.ops.mcts.models import TableModel, random_tables

BACKENDS = ("native", "tensorflow")
B, A = 3, 7


def still(action, state):
    """A model in which nothing happens."""
    zeros = tf.zeros(tf.shape(action))
    logits = tf.zeros([tf.shape(action)[0], A])
    return mcts.RecurrentFnOutput(zeros, zeros + 1.0, logits, zeros), state


def root_of(logits):
    logits = tf.constant(logits, tf.float32)
    return mcts.RootFnOutput(logits, tf.zeros(logits.shape[:1]), tf.zeros(logits.shape[:1]))


def prior_of(tree):
    """What a search's root mixed, before its softmax: [B, A]."""
    return np.exp(tree.children_prior_logits.numpy()[:, 0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_prior_is_masked_before_it_becomes_probabilities(backend):
    """The legal ones' are far below the least number of float32."""

    def model(action, state):
        step, state = still(action, state)
        return step._replace(prior_logits=tf.zeros([tf.shape(action)[0], 3])), state

    logits = [[100.0, 0.0, 5.0], [1e30, 0.0, 5.0]]
    search = tf.function(lambda fraction: mcts.muzero_policy(
        root_of(logits), model, 32, [[1, 0, 0]] * 2, dirichlet_fraction=fraction, backend=backend
    ).search_tree.summary().visit_counts)  # fmt: skip
    for fraction in (0.0, tf.constant(0.0)):
        np.testing.assert_array_equal(search(fraction), [[0, 0, 32]] * 2)


def test_noise_over_two_legal_actions_is_shared_by_the_two():
    num_actions, seed = 362, (5, 6)
    print("seed", seed)
    logits = np.full((2048, num_actions), 0.0, np.float32)
    logits[:, 0] = 100.0
    mask = np.arange(num_actions)[None] > 1
    root = root_of(logits)
    out = mcts.muzero_policy(root, still, 0, np.tile(mask, (2048, 1)), seed=seed)
    prior = prior_of(out.search_tree)
    np.testing.assert_allclose(prior[:, :2].sum(1), 1.0, atol=1e-5)
    np.testing.assert_allclose(prior[:, 1].mean(), 0.25 * 0.5, atol=0.01)
    np.testing.assert_array_equal(prior[:, 2:], 0.0)


def trees_with_noise(backend, mask):
    """Of each way to begin a search: the tree at its start or after a walk."""
    model = TableModel(random_tables(4, num_states=30, num_actions=A, discounts=(0.5, 0.9, 1)))
    root = model.root(tf.range(B))
    kwargs = dict(invalid_actions=mask, seed=(1, 2), backend=backend)
    first = mcts.muzero_policy(root, model.step, 9, dirichlet_fraction=0.0, backend=backend)
    action = tf.argmax(first.search_tree.summary().visit_counts, axis=-1)
    kept = mcts.reroot(first.search_tree, action, 4)
    again = kwargs | {"search_tree": kept}
    return {
        "muzero": mcts.muzero_policy(root, model.step, 2, **kwargs).search_tree,
        "alphazero": mcts.alphazero_policy(root, model.step, 2, **kwargs).search_tree,
        "continued": mcts.muzero_policy(None, model.step, 4, **again).search_tree,
        "host": mcts.Tree(root, 2, **kwargs).search_tree(),
        "host continued": mcts.Tree(None, 4, **again).search_tree(),
    }


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_way_to_search_draws_noise_over_the_legal_actions(backend):
    mask = np.zeros((B, A), bool)
    mask[0, 2:], mask[1, :3] = True, True
    for name, tree in trees_with_noise(backend, mask).items():
        prior = prior_of(tree)
        np.testing.assert_allclose(prior.sum(1), 1.0, atol=1e-5, err_msg=name)
        np.testing.assert_array_equal(prior[mask], 0.0, err_msg=name)
        assert (prior[~mask] > 0).all(), name


@pytest.mark.parametrize("backend", BACKENDS)
def test_noise_that_is_given_is_mixed_as_it_is(backend):
    """(1 - f) · softmax(logits) + f · noise over all actions, masked then: mctx's formula."""
    seed = 8
    print("seed", seed)
    rng = np.random.default_rng(seed)
    logits, noise = rng.normal(size=(B, A)), rng.dirichlet([0.5] * A, B)
    mask = rng.random((B, A)) < 0.4
    mask[:, 0] = False
    fraction = np.array([0.1, 0.5, 1.0])
    out = mcts.muzero_policy(
        root_of(logits), still, 1, mask, dirichlet_noise=noise, dirichlet_fraction=fraction,
        backend=backend,
    )  # fmt: skip
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    mixed = (1 - fraction[:, None]) * softmax + fraction[:, None] * noise
    np.testing.assert_allclose(prior_of(out.search_tree), np.where(mask, 0, mixed), rtol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_logits_that_nothing_changes_stay_as_given(backend):
    logits = np.array([[1.0, 0, 2, 5, -3, -np.inf, 2]], np.float32)
    for policy, kwargs in (
        (mcts.muzero_policy, {"dirichlet_fraction": 0.0}),
        (mcts.gumbel_muzero_policy, {}),
    ):
        tree = policy(root_of(logits), still, 1, backend=backend, **kwargs).search_tree
        np.testing.assert_array_equal(tree.children_prior_logits[:, 0], logits)


@pytest.mark.parametrize("noise", [np.full((B, A), np.nan), np.full((B, A), -0.1),
                                   np.ones((B, 2)), "much"])  # fmt: skip
def test_noise_that_is_none_is_named(noise):
    with pytest.raises(tf.errors.InvalidArgumentError, match="dirichlet_noise"):
        mcts.muzero_policy(root_of(np.zeros((B, A))), still, 1, dirichlet_noise=noise)
