"""The native ops (cc/) as functions of states and options."""

from __future__ import annotations

import tensorflow as tf

from ops import loader
from ops.games.options import Options


def step(state: tf.Tensor, action: tf.Tensor, options: Options) -> tuple[tf.Tensor, ...]:
    """As games_reference.step."""
    return _ops().lookahead_games_step(state=state, action=action, **_attributes(options))


def legal(state: tf.Tensor, options: Options) -> tf.Tensor:
    """As games_reference.legal."""
    return _ops().lookahead_games_legal(state=state, **_attributes(options))


def observe(state: tf.Tensor, options: Options) -> tf.Tensor:
    """As games_reference.observe."""
    return _ops().lookahead_games_observe(state=state, **_attributes(options))


def go_planes(state: tf.Tensor, options: Options, ladder_moves: int) -> tf.Tensor:
    """See go.planes."""
    attributes = _attributes(options)
    return _ops().lookahead_games_go_planes(state=state, ladder_moves=ladder_moves, **attributes)


def go_features(state: tf.Tensor, options: Options, nakade: bool) -> tf.Tensor:
    """See go.features."""
    return _ops().lookahead_games_go_features(state=state, nakade=nakade, **_attributes(options))


def go_rollout(
    state: tf.Tensor, odds: tf.Tensor, seed: tf.Tensor, options: Options, nakade: bool
) -> tf.Tensor:
    """See go.rollout; without odds, [0], moves are uniformly random."""
    attributes = _attributes(options)
    return _ops().lookahead_games_go_rollout(
        state=state, odds=odds, seed=seed, nakade=nakade, **attributes
    )


def _ops():
    return loader.load("games")


def _attributes(options):
    return dict(
        game=options.name,
        size=options.height,
        history=options.history,
        max_moves=options.max_moves,
        komi=options.komi,
        suicide=options.suicide,
        superko=options.superko,
    )
