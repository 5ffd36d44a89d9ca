"""Features of what is seen and of what is remembered: the last frames, the last action, a core.

A policy's state is a flat dict of what its torso remembers between two steps; nothing stands in it
that the torso does not use:

    observations   [B, S − 1, …]   the last observations, where it sees S > 1 together
    action         int32 [B]       the last action, −1 before the first, where there is a core
    hidden, cell   [B, H]          of the core, an LSTM of H units
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sonnet as snt
import tensorflow as tf

from agents.frame_stacking import empty_stack, into_channels, stacks_of
from agents.networks.recurrent import LSTM

Memory = Mapping[str, tf.Tensor]

MEANINGS: Mapping[str, str] = {
    "state_observations": "the last observations, the newest last",
    "state_action": "the last action, -1 before the first",
    "state_hidden": "of the recurrent core: what it said last",
    "state_cell": "of the recurrent core: what it keeps to itself",
}


def memory_spec(
    frame_stack: int, core_size: int | None, observation: tf.TensorSpec
) -> dict[str, tf.TensorSpec]:
    """The TensorSpec of each entry of one row's memory; empty where nothing is remembered."""
    spec = {}
    if frame_stack > 1:
        shape = [frame_stack - 1, *observation.shape]
        spec["observations"] = tf.TensorSpec(shape, observation.dtype, "observations")
    if core_size is not None:
        spec["action"] = tf.TensorSpec([], tf.int32, "action")
        spec["hidden"] = tf.TensorSpec([core_size], tf.float32, "hidden")
        spec["cell"] = tf.TensorSpec([core_size], tf.float32, "cell")
    return spec


class RecurrentTorso(snt.Module):
    """Observations [B, …] → features [B, F], step by step or for many rows at once.

    Args:
      perception: stacks of observations as one [N, …, S · C] → features [N, F].
      frame_stack: S.
      core_size: H, units of the LSTM behind it, which sees the last action as well; None: there is
        none.
      num_actions: A.
      observation: of one observation.
    """

    def __init__(
        self,
        perception: Callable[[tf.Tensor], tf.Tensor],
        frame_stack: int,
        core_size: int | None,
        num_actions: int,
        observation: tf.TensorSpec,
    ) -> None:
        super().__init__(name="torso")
        self._perception, self._num_actions = perception, num_actions
        self._frame_stack, self._observation = frame_stack, observation
        self._spec = memory_spec(frame_stack, core_size, observation)
        self._core = None if core_size is None else LSTM(core_size)

    def initial_state(self, batch_size: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """The memory [B, …] before an episode."""
        state = {k: tf.zeros([batch_size, *v.shape], v.dtype) for k, v in self._spec.items()}
        return {k: v - 1 if k == "action" else v for k, v in state.items()}

    def step(self, observation: tf.Tensor, state: Memory) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Features [B, F], and the memory but for the action that is then taken."""
        following = dict(state)
        stack = observation[:, None]
        if "observations" in state:
            stack = tf.concat([state["observations"], stack], axis=1)
            following["observations"] = stack[:, 1:]
        features = self._perception(into_channels(stack))
        if self._core is None:
            return features, following
        inputs = self._with_action(features, state["action"])
        features, cell = self._core(inputs, state["hidden"], state["cell"])
        return features, following | {"hidden": features, "cell": cell}

    def remember(self, state: Memory, action: tf.Tensor) -> dict[str, tf.Tensor]:
        """The memory with the action [B] that was taken."""
        return {k: tf.cast(action, tf.int32) if k == "action" else v for k, v in state.items()}

    def unroll(
        self,
        observations: tf.Tensor,
        actions: tf.Tensor,
        starts: tf.Tensor,
        state: Memory,
        burn_in: int = 0,
    ) -> tf.Tensor:
        """The features that `step` gives row after row.

        Args:
          observations: [B, T, …].
          actions: [B, T − 1 or more], taken in the rows.
          starts: bool [B, T], rows in which an episode starts.
          state: the memory [B, …] before the first row.
          burn_in: rows that no gradient goes back to.

        Returns:
          [B, T − burn_in, F], of the rows behind those.
        """
        before = state.get("observations")
        if before is None:
            before = empty_stack(tf.shape(observations)[0], 0, self._observation)
        stacks = stacks_of(before, observations, starts)
        seen = self._features(stacks[:, burn_in:])
        if self._core is None:
            return seen
        if burn_in:
            warming = tf.stop_gradient(self._features(stacks[:, :burn_in]))
            seen = tf.concat([warming, seen], axis=1)
        previous = tf.concat([state["action"][:, None], tf.cast(actions, tf.int32)], axis=1)
        previous = tf.where(starts, -1, previous[:, : starts.shape[1]])
        inputs = self._with_action(seen, previous)
        return self._core.unroll(inputs, starts, state["hidden"], state["cell"], burn_in)

    def _features(self, stacks: tf.Tensor) -> tf.Tensor:
        """Stacks [B, T, S, …] → [B, T, F]."""
        shape = tf.shape(stacks)
        merged = tf.reshape(stacks, tf.concat([[-1], shape[2:]], axis=0))
        merged = tf.ensure_shape(merged, [None, self._frame_stack, *self._observation.shape])
        features = self._perception(into_channels(merged))  # [B · T, F]
        size = features.shape[-1]
        features = tf.reshape(features, tf.concat([shape[:2], [size]], axis=0))
        return tf.ensure_shape(features, [None, stacks.shape[1], size])

    def _with_action(self, features: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        return tf.concat([features, tf.one_hot(action, self._num_actions)], axis=-1)
