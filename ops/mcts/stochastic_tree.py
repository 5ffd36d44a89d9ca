"""The search tree of `stochastic_muzero_policy`, with mctx's fields."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from ops.mcts.tree import SearchTree
from ops.mcts.types import SearchSummary


class StochasticState(NamedTuple):
    """The embedding of a node, of fields named as mctx's `StochasticRecurrentState`.

    state_embedding: a decision node's own; at a chance node that of the decision node above.
    afterstate_embedding: a chance node's own; at a decision node that of the chance node above.
    is_decision_node: bool, which of the two the node is.
    """

    state_embedding: Any
    afterstate_embedding: Any
    is_decision_node: tf.Tensor


class StochasticSearchTree(NamedTuple):
    """A batch of trees whose nodes are decisions and chance in turns; the root is a decision.

    `embeddings` is a StochasticState of [B, M, ...]. Fields of edges, such as `children_visits`,
    are [B, M, A], those of the actions; `whole` has the outcomes' behind them, where C is the
    number of outcomes. `action_from_parent` is A + outcome in a node below a chance node.

    whole: the tree over A + C actions, of which a node's legal ones are either the first A or the
      others.
    root_invalid_actions: float32 [B, A], 1 where an action is not allowed at the root.
    """

    whole: SearchTree
    root_invalid_actions: tf.Tensor

    def __getattr__(self, field: str) -> Any:
        """Any other field of SearchTree, those of edges without the outcomes."""
        value = getattr(self.whole, field)
        return value[..., : self.num_actions] if field.startswith("children_") else value

    @property
    def num_actions(self) -> int:
        """A, the number of actions."""
        return self.root_invalid_actions.shape[1]

    def summary(self) -> SearchSummary:
        """The root's visit_counts, visit_probs, qvalues [B, A] and value [B]."""
        whole, count = self.whole.summary(), self.num_actions
        return SearchSummary(
            visit_counts=whole.visit_counts[:, :count],
            visit_probs=whole.visit_probs[:, :count],
            value=whole.value,
            qvalues=whole.qvalues[:, :count],
        )
