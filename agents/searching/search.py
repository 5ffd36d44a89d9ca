"""The search of one move, by an agent's settings: PUCT with noise at the root, or Gumbel's."""

from __future__ import annotations

import tensorflow as tf

from agents.searching.config import SearchingConfig
from ops import mcts
from ops.mcts.qtransforms import QTransform
from ops.mcts.search import RecurrentFn


def search(
    config: SearchingConfig,
    root: mcts.RootFnOutput | None,
    model: RecurrentFn,
    legal_actions: tf.Tensor | None,
    seed: tf.Tensor,
    *,
    num_simulations: int,
    explore: bool,
    simulations: tf.Tensor | None = None,
    backend: str | None = None,
    search_tree: mcts.SearchTree | None = None,
    begun: mcts.SearchTree | None = None,
    added: tf.Tensor | None = None,
) -> mcts.PolicyOutput:
    """Searches from roots of B rows; `explore` adds noise there.

    With `simulations`, an int32 scalar, so many are run of the `num_simulations` there is room for.
    A `search_tree` from the last move takes the place of the root (not for `gumbel`). The result's
    `action` is the most visited one (of a Gumbel search: its own choice). `begun` and `added`: see
    `mcts.muzero_policy`.
    """
    invalid = None
    if legal_actions is not None:
        # A row behind a game's end has none; what is found there is not used.
        over = tf.logical_not(tf.reduce_any(legal_actions, axis=1, keepdims=True))
        invalid = tf.logical_not(legal_actions | over)
    shared = {
        "invalid_actions": invalid,
        "max_depth": config.max_depth,
        "seed": seed,
        "simulations": simulations,
        "begun": begun,
        "added": added,
        "backend": backend or config.search_backend,
    }
    if config.search == "gumbel":
        return mcts.gumbel_muzero_policy(
            root,
            model,
            num_simulations,
            qtransform=_gumbel_q_transform(config),
            max_num_considered_actions=config.max_considered_actions,
            gumbel_scale=1.0 if explore else 0.0,
            **shared,
        )
    return mcts.muzero_policy(
        root,
        model,
        num_simulations,
        qtransform=q_transform(config),
        dirichlet_fraction=config.dirichlet_fraction if explore else 0.0,
        dirichlet_alpha=config.dirichlet_alpha,
        pb_c_init=config.pb_c_init,
        pb_c_base=config.pb_c_base,
        temperature=0.0,
        search_tree=search_tree,
        **shared,
    )


def host_tree(
    config: SearchingConfig, root: mcts.RootFnOutput, room: int, seed: tf.Tensor, explore: bool
) -> mcts.Tree:
    """The trees of a search that is driven from the host, see `search`."""
    shared = {
        "max_depth": config.max_depth,
        "seed": seed,
        "backend": config.search_backend,
    }
    if config.search == "gumbel":
        return mcts.Tree(
            root,
            room,
            qtransform=_gumbel_q_transform(config),
            rule="gumbel",
            max_num_considered_actions=config.max_considered_actions,
            gumbel_scale=1.0 if explore else 0.0,
            **shared,
        )
    return mcts.Tree(
        root,
        room,
        qtransform=q_transform(config),
        dirichlet_fraction=config.dirichlet_fraction if explore else 0.0,
        dirichlet_alpha=config.dirichlet_alpha,
        pb_c_init=config.pb_c_init,
        pb_c_base=config.pb_c_base,
        **shared,
    )


def q_transform(config: SearchingConfig) -> QTransform:
    """How PUCT scales values; see `SearchingConfig.q_scale`."""
    if config.q_scale == "bounds":
        return mcts.qtransform_by_min_max(-1.0, 1.0, config.fpu_reduction)
    if config.q_scale == "siblings":
        return mcts.qtransform_by_parent_and_siblings()
    return mcts.qtransform_by_tree_min_max()


def _gumbel_q_transform(config: SearchingConfig) -> QTransform:
    return mcts.qtransform_completed_by_mix_value(
        value_scale=config.gumbel_value_scale,
        maxvisit_init=config.gumbel_maxvisit_init,
        rescale_values=config.q_scale != "bounds",
    )
