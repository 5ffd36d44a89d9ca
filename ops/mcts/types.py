"""What goes into a search and what comes out of it.

B is the batch of trees, A the number of actions, N the number of simulations, M the number of nodes
a tree has room for (N + 1 in a fresh one). The names are those of mctx.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf


class RootFnOutput(NamedTuple):
    """What the network says of the root: prior_logits [B, A], value [B], embedding."""

    prior_logits: tf.Tensor
    value: tf.Tensor
    embedding: Any


class RecurrentFnOutput(NamedTuple):
    """What the model says of one step, all [B] but prior_logits [B, A].

    A discount of 0 ends the episode; a negative one passes the move to the other player. A prior
    logit of -inf marks an illegal action; a node without any legal action is terminal.
    """

    reward: tf.Tensor
    discount: tf.Tensor
    prior_logits: tf.Tensor
    value: tf.Tensor


class Visited(NamedTuple):
    """What a tree knows of where a walk has come to: count [B], earlier visits, 0 where the node is
    new; value [B], the node's mean value, else 0.
    """

    count: tf.Tensor
    value: tf.Tensor


class DecisionRecurrentFnOutput(NamedTuple):
    """What a stochastic model says of an action's afterstate: chance_logits [B, C],
    afterstate_value [B].

    A chance logit of -inf marks an impossible outcome; an afterstate without any possible one is
    terminal.
    """

    chance_logits: tf.Tensor
    afterstate_value: tf.Tensor


class ChanceRecurrentFnOutput(NamedTuple):
    """What a stochastic model says of an outcome, all [B] but action_logits [B, A].

    reward and discount are those of the whole step, the action's included; the rest is as in
    RecurrentFnOutput.
    """

    action_logits: tf.Tensor
    value: tf.Tensor
    reward: tf.Tensor
    discount: tf.Tensor


class SearchSummary(NamedTuple):
    """The root after a search, float32: visit_counts, visit_probs, qvalues [B, A], value [B]."""

    visit_counts: tf.Tensor
    visit_probs: tf.Tensor
    value: tf.Tensor
    qvalues: tf.Tensor


class PolicyOutput(NamedTuple):
    """A decision: action int32 [B], action_weights [B, A] to train on, and the whole tree."""

    action: tf.Tensor
    action_weights: tf.Tensor
    search_tree: Any
