"""AlphaGo's view of Go (Silver et al. 2016): the planes of its networks, the features of its fast
policy, and rollouts by that policy.

A weight w of a feature makes moves that have it e^w times as likely. Features are numbered

    0        response: one of the twelve points around the last move
    1        saves an own chain from being taken
    2        beside the last move: 8, by direction
    10       nakade: where three to six stones were taken, by their shape: 2^13
    8202     response pattern: the twelve points around the last move, and which of them: 2^15
    40970    pattern: the eight points around the move: 2^17

and patterns, of stones whose chains have 1, 2 or more liberties, are hashed into so many places.
"""

from __future__ import annotations

import tensorflow as tf

from ops.games import native
from ops.games.rules import Rules

NUM_PLANES = 48
NUM_FEATURES = 172_042  # kNumGoFeatures of cc/kernels/go_patterns.h.
MAX_LADDER_MOVES = 200


def planes(rules: Rules, state: tf.Tensor, ladder_moves: int = 100) -> tf.Tensor:
    """The 48 planes that the player to move sees: float32 [B, N, N, 48], of ones and zeros.

    Own stones, the other's, none; ones; then eight planes each, of which the k-th is 1 where the
    number is k, the last also where it is more: turns since the stone was played, liberties of its
    chain, and of a legal move the stones that it takes, the stones of its own chain if that is left
    with one liberty, its chain's liberties; then moves that take a chain in a ladder, moves that
    save one from it, legal moves that fill no own eye; zeros.

    Args:
      rules: of Go.
      state: uint8 [B, S].
      ladder_moves: that are read for a ladder, at most; what is not settled by then is none. 0:
        ladders are not read. Up to MAX_LADDER_MOVES.
    """
    return native.go_planes(state, _go(rules), ladder_moves)


def features(rules: Rules, state: tf.Tensor, nakade: bool = False) -> tf.Tensor:
    """The features of each action: int32 [B, A, 6], -1 where there is none of a kind.

    The kinds are pattern, response, response pattern, neighbour, save and nakade. Moves that a
    rollout does not make (illegal, to fill an own eye, to pass) have no pattern.

    Args:
      rules: of Go.
      state: uint8 [B, S].
      nakade: whether shapes of stones that were taken are features.
    """
    return native.go_features(state, _go(rules), nakade)


def rollout(
    rules: Rules,
    state: tf.Tensor,
    weights: tf.Tensor | None,
    seed: tf.Tensor,
    nakade: bool = False,
) -> tf.Tensor:
    """Plays each state to its end, and returns the outcome for its player to move: [B], ±1 or 0.

    Moves are drawn from the softmax of the weights of their features, among those that fill no own
    eye; a player passes where nothing is left. Of repeated boards only the last but one is
    forbidden. What comes out does not depend on the number of threads.

    Args:
      rules: of Go.
      state: uint8 [B, S].
      weights: float32 [NUM_FEATURES], below 13.8 each; None: all moves are as likely.
      seed: int32 [2], or, one a row, [B, 2].
      nakade: see `features`.
    """
    odds = None if weights is None else tf.exp(weights)
    return rollout_by_odds(rules, state, odds, seed, nakade)


def rollout_by_odds(
    rules: Rules,
    state: tf.Tensor,
    odds: tf.Tensor | None,
    seed: tf.Tensor,
    nakade: bool = False,
) -> tf.Tensor:
    """As `rollout`, with e^weights: a search works them out once, and not at each simulation."""
    odds = tf.zeros([0]) if odds is None else odds
    return native.go_rollout(state, odds, seed, _go(rules), nakade)


def _go(rules):
    if rules.name != "go":
        raise ValueError(f"rules are those of {rules.name}, expected go")
    return rules.options
