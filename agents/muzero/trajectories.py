"""What MuZero's update reads of an item: a position, what was done from there on, what came of it.

The items are those of `agents/searching/positions.py`: C rows of context, which the representation
sees, K + 1 positions, and n more rows where Reanalyze looks up the bootstrap.
"""

from __future__ import annotations

from typing import NamedTuple

import sonnet as snt
import tensorflow as tf

from agents import replicas
from agents.boards.observations import split
from agents.muzero.config import MuZeroConfig
from agents.types import Trajectory


class Positions(NamedTuple):
    """What one update learns from.

    Attributes:
      observations: [B, S, …], the newest last.
      past_actions: int32 [B, S], what led to each.
      actions: int32 [B, K], what was done from there on.
      rewards: [B, K], what came of it.
      value_targets: [B, K + 1].
      policy_targets: [B, K + 1, A].
      policy_weights, value_weights: [B, K + 1], 0 where nothing is known. A position was reached
        where the policy of the one before it is known.
      searched_at: int32 [B], updates that the network had seen that chose the first action.
      later: what the network sees at the K positions behind the first, observations [B · K, S, …]
        and past actions [B · K, S]; None where `consistency_scale` is 0.
    """

    observations: tf.Tensor
    past_actions: tf.Tensor
    actions: tf.Tensor
    rewards: tf.Tensor
    value_targets: tf.Tensor
    policy_targets: tf.Tensor
    policy_weights: tf.Tensor
    value_weights: tf.Tensor
    searched_at: tf.Tensor
    later: tuple[tf.Tensor, tf.Tensor] | None = None


def stacks(trajectory: Trajectory, rows: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """What the network sees at rows int32 [B, P] of a batch [B, T, …].

    Returns:
      observations [B · P, S, …], the newest last, and what led to them, actions int32 [B · P, S].
    """
    observation, _ = split(trajectory.observation)
    last = rows[..., None] + tf.range(1 - size, 1)  # [B, P, S]
    pick = lambda values, index: snt.merge_leading_dims(  # noqa: E731
        tf.gather(values, index, batch_dims=1), 2
    )
    if size == 1:
        return pick(observation, last), tf.zeros_like(pick(trajectory.action, last))
    return pick(observation, last), pick(trajectory.action, last - 1)


def positions(
    trajectory: Trajectory, config: MuZeroConfig, num_actions: int, seed: tf.Tensor
) -> Positions:
    """Cuts a batch [B, T, …] up; behind an episode's end actions are uniformly random."""
    start, end = config.context, config.context + config.unroll_steps
    extras = trajectory.extras
    known = extras["policy_weight"][:, start:end] > 0
    actions = trajectory.action[:, start:end]
    random = replicas.drawn(
        lambda shape: tf.random.stateless_uniform(shape, seed, 0, num_actions, tf.int32),
        tf.unstack(tf.shape(actions)),
    )
    rows = tf.fill([tf.shape(actions)[0], 1], start)
    observations, past = stacks(trajectory, rows, config.frame_stack)
    cut = Positions(
        observations,
        past,
        tf.where(known, actions, random),
        trajectory.reward[:, start:end],
        extras["value_target"][:, start : end + 1],
        extras["search_policy"][:, start : end + 1],
        extras["policy_weight"][:, start : end + 1],
        extras["value_weight"][:, start : end + 1],
        extras["searched_at"][:, start],
        _later(trajectory, config) if config.consistency_scale else None,
    )
    return _mirrored(cut, num_actions, seed) if config.mirror else cut


def _later(trajectory: Trajectory, config: MuZeroConfig) -> tuple[tf.Tensor, tf.Tensor]:
    first, batch = config.context + 1, tf.shape(trajectory.reward)[0]
    rows = tf.range(first, first + config.unroll_steps)
    return stacks(trajectory, tf.tile(rows[None], [batch, 1]), config.frame_stack)


def _mirrored(data: Positions, num_actions: int, seed: tf.Tensor) -> Positions:
    """Turns each position left to right with probability ½: boards, actions and policies."""
    own_seed = tf.random.experimental.stateless_fold_in(seed, 1)
    uniform = replicas.drawn(
        lambda shape: tf.random.stateless_uniform(shape, own_seed),
        tf.unstack(tf.shape(data.searched_at)),
    )
    turned = uniform < 0.5  # [B]

    def choose(mirror: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        # Of a batch of B · K each is turned as its position is.
        rows = tf.repeat(turned, tf.shape(values)[0] // tf.shape(turned)[0])
        return tf.where(tf.reshape(rows, [-1] + [1] * (values.shape.rank - 1)), mirror, values)

    def seen(board: tf.Tensor, past: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # [B, S, H, W, P] and [B, S]
        return choose(tf.reverse(board, axis=[3]), board), choose(num_actions - 1 - past, past)

    board, past = seen(data.observations, data.past_actions)
    return data._replace(
        observations=board,
        past_actions=past,
        actions=choose(num_actions - 1 - data.actions, data.actions),
        policy_targets=choose(tf.reverse(data.policy_targets, axis=[2]), data.policy_targets),
        later=None if data.later is None else seen(*data.later),
    )
