"""The public searches: muzero_policy, alphazero_policy and gumbel_muzero_policy, in mctx's
language.
"""

from __future__ import annotations

import tensorflow as tf

from ops import draws
from ops.mcts import arguments, backends, checks, reuse, seq_halving
from ops.mcts import mcts_reference as reference
from ops.mcts import tree as t
from ops.mcts.arguments import column
from ops.mcts.errors import require
from ops.mcts.qtransforms import (
    TINY,
    Number,
    QTransform,
    QTransformFn,
    qtransform_by_min_max,
    qtransform_by_parent_and_siblings,
    qtransform_completed_by_mix_value,
)
from ops.mcts.rules import selection_rule
from ops.mcts.search import RecurrentFn, search, start
from ops.mcts.tree import SearchTree
from ops.mcts.types import PolicyOutput, RootFnOutput


def muzero_policy(
    root: RootFnOutput | None,
    recurrent_fn: RecurrentFn,
    num_simulations: int,
    invalid_actions: tf.Tensor | None = None,
    max_depth: int | tf.Tensor | None = None,
    qtransform: QTransform | QTransformFn | None = None,
    dirichlet_fraction: Number = 0.25,
    dirichlet_alpha: Number = 0.3,
    dirichlet_noise: tf.Tensor | None = None,
    pb_c_init: Number = 1.25,
    pb_c_base: Number = 19652.0,
    temperature: Number = 1.0,
    seed: tf.Tensor | tuple[int, int] | None = None,
    backend: str = "auto",
    search_tree: SearchTree | None = None,
    simulations: tf.Tensor | int | None = None,
    begun: SearchTree | None = None,
    added: tf.Tensor | int | None = None,
) -> PolicyOutput:
    """MuZero's search (Schrittwieser et al. 2020, appendix B): PUCT, the action by visit counts.

    Numbers, max_depth among them, may be tensors: of one number, or of one a tree, [B].

    Args:
      root: the root's prior_logits [B, A], value [B], embedding; None with `search_tree`.
      recurrent_fn: (action [B], embedding) -> (RecurrentFnOutput, embedding); if it has an argument
        `seed`, it is given one for each simulation, int32 [2]; if it has an argument `visited`,
        what the tree knows of where the action leads (`types.Visited`): a walk may come to a node
        without a legal action again, and what is said of it then takes the place of what was.
      num_simulations: simulations to add; with `simulations` the most of them, a tree's room. With
        0 action_weights are uniform over the legal actions.
      invalid_actions: [B, A], not 0 where an action is not allowed at the root.
      max_depth: the longest walk, in actions; None for no limit.
      qtransform: by parent and siblings if None; see `qtransforms`. A function
        (tree, node_index int32 [B]) -> [B, A] of the caller's own runs on the tensorflow backend.
      dirichlet_fraction: share of noise in the root's prior, 0 to 1.
      dirichlet_alpha: concentration of the noise.
      dirichlet_noise: [B, A], noise already drawn, which is mixed with the prior over all actions
        as it is; if None, noise over the legal actions is drawn from `seed` and mixed with the
        prior over these.
      pb_c_init: c₁ of the PUCT formula.
      pb_c_base: c₂ of the PUCT formula.
      temperature: of the action's choice, which is in proportion to visits^(1 / temperature); 0
        takes the most visited.
      seed: int32 [2], for noise, action and model; a fresh one if None. Without noise and a model
        that draws it may be [B, 2], one a row: a row's action is then as if it were alone.
      backend: 'native', 'tensorflow' or 'auto'.
      search_tree: a tree to continue, from `reroot`.
      simulations: int32 scalar, how many to run this time, 1 to num_simulations; None: all.
      begun: what a call with the same arguments has given as search_tree: the search goes on there
        as if it had not paused, unless its model takes a seed.
      added: int32 scalar: it pauses after so many simulations; None: after `simulations`.

    Returns:
      PolicyOutput with the action, the share of visits as action_weights, and the tree.

    Raises:
      tf.errors.InvalidArgumentError: names the argument that is wrong.
    """
    num_simulations = checks.room_for(num_simulations)
    run = checks.simulations_to_run(simulations, num_simulations)
    root, search_tree = _checked(root, search_tree)
    logits = _given_prior(root, search_tree)
    rule = selection_rule(
        "puct",
        qtransform or qtransform_by_parent_and_siblings(),
        max_depth,
        logits[:, 0],
        pb_c_init,
        pb_c_base,
    )
    backend = backends.resolve(backend, rule.qtransform)
    temperature = arguments.number("temperature", temperature, arguments.NOT_NEGATIVE, logits[:, 0])
    noise = (dirichlet_fraction, dirichlet_alpha, dirichlet_noise)
    seeds = split_seed(seed)
    noisy = _noisy_prior(logits, invalid_actions, *noise, seeds[0])
    tree = _tree(root, search_tree, noisy, rule, num_simulations, backend, begun)
    run = run if added is None else checks.simulations_to_run(added, num_simulations)
    tree = search(tree, recurrent_fn, rule, run, backend, seeds[0])
    weights = tree.summary().visit_probs
    return PolicyOutput(_sample(seeds[1], weights, temperature), weights, tree)


def alphazero_policy(
    root: RootFnOutput | None,
    recurrent_fn: RecurrentFn,
    num_simulations: int,
    invalid_actions: tf.Tensor | None = None,
    max_depth: int | tf.Tensor | None = None,
    qtransform: QTransform | QTransformFn | None = None,
    min_value: Number = -1.0,
    max_value: Number = 1.0,
    fpu_reduction: Number | None = None,
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
    max_depth: int | tf.Tensor | None = None,
    qtransform: QTransform | QTransformFn | None = None,
    max_num_considered_actions: int = 16,
    gumbel: tf.Tensor | None = None,
    gumbel_scale: Number = 1.0,
    seed: tf.Tensor | tuple[int, int] | None = None,
    backend: str = "auto",
    simulations: tf.Tensor | int | None = None,
    begun: SearchTree | None = None,
    added: tf.Tensor | int | None = None,
) -> PolicyOutput:
    """Gumbel MuZero (Danihelka et al. 2022): sequential halving at the root, improved policy below.

    Args:
      root: the root's prior_logits [B, A], value [B], embedding.
      recurrent_fn: (action [B], embedding) -> (RecurrentFnOutput, embedding); as in
        `muzero_policy`, with an argument `seed` if it has one.
      num_simulations: simulations to run; with `simulations` the most of them, a tree's room. With
        0 the action is the best of gumbel + prior.
      invalid_actions: [B, A], not 0 where an action is not allowed at the root.
      max_depth: the longest walk, in actions; None for no limit.
      qtransform: completed by mixed value if None; as in `muzero_policy`.
      max_num_considered_actions: how many actions the halving starts from, a Python integer; all
        of them if there are fewer.
      gumbel: [B, A], noise already drawn; drawn from `seed` if None.
      gumbel_scale: factor of the noise; 0 makes a deterministic policy.
      seed: int32 [2], for noise and model; a fresh one if None. It may be [B, 2], one a row, where
        the model does not draw.
      backend: 'native', 'tensorflow' or 'auto'.
      simulations: int32 scalar, how many to run this time, 1 to num_simulations; None: all.
      begun, added: as in `muzero_policy`; the schedule is that of `simulations`.

    Returns:
      PolicyOutput with the best of the most visited actions and the improved policy as
      action_weights.

    Raises:
      tf.errors.InvalidArgumentError: names the argument that is wrong.
    """
    num_simulations = checks.room_for(num_simulations)
    most = arguments.integer("max_num_considered_actions", max_num_considered_actions, 1)
    run = checks.simulations_to_run(simulations, num_simulations)
    root = checks.root_of_model(root)
    logits = _masked(root.prior_logits, invalid_actions)
    seed = split_seed(seed)[0]
    noise = (gumbel, gumbel_scale, seed)
    rule = gumbel_rule(logits, qtransform, max_depth, most, num_simulations, run, *noise)
    backend = backends.resolve(backend, rule.qtransform)
    tree = _tree(root, None, logits, rule, num_simulations, backend, begun)
    run = run if added is None else checks.simulations_to_run(added, num_simulations)
    tree = search(tree, recurrent_fn, rule, run, backend, seed)
    return gumbel_decision(tree, logits, rule)


def gumbel_rule(logits, qtransform, max_depth, most, room, run, gumbel, scale, seed):
    """The rule of `gumbel_muzero_policy` at roots of masked logits [B, A], given its arguments."""
    qtransform, batch = qtransform or qtransform_completed_by_mix_value(), logits[:, 0]
    rule = selection_rule("gumbel", qtransform, max_depth, batch)
    scale = arguments.number("gumbel_scale", scale, arguments.NOT_NEGATIVE, batch)
    if gumbel is None:
        gumbel = _gumbel(seed, tf.shape(logits))
    gumbel = column(scale) * checks.noise("gumbel", gumbel, logits)
    most = min(most, logits.shape[1], max(room, 1))
    return rule._replace(gumbel=gumbel, considered=_considered_visits(most, room, run))


def sampled_action(weights, temperature, seed) -> tf.Tensor:
    """The action that `muzero_policy` takes, given its seed: weights [B, A] to int32 [B]."""
    temperature = arguments.number(
        "temperature", temperature, arguments.NOT_NEGATIVE, weights[:, 0]
    )
    return _sample(split_seed(seed)[1], weights, temperature)


def start_of(root, search_tree, invalid_actions, fraction, alpha, noise, seed):
    """What `muzero_policy` starts from, given its arguments: the root or the tree, checked, and the
    logits [B, A] that its root gets.
    """
    root, search_tree = _checked(root, search_tree)
    logits = _given_prior(root, search_tree)
    noise = (fraction, alpha, noise)
    return root, search_tree, _noisy_prior(logits, invalid_actions, *noise, split_seed(seed)[0])


def _given_prior(root, search_tree):
    """The root's logits before noise and mask: [B, A]."""
    if search_tree is None:
        return root.prior_logits
    return checks.with_legal("search_tree", search_tree.root_rows(t.EDGE_LOGIT)[0])


def _noisy_prior(logits, invalid_actions, fraction, alpha, noise, seed):
    """The prior masked and mixed with noise over the legal actions, drawn from `seed`.

    Noise that is given is mixed first and masked then, as mctx does: it may be over all actions.
    """
    batch = logits[:, 0]
    fraction = arguments.number("dirichlet_fraction", fraction, arguments.FRACTION, batch)
    alpha = arguments.number("dirichlet_alpha", alpha, arguments.POSITIVE, batch)
    masked = _masked(logits, invalid_actions)
    if not tf.is_tensor(fraction) and fraction == 0:
        return masked
    legal = masked > t.LOWEST_LOGIT
    if noise is None:
        noise = _dirichlet(seed, legal, column(alpha))
        mixed = _mixed(masked, noise, column(fraction))
    else:
        noise = checks.noise("dirichlet_noise", noise, logits, least=0.0)
        mixed = _mixed(logits, noise, column(fraction))
    return tf.where(legal, mixed, t.LOWEST_LOGIT)


def _mixed(logits, noise, fraction):
    """Logits of (1 - fraction) · softmax(logits) + fraction · noise, none of them illegal.

    Not by way of the probabilities: those below float32's least would be lost.
    """
    prior = tf.nn.log_softmax(tf.maximum(logits, t.LOWEST_LOGIT)) + tf.math.log1p(-fraction)
    mixed = tf.reduce_logsumexp(tf.stack([prior, tf.math.log(fraction * noise)]), axis=0)
    return tf.maximum(mixed, seq_halving.LOW_LOGIT)


def _considered_visits(max_considered, room, simulations):
    """The halving's table [max_considered + 1, room] for as many simulations as are run."""
    if tf.is_tensor(simulations):
        return seq_halving.table_of_fewer(max_considered, room, simulations)
    return tf.constant(seq_halving.table_of_considered_visits(max_considered, room))


def gumbel_decision(tree, logits, rule):
    """What `gumbel_muzero_policy` gives once it has searched: reads the root alone."""
    root = tf.fill(tf.shape(logits)[:1], t.ROOT_INDEX)
    at = t.at_nodes(*tree.node_rows(root))
    completed = reference.qscores(rule.qtransform, tree, root, at)
    most = tf.reduce_max(at.edge_visits, axis=-1, keepdims=True)
    score = seq_halving.score_considered(most, rule.gumbel, logits, completed, at.edge_visits)
    legal = at.probs >= 0
    score = tf.where(legal, score, -float("inf"))
    weights = tf.nn.softmax(tf.where(legal, logits + completed, t.LOWEST_LOGIT))
    return PolicyOutput(tf.argmax(score, axis=-1, output_type=tf.int32), weights, tree)


def _checked(root, search_tree):
    """The root as the network gave it and the tree that is continued, one of which is None."""
    require(
        (root is None) != (search_tree is None),
        "expected root or search_tree, the other being None",
    )
    if root is None:
        return None, checks.search_tree(search_tree)
    return checks.root_of_model(root), None


def _tree(root, search_tree, logits, rule, num_simulations, backend, begun):
    """A fresh tree, the given one with the root's prior replaced, or the one that was begun."""
    if begun is not None:
        return checks.search_tree(begun)
    if search_tree is None:
        embedding = tf.nest.map_structure(tf.convert_to_tensor, root.embedding)
        root = RootFnOutput(logits, root.value, embedding)
        return start(root, rule, num_simulations, backend)
    tree = reuse.continued(search_tree, logits, backend)
    return checks.room(tree, num_simulations)


def _masked(logits, invalid_actions):
    """As given without a mask; else, as in mctx, shifted so that the greatest is 0, with the lowest
    float where the action is not allowed.
    """
    if invalid_actions is None:
        return logits
    mask = checks.mask_of(invalid_actions, logits.shape)
    masked = checks.with_legal("invalid_actions", tf.where(mask, t.LOWEST_LOGIT, logits))
    greatest, legal = (tf.reduce_max(x, axis=-1, keepdims=True) for x in (logits, masked))
    # An illegal action's logit must not swallow the digits of the others.
    shift = tf.where(greatest - legal < 1e3, greatest, legal)
    return tf.where(mask, t.LOWEST_LOGIT, tf.maximum(masked - shift, t.LOWEST_LOGIT))


def split_seed(seed):
    """Two seeds out of one."""
    if seed is None:
        seed = tf.random.uniform([2], maxval=(1 << 31) - 1, dtype=tf.int32)
    seed = arguments.converted("seed", seed)
    shapes = ([2], [None, 2])
    good = seed.dtype.is_integer and any(map(seed.shape.is_compatible_with, shapes))
    require(good, f"seed is {seed.dtype.name} {seed.shape}, expected int32 (2,)")
    return draws.split(seed, 2)


def _dirichlet(seed, legal, alpha):
    """Dirichlet noise over the legal actions [B, A], 0 at the others.

    The offset keeps a row of underflown samples a distribution.
    """
    gamma = _gamma(seed, tf.shape(legal), alpha) + 1e-30
    gamma = tf.where(legal, gamma, 0.0)
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
    uniform = draws.uniform(shape, seed, minval=TINY, maxval=1.0)
    return -tf.math.log(-tf.math.log(uniform))


def _sample(seed, weights, temperature):
    logits = tf.math.log(weights)
    logits -= tf.reduce_max(logits, axis=-1, keepdims=True)
    logits /= tf.maximum(TINY, column(temperature))
    return draws.categorical(logits, seed)
