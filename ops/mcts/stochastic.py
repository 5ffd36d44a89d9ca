"""Stochastic MuZero (Antonoglou et al. 2022): a search whose nodes are decisions and chance in
turns.

To the tree this is a search over A + C actions under a rule of its own (`_stochastic_scores` of
mcts_reference.py): an action leads to a chance node, whose legal actions are the C outcomes, and
an outcome leads to a decision node, whose legal ones are the A actions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ops.mcts import backends, checks, policies
from ops.mcts import tree as t
from ops.mcts.errors import require
from ops.mcts.qtransforms import QTransform, qtransform_by_parent_and_siblings
from ops.mcts.rules import selection_rule
from ops.mcts.search import search, start
from ops.mcts.stochastic_tree import StochasticSearchTree, StochasticState
from ops.mcts.types import (
    ChanceRecurrentFnOutput,
    DecisionRecurrentFnOutput,
    PolicyOutput,
    RecurrentFnOutput,
    RootFnOutput,
)

DecisionRecurrentFn = Callable[[tf.Tensor, Any], tuple[DecisionRecurrentFnOutput, Any]]
ChanceRecurrentFn = Callable[[tf.Tensor, Any], tuple[ChanceRecurrentFnOutput, Any]]


def stochastic_muzero_policy(
    root: RootFnOutput,
    decision_recurrent_fn: DecisionRecurrentFn,
    chance_recurrent_fn: ChanceRecurrentFn,
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
    simulations: tf.Tensor | int | None = None,
) -> PolicyOutput:
    """Stochastic MuZero's search: PUCT where the player moves; chance takes, at each node, the
    outcome of the greatest prior / (visits + 1).

    So visits follow the prior without a random number, as in mctx, where the paper's pseudocode
    draws: of n visits an outcome of prior p has never less than the whole part of n · p. Outcomes
    whose scores are equal but for rounding go by their number. Every simulation asks both functions
    and keeps, for each tree, the answer it wants; with a batch of one it asks only that one.

    Args:
      root: the root's prior_logits [B, A], value [B], embedding.
      decision_recurrent_fn: (action [B], state embedding) -> (DecisionRecurrentFnOutput,
        afterstate embedding). Called once more than there are simulations, to learn of what shape
        its answers are.
      chance_recurrent_fn: (chance_outcome [B], afterstate embedding) -> (ChanceRecurrentFnOutput,
        state embedding), the latter of the root's embedding's structure and shapes.
      num_simulations: simulations to run; with `simulations` the most of them, a tree's room.
      invalid_actions: [B, A], not 0 where an action is not allowed at the root.
      max_depth: the longest walk; an action and its outcome are two steps. None for no limit.
      qtransform: by parent and siblings if None.
      dirichlet_fraction: share of noise in the root's prior.
      dirichlet_alpha: concentration of the noise.
      dirichlet_noise: [B, A], noise already drawn; drawn from `seed` if None.
      pb_c_init: c₁ of the PUCT formula.
      pb_c_base: c₂ of the PUCT formula.
      temperature: of the action's choice; 0 takes the most visited.
      seed: int32 [2], for noise and action; a fresh one if None.
      backend: 'native', 'tensorflow' or 'auto'.
      simulations: int32 scalar, how many to run this time, 1 to num_simulations; None: all.

    Returns:
      PolicyOutput with the action, the share of visits as action_weights, and a
      StochasticSearchTree.

    Raises:
      tf.errors.InvalidArgumentError: names the argument that is wrong.
    """
    num_simulations = checks.room_for(num_simulations)
    run = checks.simulations_to_run(simulations, num_simulations)
    noise = (dirichlet_fraction, dirichlet_alpha, dirichlet_noise)
    root, _, logits = policies.start_of(root, None, invalid_actions, *noise, seed)
    qtransform = qtransform or qtransform_by_parent_and_siblings()
    rule = selection_rule("stochastic", qtransform, max_depth, root.value, pb_c_init, pb_c_base)
    plain = isinstance(rule.qtransform, QTransform)
    require(plain, "qtransform is a function of your own, expected one of ops.mcts.qtransforms")
    backend = backends.resolve(backend, rule.qtransform)
    root = root._replace(
        prior_logits=logits,
        embedding=tf.nest.map_structure(tf.convert_to_tensor, root.embedding),
    )
    model = _Model(decision_recurrent_fn, chance_recurrent_fn, root, backend == "tensorflow")
    rule = rule._replace(first_outcome=model.num_actions)
    tree = start(model.root(), rule, num_simulations, backend)
    tree = search(tree, model.step, rule, run, backend, policies.split_seed(seed)[0])
    invalid = tf.cast(logits <= t.LOWEST_LOGIT, tf.float32)
    tree = StochasticSearchTree(tree, invalid)
    weights = tree.summary().visit_probs
    return PolicyOutput(policies.sampled_action(weights, temperature, seed), weights, tree)


class _Model:
    """Decision and chance as one model over A + C actions, whose embedding is a StochasticState."""

    def __init__(
        self,
        decision_fn: DecisionRecurrentFn,
        chance_fn: ChanceRecurrentFn,
        root: RootFnOutput,
        checked: bool,
    ):
        """`root` has a masked prior; `checked`: whether NaN is looked for here, not by a kernel."""
        self._decision_fn, self._chance_fn = decision_fn, chance_fn
        self._root, self._checked = root, checked
        self.num_actions = root.prior_logits.shape[1]
        legal = tf.argmax(root.prior_logits, axis=-1, output_type=tf.int32)
        said, self._afterstate = _answer(
            "decision", decision_fn(legal, root.embedding), DecisionRecurrentFnOutput
        )
        self._num_outcomes = _num_outcomes(said, self.num_actions)

    def root(self) -> RootFnOutput:
        """The root over A + C actions."""
        decides = tf.ones_like(self._root.value, tf.bool)
        logits = tf.concat([self._root.prior_logits, self._illegal(self._num_outcomes)], axis=1)
        state = StochasticState(self._root.embedding, self._afterstate, decides)
        return RootFnOutput(logits, self._root.value, state)

    def step(
        self, action: tf.Tensor, state: StochasticState
    ) -> tuple[RecurrentFnOutput, StochasticState]:
        """A recurrent function for `search`: action int32 [B], where those from A on are outcomes.

        What is asked of a tree whose edge is of the other kind is action or outcome 0, of a state
        that it holds; the answer is dropped.
        """
        decides = action < self.num_actions
        if self._root.value.shape[0] == 1:
            return tf.cond(
                decides[0],
                lambda: self._decide(action, state, decides),
                lambda: self._happen(action, state, ~decides),
            )
        ways = self._decide(action, state, decides), self._happen(action, state, ~decides)
        return tf.nest.map_structure(lambda one, other: _where(decides, one, other), *ways)

    def _decide(self, action, state, asked):
        """The chance nodes that the actions lead to."""
        action = tf.where(asked, action, 0)
        answer = self._decision_fn(action, state.state_embedding)
        said, afterstate = _answer("decision", answer, DecisionRecurrentFnOutput)
        said = checks.stochastic_step(said, self._root.value.shape, self._num_outcomes)
        said = checks.finite_answers(said, asked) if self._checked else said
        step = RecurrentFnOutput(
            reward=tf.zeros_like(said.afterstate_value),
            discount=tf.ones_like(said.afterstate_value),
            prior_logits=tf.concat([self._illegal(self.num_actions), said.chance_logits], axis=1),
            value=said.afterstate_value,
        )
        afterstate = _like("decision_recurrent_fn", afterstate, self._afterstate)
        return step, StochasticState(state.state_embedding, afterstate, ~asked)

    def _happen(self, action, state, asked):
        """The decision nodes that the outcomes lead to."""
        outcome = tf.where(asked, action - self.num_actions, 0)
        answer = self._chance_fn(outcome, state.afterstate_embedding)
        said, after = _answer("chance", answer, ChanceRecurrentFnOutput)
        said = checks.stochastic_step(said, self._root.value.shape, self.num_actions)
        said = checks.finite_answers(said, asked) if self._checked else said
        step = RecurrentFnOutput(
            reward=said.reward,
            discount=said.discount,
            prior_logits=tf.concat([said.action_logits, self._illegal(self._num_outcomes)], axis=1),
            value=said.value,
        )
        after = _like("chance_recurrent_fn", after, self._root.embedding)
        return step, StochasticState(after, state.afterstate_embedding, asked)

    def _illegal(self, count: int) -> tf.Tensor:
        return tf.fill([tf.shape(self._root.value)[0], count], -float("inf"))


def _answer(name: str, answer: Any, kind: type) -> tuple[Any, Any]:
    """What a recurrent function returned, if it is a `kind` and an embedding."""
    good = isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], kind)
    require(good, f"{name}_recurrent_fn must return ({kind.__name__}, embedding)")
    said, embedding = answer
    return said, tf.nest.map_structure(tf.convert_to_tensor, embedding)


def _num_outcomes(said: DecisionRecurrentFnOutput, num_actions: int) -> int:
    """C, the static number of outcomes."""
    shape = tf.convert_to_tensor(said.chance_logits).shape
    require(shape.rank == 2, f"chance_logits has shape {shape}, expected [B, C]")
    require(shape[1] is not None, "chance_logits must have a static number of outcomes")
    require(shape[1] >= 1, "chance_logits has no outcomes")
    both = num_actions + shape[1]
    require(both <= t.MAX_ACTIONS, f"A + C is {both}, expected at most {t.MAX_ACTIONS}")
    return shape[1]


def _like(name: str, embedding: Any, example: Any) -> Any:
    """The embedding if it has the structure, dtypes and shapes of the example."""
    leaves, likes = tf.nest.flatten(embedding), tf.nest.flatten(example)
    try:
        tf.nest.assert_same_structure(embedding, example)
    except (TypeError, ValueError):
        require(False, f"{name} gave an embedding of another structure than it was given")
    for leaf, like in zip(leaves, likes, strict=True):
        require(
            leaf.dtype == like.dtype and leaf.shape.is_compatible_with(like.shape),
            f"{name} gave an embedding of {leaf.dtype.name} {leaf.shape}, expected "
            f"{like.dtype.name} {like.shape}",
        )
    return embedding


def _where(mask: tf.Tensor, one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """tf.where by rows: mask [B], the others [B, ...]."""
    shape = tf.concat([tf.shape(mask), tf.ones_like(tf.shape(one)[1:])], axis=0)
    return tf.where(tf.reshape(mask, shape), one, other)
