"""Batched Monte Carlo tree search as TensorFlow ops, in mctx's language. See README.md."""

from ops.mcts.host_tree import Tree
from ops.mcts.policies import alphazero_policy, gumbel_muzero_policy, muzero_policy
from ops.mcts.qtransforms import (
    QTransform,
    qtransform_by_min_max,
    qtransform_by_parent_and_siblings,
    qtransform_by_tree_min_max,
    qtransform_completed_by_mix_value,
)
from ops.mcts.reuse import reroot
from ops.mcts.stochastic import stochastic_muzero_policy
from ops.mcts.stochastic_tree import StochasticSearchTree, StochasticState
from ops.mcts.tree import SearchTree
from ops.mcts.types import (
    ChanceRecurrentFnOutput,
    DecisionRecurrentFnOutput,
    PolicyOutput,
    RecurrentFnOutput,
    RootFnOutput,
    SearchSummary,
)

__all__ = [
    "ChanceRecurrentFnOutput",
    "DecisionRecurrentFnOutput",
    "PolicyOutput",
    "QTransform",
    "RecurrentFnOutput",
    "RootFnOutput",
    "SearchSummary",
    "SearchTree",
    "StochasticSearchTree",
    "StochasticState",
    "Tree",
    "alphazero_policy",
    "gumbel_muzero_policy",
    "muzero_policy",
    "qtransform_by_min_max",
    "qtransform_by_parent_and_siblings",
    "qtransform_by_tree_min_max",
    "qtransform_completed_by_mix_value",
    "reroot",
    "stochastic_muzero_policy",
]
