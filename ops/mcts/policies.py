"""The public searches: muzero_policy, alphazero_policy and gumbel_muzero_policy, in mctx's
language.
"""

from __future__ import annotations

import tensorflow as tf

from ops.mcts import checks, reuse, seq_halving
from ops.mcts import mcts_reference as reference
from ops.mcts import tree as t
from ops.mcts.errors import require
from ops.mcts.qtransforms import (
    QTransform,
    qtransform_by_min_max,
    qtransform_by_parent_and_siblings,
    qtransform_completed_by_mix_value,
)
from ops.mcts.rules import UNLIMITED_DEPTH, SelectionRule
from ops.mcts.search import RecurrentFn, search, start
from ops.mcts.tree import SearchTree
from ops.mcts.types import PolicyOutput, RootFnOutput

TINY = reference.TINY


def muzero_policy(
    root: RootFnOutput | None,
    recurrent_fn: RecurrentFn,
    num_simulations: int,
    invalid_actions: tf.Tensor | None = None,
    max_depth: int | None = None,
    qtransform: QTransform | None = None,
    dirichlet_fraction: float | tf.Tensor = 0.25,
    dirichlet_alpha: float = 0.3,
    dirichlet_noise: tf.Tensor | None = None,
    pb_c_init: float = 1.25,
    pb_c_base: float = 19652.0,
    temperature: float | tf.Tensor = 1.0,
    seed: tf.Tensor | tuple[int, int] | None = None,
    backend: str = "auto",
    search_tree: SearchTree | None = None,
    simulations: tf.Tensor | int | None = None,
) -> PolicyOutput:
    """MuZero's search (Schrittwieser et al. 2020, appendix B): PUCT, the action by visit counts.

    Args:
      root: the root's prior_logits [B, A], value [B], embedding; None with `search_tree`.
      recurrent_fn: (action [B], embedding) -> (RecurrentFnOutput, embedding).
      num_simulations: simulations to add; with `simulations` the most of them, a tree's room.
      invalid_actions: [B, A], not 0 where an action is not allowed at the root.
      max_depth: the longest walk, in actions; None for no limit.
      qtransform: by parent and siblings if None.
      dirichlet_fraction: share of noise in the root's prior.
      dirichlet_alpha: concentration of the noise.
      dirichlet_noise: [B, A], noise already drawn; drawn from `seed` if None.
      pb_c_init: c₁ of the PUCT formula.
      pb_c_base: c₂ of the PUCT formula.
      temperature: of the action's choice; 0 takes the most visited.
      seed: int32 [2], for noise and action; a fresh one if None.
      backend: 'native', 'tensorflow' or 'auto'.
      search_tree: a tree to continue, from `reroot`.
      simulations: int32 scalar, how many to run this time, 1 to num_simulations; None: all.

    Returns:
      PolicyOutput with the action, the share of visits as action_weights, and the tree.

    Raises:
      tf.errors.InvalidArgumentError: names the argument that is wrong.
    """
    checks.search_arguments(num_simulations, max_depth)
    run = checks.simulations_to_run(simulations, num_simulations)
    rule = SelectionRule(
        "puct",
        qtransform or qtransform_by_parent_and_siblings(),
        UNLIMITED_DEPTH if max_depth is None else max_depth,
        pb_c_init,
        pb_c_base,
    )
    noise = (dirichlet_fraction, dirichlet_alpha, dirichlet_noise)
    seeds = _split(seed)
    root = _checked(root, search_tree)
    noisy = _noisy_prior(root, search_tree, invalid_actions, *noise, seeds[0])
    tree = _tree(root, search_tree, noisy, num_simulations, backend)
    tree = search(tree, recurrent_fn, rule, run, backend)
    weights = tree.summary().visit_probs
    return PolicyOutput(_sample(seeds[1], weights, temperature), weights, tree)


def alphazero_policy(
    root: RootFnOutput | None,
    recurrent_fn: RecurrentFn,
    num_simulations: int,
    invalid_actions: tf.Tensor | None = None,
    max_depth: int | None = None,
    qtransform: QTransform | None = None,
    min_value: float = -1.0,
    max_value: float = 1.0,
    fpu_reduction: float | None = None,
    **kwargs,
) -> PolicyOutput:
    """AlphaZero's search: PUCT over values within known bounds, with optional first-play urgency.

    `kwargs` are those of `muzero_policy`; `fpu_reduction` is read by `qtransform_by_min_max`.
    """
    qtransform = qtransform or qtransform_by_min_max(min_value, max_value, fpu_reduction)
    return muzero_policy(
        root, recurrent_fn, num_simulations, invalid_actions, max_depth, qtransform, **kwargs
    )


def gumbel_muzero_policy(
    root: RootFnOutput,
    recurrent_fn: RecurrentFn,
    num_simulations: int,
    invalid_actions: tf.Tensor | None = None,
    max_depth: int | None = None,
    qtransform: QTransform | None = None,
    max_num_considered_actions: int = 16,
    gumbel: tf.Tensor | None = None,
    gumbel_scale: float | tf.Tensor = 1.0,
    seed: tf.Tensor | tuple[int, int] | None = None,
    backend: str = "auto",
    simulations: tf.Tensor | int | None = None,
) -> PolicyOutput:
    """Gumbel MuZero (Danihelka et al. 2022): sequential halving at the root, improved policy below.

    Args:
      root: the root's prior_logits [B, A], value [B], embedding.
      recurrent_fn: (action [B], embedding) -> (RecurrentFnOutput, embedding).
      num_simulations: simulations to run; with `simulations` the most of them, a tree's room.
      invalid_actions: [B, A], not 0 where an action is not allowed at the root.
      max_depth: the longest walk, in actions; None for no limit.
      qtransform: completed by mixed value if None.
      max_num_considered_actions: how many actions the halving starts from.
      gumbel: [B, A], noise already drawn; drawn from `seed` if None.
      gumbel_scale: factor of the noise; 0 makes a deterministic policy.
      seed: int32 [2]; a fresh one if None.
      backend: 'native', 'tensorflow' or 'auto'.
      simulations: int32 scalar, how many to run this time, 1 to num_simulations; None: all.

    Returns:
      PolicyOutput with the best of the most visited actions and the improved policy as
      action_weights.

    Raises:
      tf.errors.InvalidArgumentError: names the argument that is wrong.
    """
    checks.search_arguments(num_simulations, max_depth)
    most = max_num_considered_actions
    require(most >= 1, f"max_num_considered_actions is {most}, expected at least 1")
    run = checks.simulations_to_run(simulations, num_simulations)
    qtransform = qtransform or qtransform_completed_by_mix_value()
    root = checks.root_of_model(root)
    logits = _masked(root.prior_logits, invalid_actions)
    if gumbel is None:
        gumbel = _gumbel(_split(seed)[0], tf.shape(logits))
    gumbel = gumbel_scale * checks.tensor_of("gumbel", gumbel, logits.shape)
    rule = SelectionRule(
        "gumbel",
        qtransform,
        UNLIMITED_DEPTH if max_depth is None else max_depth,
        gumbel=gumbel,
        considered=_considered_visits(most, num_simulations, run),
    )
    tree = _tree(root, None, logits, num_simulations, backend)
    tree = search(tree, recurrent_fn, rule, run, backend)
    return _gumbel_decision(tree, logits, gumbel, qtransform)


def noisy_prior(root, search_tree, invalid_actions, fraction, alpha, noise, seed) -> tf.Tensor:
    """The prior logits with which `muzero_policy` searches, given its arguments: [B, A]."""
    seed = _split(seed)[0]
    root = _checked(root, search_tree)
    return _noisy_prior(root, search_tree, invalid_actions, fraction, alpha, noise, seed)


def sampled_action(weights, temperature, seed) -> tf.Tensor:
    """The action that `muzero_policy` takes, given its seed: weights [B, A] to int32 [B]."""
    return _sample(_split(seed)[1], weights, temperature)


def _noisy_prior(root, search_tree, invalid_actions, fraction, alpha, noise, seed):
    """Prior and noise mixed, masked; `noise` is drawn from `seed` if None."""
    logits = search_tree.root_row(t.EDGE_LOGIT) if root is None else root.prior_logits
    probs = tf.nn.softmax(logits)
    if tf.is_tensor(fraction) or fraction != 0:
        if noise is None:
            noise = _dirichlet(seed, tf.shape(logits), alpha)
        noise = checks.tensor_of("dirichlet_noise", noise, logits.shape)
        probs = (1.0 - fraction) * probs + fraction * noise
    noisy = _log(probs)
    noisy = tf.where(logits > t.LOWEST_LOGIT, noisy, t.LOWEST_LOGIT)
    return _masked(noisy, invalid_actions)


def _considered_visits(max_considered, room, simulations):
    """The halving's table [max_considered + 1, room] for as many simulations as are run."""
    if tf.is_tensor(simulations):
        return seq_halving.table_of_fewer(max_considered, room, simulations)
    return tf.constant(seq_halving.table_of_considered_visits(max_considered, room))


def _gumbel_decision(tree, logits, gumbel, qtransform):
    rows = tf.stack([tree.root_row(row) for row in range(t.EDGE_ROWS)], axis=1)
    visits, record = rows[:, t.EDGE_VISITS], tree.nodes[:, t.ROOT_INDEX]
    completed = reference.transform(qtransform, rows, record, tree.stats)
    most = tf.reduce_max(visits, axis=-1, keepdims=True)
    score = seq_halving.score_considered(most, gumbel, logits, completed, visits)
    legal = rows[:, t.EDGE_PROB] >= 0
    score = tf.where(legal, score, -float("inf"))
    weights = tf.nn.softmax(tf.where(legal, logits + completed, t.LOWEST_LOGIT))
    return PolicyOutput(tf.argmax(score, axis=-1, output_type=tf.int32), weights, tree)


def _checked(root, search_tree):
    """The root as the network gave it, checked; None where a tree is continued."""
    require(
        (root is None) != (search_tree is None),
        "expected root or search_tree, the other being None",
    )
    return None if root is None else checks.root_of_model(root)


def _tree(root, search_tree, logits, num_simulations, backend):
    """A fresh tree, or the given one with the root's prior replaced."""
    if search_tree is None:
        embedding = tf.nest.map_structure(tf.convert_to_tensor, root.embedding)
        return start(RootFnOutput(logits, root.value, embedding), num_simulations, backend)
    return checks.room(reuse.with_root_prior(search_tree, logits), num_simulations)


def _masked(logits, invalid_actions):
    """Shifted so that the greatest is 0, with the lowest float where the action is not allowed."""
    logits -= tf.reduce_max(logits, axis=-1, keepdims=True)
    logits = tf.maximum(logits, t.LOWEST_LOGIT)
    if invalid_actions is not None:
        mask = tf.convert_to_tensor(invalid_actions)
        require(
            mask.shape.is_compatible_with(logits.shape),
            f"invalid_actions has shape {mask.shape}, not {logits.shape}",
        )
        logits = tf.where(tf.cast(mask, tf.bool), t.LOWEST_LOGIT, logits)
    return checks.legal_root(logits)


def _split(seed):
    """Two seeds out of one."""
    if seed is None:
        seed = tf.random.uniform([2], maxval=(1 << 31) - 1, dtype=tf.int32)
    return tf.unstack(tf.random.experimental.stateless_split(seed, 2))


def _dirichlet(seed, shape, alpha):
    """Dirichlet noise [B, A]; the offset keeps a row of underflown samples a distribution."""
    gamma = _gamma(seed, shape, alpha) + 1e-30
    return gamma / tf.reduce_sum(gamma, axis=-1, keepdims=True)


def _gamma(seed, shape, alpha):
    """Gamma(alpha) by Marsaglia and Tsang (2000), the first of eight proposals that is accepted.

    TensorFlow's own sampler does not compile under XLA. A proposal is accepted in 95 of 100 cases.
    """
    seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
    many = tf.concat([[8], shape], axis=0)
    d = alpha + 2.0 / 3.0
    x = tf.random.stateless_normal(many, seeds[0])
    v = (1.0 + x / (9.0 * d) ** 0.5) ** 3
    log_u = tf.math.log(tf.random.stateless_uniform(many, seeds[1], minval=TINY, maxval=1.0))
    safe = tf.maximum(v, TINY)
    accepted = (v > 0) & (log_u < 0.5 * x**2 + d - d * safe + d * tf.math.log(safe))
    first = tf.argmax(tf.cast(accepted, tf.int32), axis=0, output_type=tf.int32)
    chosen = tf.reduce_sum(tf.where(tf.one_hot(first, 8, True, False, axis=0), safe, 0.0), axis=0)
    boost = tf.random.stateless_uniform(shape, seeds[2], minval=TINY, maxval=1.0)
    return d * chosen * boost ** (1.0 / alpha)


def _gumbel(seed, shape):
    uniform = tf.random.stateless_uniform(shape, seed, minval=TINY, maxval=1.0)
    return -tf.math.log(-tf.math.log(uniform))


def _log(probs):
    return tf.math.log(tf.maximum(probs, TINY))


def _sample(seed, weights, temperature):
    logits = _log(weights)
    logits -= tf.reduce_max(logits, axis=-1, keepdims=True)
    logits /= tf.maximum(TINY, temperature)
    return tf.random.stateless_categorical(logits, 1, seed, dtype=tf.int32)[:, 0]
