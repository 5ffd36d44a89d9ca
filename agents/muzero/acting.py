"""MuZero's policy: a tree search in the learned model at every move (paper, appendix B)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from agents.boards.observations import split
from agents.frame_stacking import empty_stack, push
from agents.muzero.config import MuZeroConfig
from agents.muzero.networks import MuZeroNetwork
from agents.searching.policy import TreePolicy
from ops import mcts
from ops.mcts.search import RecurrentFn


def root_of(
    network: MuZeroNetwork, observations: tf.Tensor, past_actions: tf.Tensor
) -> mcts.RootFnOutput:
    """What a search begins with."""
    root = network.initial_inference(observations, past_actions)
    return mcts.RootFnOutput(root.prior_logits, network.to_number(root.value), root.latent)


def recurrent_fn(config: MuZeroConfig, network: MuZeroNetwork) -> RecurrentFn:
    """The learned model as the search asks for it."""

    def step(action: tf.Tensor, latent: tf.Tensor) -> tuple[mcts.RecurrentFnOutput, tf.Tensor]:
        prediction = network.recurrent_inference(latent, action)
        value = network.to_number(prediction.value)
        reward = network.to_number(prediction.reward)
        discount = tf.fill(tf.shape(value), tf.constant(config.discount, tf.float32))
        output = mcts.RecurrentFnOutput(reward, discount, prediction.prior_logits, value)
        return output, prediction.latent

    return step


class MuZeroPolicy(TreePolicy):
    """Searches in the learned model at every step.

    The state carries the number of moves made and, where the representation sees several
    observations, the last ones with the actions that led to them.
    """

    def __init__(
        self,
        config: MuZeroConfig,
        network: MuZeroNetwork,
        observation_spec: Any,
        action_spec: tf.TensorSpec,
        evaluation: bool,
    ) -> None:
        super().__init__(
            config,
            network.training_step,
            observation_spec,
            action_spec,
            evaluation,
            name="muzero_policy",
        )
        self._network = network
        self._seen, _ = split(observation_spec)
        self.meanings = {
            **self.meanings,
            "state_observations": "the last observations, the newest last",
            "state_actions": "the actions that led to them; the last place is for the one to come",
        }

    def initial_state(self, batch_size: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """`moves` int32 [B]; with a stack `observations` [B, S, …] and `actions` int32 [B, S]."""
        state = super().initial_state(batch_size)
        if (size := self._config.frame_stack) > 1:
            state["observations"] = empty_stack(batch_size, size, self._seen)
            # One more than there are frames in between: the action to come takes the last place.
            state["actions"] = tf.zeros([batch_size, size], tf.int32)
        return state

    def searched(
        self, observation: Any, state: dict[str, tf.Tensor]
    ) -> tuple[mcts.RootFnOutput, RecurrentFn]:
        """See `TreePolicy.searched`."""
        root = root_of(self._network, *self._stack(observation, state))
        return root, recurrent_fn(self._config, self._network)

    def conclude(self, observation, state, found, action, info, seed):
        """See `TreePolicy.conclude`."""
        action, following, info = super().conclude(observation, state, found, action, info, seed)
        if self._config.frame_stack > 1:
            following["observations"], past = self._stack(observation, state)
            following["actions"] = tf.concat([past[:, 1:], action[:, None]], axis=1)
        return action, following, info

    def _stack(
        self, observation: Any, state: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        seen, _ = split(observation)
        if self._config.frame_stack == 1:
            return seen[:, None], tf.zeros_like(state["moves"])[:, None]
        return push(state["observations"], seen), state["actions"]
