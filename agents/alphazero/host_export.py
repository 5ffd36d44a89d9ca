"""What is saved of a policy that searches on the host, and the policy that plays with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from agents.alphazero.config import AlphaZeroConfig
from agents.alphazero.networks import AlphaZeroNetwork, Prediction
from agents.boards.observations import split
from agents.policy import NetworkPolicy, SavedNetwork

# What a search on the host goes by.
_SETTINGS = (
    "search",
    "num_simulations",
    "evaluation_simulations",
    "served_simulations",
    "max_depth",
    "pb_c_init",
    "pb_c_base",
    "q_scale",
    "fpu_reduction",
    "max_considered_actions",
    "gumbel_value_scale",
    "gumbel_maxvisit_init",
    "search_backend",
    "walks",
    "cached_positions",
    "max_legal",
)
# Evaluations that a player keeps at least: its searches begin anew, and see most positions again.
_CACHED = 20_000


class AlphaZeroNetworkPolicy(NetworkPolicy):
    """The network alone; its own move is the likeliest of the legal ones."""

    takes_seeds = True

    def __init__(
        self,
        config: AlphaZeroConfig,
        network: AlphaZeroNetwork,
        observation_spec: Any,
        action_spec: tf.TensorSpec,
    ) -> None:
        super().__init__(name="alphazero_network_policy")
        self.observation_spec, self.action_spec = observation_spec, action_spec
        self._network = network
        self.search_settings = {name: getattr(config, name) for name in _SETTINGS}
        self.meanings = {
            "observation_board": "the board's planes, seen from the mover's side",
            "action": "the move that the network finds likeliest, without a search",
            "info_prior": "how likely the network finds each move, 0 to 1; they sum to 1",
            "info_value": "what it expects the mover to get, -1 to 1",
            "planes": "as `observation_board`; nothing is checked",
            "prior_logits": "of all actions, legal or not",
            "value": "what the mover is expected to get, -1 to 1",
            "updates": "that the network has seen",
        }

    def initial_state(self, batch_size: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """No state: an empty dict."""
        return {}

    @tf.function(autograph=False, reduce_retracing=True)
    def step(self, observation, state, seed):
        """See `Policy.step`; `info` holds `prior` [B, A] and `value` [B]."""
        seen, legal = split(observation)
        prediction = self._network(seen)
        logits = tf.where(legal, prediction.prior_logits, tf.float32.min)
        action = tf.argmax(logits, axis=1, output_type=self.action_spec.dtype)
        return action, state, {"prior": tf.nn.softmax(logits), "value": prediction.value}

    def evaluate(self, planes: tf.Tensor) -> dict[str, tf.Tensor]:
        """See `NetworkPolicy.evaluate`."""
        updates = tf.identity(self._network.training_step)
        return {**self._network(planes)._asdict(), "updates": updates}


class LoadedNetwork:
    """A network that was saved, as `HostAlphaZeroPolicy` asks it; see `AlphaZeroNetwork`."""

    rules = None
    variables = ()

    def __init__(self, saved: SavedNetwork) -> None:
        seen, legal = split(saved.observation_spec)
        self.num_actions, self._evaluate = legal.shape[0], saved.evaluate
        self.training_step = self._evaluate(tf.zeros([1, *seen.shape]))["updates"]

    def __call__(self, planes: tf.Tensor) -> Prediction:
        """Predicts from planes [B, H, W, P]."""
        said = self._evaluate(planes)
        return Prediction(said["prior_logits"], said["value"])


def settings_of_play(settings: Mapping[str, Any], num_simulations: int | None) -> dict[str, Any]:
    """Settings as they were saved → those of a player, which keeps evaluations in any case.

    Raises:
      ValueError: they are not those of this version.
    """
    if set(settings) != set(_SETTINGS):
        wrong = ", ".join(sorted(set(settings) ^ set(_SETTINGS)))
        raise ValueError(
            f"the policy was saved by another version, whose search has other settings: {wrong}; "
            "resume its run with this version to save it again"
        )
    kept = {"cached_positions": max(settings["cached_positions"], _CACHED)}
    own = {} if num_simulations is None else {"evaluation_simulations": num_simulations}
    return {**settings, **kept, **own}
