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
