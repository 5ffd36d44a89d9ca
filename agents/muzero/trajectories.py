"""What MuZero writes to replay and reads from it.

An item is about one position t of an episode of L moves. Its rows are t − C … t + K, and n more
where Reanalyze looks up the bootstrap; C is the context that the representation sees. Rows before
the episode and behind its last observation (row L) are zeros:

    row              …  -1 |  0   1   2  …  L-1 |  L    L+1  …
    observation          0 | o_0 o_1 o_2   o_L-1| o_L    0
    search_policy        0 | π_0 π_1 π_2   π_L-1|  0     0
    value_target         0 | z_0 z_1 z_2   z_L-1|  0     0
    policy_weight        0 |  1   1   1     1   |  0     0      no policy behind the end
    value_weight         0 |  1   1   1     1   |  1     1      over: value and reward 0 for ever
                                                |  0     0      cut by a time limit: unknown
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import reverb
import sonnet as snt
import tensorflow as tf
import tree
from acme import specs

from agents.adders import WholeEpisodeAdder
from agents.boards.observations import split
from agents.muzero.config import MuZeroConfig
from agents.returns import n_step_returns
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
      policy_weights, value_weights: [B, K + 1], 0 where nothing is known.
      searched_at: int32 [B], updates that the network had seen that chose the first action.
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
    random = tf.random.stateless_uniform(tf.shape(actions), seed, 0, num_actions, tf.int32)
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
    )
    return _mirrored(cut, num_actions, seed) if config.mirror else cut


def _mirrored(data: Positions, num_actions: int, seed: tf.Tensor) -> Positions:
    """Turns each position left to right with probability ½: boards, actions and policies."""
    own_seed = tf.random.experimental.stateless_fold_in(seed, 1)
    turned = tf.random.stateless_uniform(tf.shape(data.searched_at), own_seed) < 0.5  # [B]

    def choose(mirror: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        return tf.where(tf.reshape(turned, [-1] + [1] * (values.shape.rank - 1)), mirror, values)

    board, policies = data.observations, data.policy_targets
    return data._replace(
        observations=choose(tf.reverse(board, axis=[3]), board),  # [B, S, H, W, P]
        past_actions=choose(num_actions - 1 - data.past_actions, data.past_actions),
        actions=choose(num_actions - 1 - data.actions, data.actions),
        policy_targets=choose(tf.reverse(policies, axis=[2]), policies),
    )


def value_targets(
    rewards: np.ndarray, discounts: np.ndarray, values: np.ndarray, config: MuZeroConfig
) -> np.ndarray:
    """Targets z [L] of an episode of L moves, from rewards, discounts and search values, all [L].

    An episode that a time limit cut off bootstraps from its last searched position.
    """
    over = discounts[-1] == 0
    used = len(rewards) if over else len(rewards) - 1
    bootstrap = np.append(values[:used], 0.0 if over else values[-1]).astype(np.float32)
    if used == 0:
        return bootstrap
    # Of a few lengths, each traced once: op by op this took half the time of self-play.
    padding = (0, (1 << (used - 1).bit_length()) - used)
    targets = _n_step_returns(config.n_step)(
        np.pad(rewards[:used], padding)[None],
        np.pad(np.float32(config.discount) * discounts[:used], padding, constant_values=1.0)[None],
        np.pad(bootstrap, padding, mode="edge")[None],
    )
    targets = targets[0, :used].numpy()
    return targets if over else np.append(targets, bootstrap[-1])


@functools.cache
def _n_step_returns(n: int | None) -> Callable[..., tf.Tensor]:
    function = tf.function(lambda *inputs: n_step_returns(*inputs, n), autograph=False)
    # Tensors, so that it is traced for their shapes and not for what is in them.
    return lambda *inputs: function(*map(tf.constant, inputs))


def signature(spec: specs.EnvironmentSpec, config: MuZeroConfig) -> Trajectory:
    """TensorSpecs of an item, leaves [T, …]."""
    step = _zero_row(spec)
    return tree.map_structure_with_path(
        lambda path, leaf: tf.TensorSpec(
            [config.length, *leaf.shape], leaf.dtype, "/".join(map(str, path))
        ),
        step,
    )


class PositionAdder(WholeEpisodeAdder):
    """Writes an episode when it is over: an item for each of its positions.

    Only then are its targets known, and with them the priorities |search value − target|. Rows are
    stored once; the items refer to them.
    """

    def __init__(self, client: reverb.Client, table: str, config: MuZeroConfig) -> None:
        super().__init__()
        self._table, self._config = table, config
        self._writer = client.trajectory_writer(num_keep_alive_refs=config.length)

    def write(self) -> None:
        """Writes rows and items."""
        config, rows = self._config, self._rows()
        length, last = len(self.moves), rows[-1]
        before = tree.map_structure(np.zeros_like, rows[0])
        behind = last._replace(observation=before.observation)
        padding = config.length - 1 - config.context
        for row in [before] * config.context + rows + [behind] * (padding - 1):
            # Lists of leaves: with nests, Reverb's writer spends most of its time on their paths.
            self._writer.append(tree.flatten(row))
            appended = self._writer.episode_steps
            position = appended - config.length
            if 0 <= position < length:
                item = [column[-config.length :] for column in self._writer.history]
                self._writer.create_item(self._table, self._priority(rows[position]), item)
        self._writer.end_episode()

    def _priority(self, row: Trajectory) -> float:
        extras = row.extras
        error = abs(float(extras["search_value"] - extras["value_target"]))
        return error + self._config.min_priority

    def _rows(self) -> list[Trajectory]:
        """Rows 0 … L."""
        rewards = np.array([step.reward for _, step, _ in self.moves], np.float32)
        discounts = np.array([step.discount for _, step, _ in self.moves], np.float32)
        values = np.array([extras["search_value"] for _, _, extras in self.moves], np.float32)
        targets = value_targets(rewards, discounts, values, self._config)
        rows = [
            Trajectory(
                observation,
                np.asarray(action, np.int32),
                rewards[t],
                discounts[t],
                np.asarray(t == 0),
                self._extras(recorded, targets[t]),
            )
            for t, (observation, (action, _, recorded)) in enumerate(
                zip(self.observations[:-1], self.moves, strict=True)
            )
        ]
        return [*rows, self._last_row(rows[0])]

    def _extras(self, recorded: dict[str, Any], target: float) -> dict[str, Any]:
        one = np.float32(1.0)
        return {
            **recorded,
            "value_target": np.float32(target),
            "policy_weight": one,
            "value_weight": one,
        }

    def _last_row(self, like: Trajectory) -> Trajectory:
        """Row L: of an episode that is over, the value from there on is known to be 0."""
        row = tree.map_structure(np.zeros_like, like)
        over = np.float32(self.moves[-1][1].discount == 0)
        extras = {**row.extras, "value_weight": over}
        return row._replace(observation=self.observations[-1], extras=extras)


def _zero_row(spec: specs.EnvironmentSpec) -> Trajectory:
    zeros = lambda array: np.zeros(array.shape, array.dtype)  # noqa: E731
    zero = np.float32(0.0)
    return Trajectory(
        tree.map_structure(zeros, spec.observations),
        zeros(spec.actions),
        zero,
        zero,
        np.asarray(False),
        {
            "search_policy": np.zeros(spec.actions.num_values, np.float32),
            "search_value": zero,
            "searched_at": np.int32(0),
            "value_target": zero,
            "policy_weight": zero,
            "value_weight": zero,
        },
    )
