"""Episodes as items in replay, one a position, each with the targets that are known at the end.

An item is about one position t of an episode of L moves. Its rows are t − C … t + T − C − 1. Rows
before the episode and behind its last observation (row L) are zeros:

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
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import reverb
import tensorflow as tf
import tree
from acme import specs

from agents.adders import WholeEpisodeAdder
from agents.returns import n_step_returns
from agents.types import Trajectory


def recorded(num_actions: int) -> dict[str, Any]:
    """Zeros of what a searching policy records of a move."""
    return {
        "search_policy": np.zeros(num_actions, np.float32),
        "search_value": np.float32(0.0),
        "searched_at": np.int32(0),
    }


def value_targets(
    rewards: np.ndarray,
    discounts: np.ndarray,
    values: np.ndarray,
    discount: float,
    n_step: int | None,
) -> np.ndarray:
    """Targets z [L] of an episode of L moves, from rewards, discounts and search values, all [L].

    Args:
      rewards, discounts, values: of each move.
      discount: γ, by which the environment's discounts are multiplied; negative where two players
        take turns.
      n_step: rewards before the bootstrap; None: the outcome of the episode. One that a time limit
        cut off bootstraps from its last searched position.
    """
    over = discounts[-1] == 0
    used = len(rewards) if over else len(rewards) - 1
    bootstrap = np.append(values[:used], 0.0 if over else values[-1]).astype(np.float32)
    if used == 0:
        return bootstrap
    # Of a few lengths, each traced once: op by op this took half the time of self-play.
    padding = (0, (1 << (used - 1).bit_length()) - used)
    targets = _n_step_returns(n_step)(
        np.pad(rewards[:used], padding)[None],
        np.pad(np.float32(discount) * discounts[:used], padding, constant_values=1.0)[None],
        np.pad(bootstrap, padding, mode="edge")[None],
    )
    targets = targets[0, :used].numpy()
    return targets if over else np.append(targets, bootstrap[-1])


@functools.cache
def _n_step_returns(n: int | None) -> Callable[..., tf.Tensor]:
    function = tf.function(lambda *inputs: n_step_returns(*inputs, n), autograph=False)
    # Tensors, so that it is traced for their shapes and not for what is in them.
    return lambda *inputs: function(*map(tf.constant, inputs))


def signature(spec: specs.EnvironmentSpec, length: int, recorded: Mapping[str, Any]) -> Trajectory:
    """TensorSpecs of an item, leaves [T, …]; `recorded`: zeros of a move's extras."""
    return tree.map_structure_with_path(
        lambda path, leaf: tf.TensorSpec(
            [length, *leaf.shape], leaf.dtype, "/".join(map(str, path))
        ),
        _zero_row(spec, recorded),
    )


class PositionAdder(WholeEpisodeAdder):
    """Writes an episode when it is over: an item for each of its positions.

    Only then are its targets known, and with them the priorities |search value − target|. Rows are
    stored once; the items refer to them.

    Args:
      client: of the replay.
      table: the items'.
      length: T, rows of an item.
      context: C, rows before the position that it is about.
      discount, n_step: of the value targets.
      min_priority: added to the distance of search value and target.
    """

    def __init__(
        self,
        client: reverb.Client,
        table: str,
        *,
        length: int,
        discount: float,
        n_step: int | None,
        context: int = 0,
        min_priority: float = 0.0,
    ) -> None:
        super().__init__()
        self._table, self._length, self._context = table, length, context
        self._discount, self._n_step, self._min_priority = discount, n_step, min_priority
        self._writer = client.trajectory_writer(num_keep_alive_refs=length)

    def write(self) -> None:
        """Writes rows and items."""
        rows = self._rows()
        length, last = len(self.moves), rows[-1]
        before = tree.map_structure(np.zeros_like, rows[0])
        behind = last._replace(observation=before.observation)
        padding = self._length - 1 - self._context
        for row in [before] * self._context + rows + [behind] * (padding - 1):
            # Lists of leaves: with nests, Reverb's writer spends most of its time on their paths.
            self._writer.append(tree.flatten(row))
            appended = self._writer.episode_steps
            position = appended - self._length
            if 0 <= position < length:
                item = [column[-self._length :] for column in self._writer.history]
                self._writer.create_item(self._table, self._priority(rows[position]), item)
        self._writer.end_episode()

    def _priority(self, row: Trajectory) -> float:
        extras = row.extras
        error = abs(float(extras["search_value"] - extras["value_target"]))
        return error + self._min_priority

    def _rows(self) -> list[Trajectory]:
        """Rows 0 … L."""
        rewards = np.array([step.reward for _, step, _ in self.moves], np.float32)
        discounts = np.array([step.discount for _, step, _ in self.moves], np.float32)
        values = np.array([extras["search_value"] for _, _, extras in self.moves], np.float32)
        targets = value_targets(rewards, discounts, values, self._discount, self._n_step)
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


def _zero_row(spec: specs.EnvironmentSpec, recorded: Mapping[str, Any]) -> Trajectory:
    zeros = lambda array: np.zeros(array.shape, array.dtype)  # noqa: E731
    zero = np.float32(0.0)
    known = {"value_target": zero, "policy_weight": zero, "value_weight": zero}
    return Trajectory(
        tree.map_structure(zeros, spec.observations),
        zeros(spec.actions),
        zero,
        zero,
        np.asarray(False),
        {**recorded, **known},
    )
