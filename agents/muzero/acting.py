"""MuZero's policy: a tree search in the learned model at every move (paper, appendix B)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from agents import visits
from agents.boards.observations import split
from agents.frame_stacking import empty_stack, push
from agents.muzero.config import MuZeroConfig
from agents.muzero.networks import MuZeroNetwork
from agents.policy import SearchingPolicy
from ops import mcts
from ops.mcts.qtransforms import QTransform
from ops.mcts.search import RecurrentFn


def search(
    config: MuZeroConfig,
    network: MuZeroNetwork,
    observations: tf.Tensor,
    past_actions: tf.Tensor,
    legal_actions: tf.Tensor | None,
    seed: tf.Tensor,
    *,
    num_simulations: int,
    explore: bool,
    simulations: tf.Tensor | None = None,
    backend: str | None = None,
) -> mcts.PolicyOutput:
    """Searches from observations [B, S, …]; `explore` adds noise at the root.

    With `simulations`, an int32 scalar, so many are run of the `num_simulations` there is room for.
    Its `action` is the most visited one (of a Gumbel search: its own choice).
    """
    output = root_of(network, observations, past_actions)
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
        "backend": backend or config.search_backend,
    }
    model = recurrent_fn(config, network)
    if config.search == "gumbel":
        return mcts.gumbel_muzero_policy(
            output,
            model,
            num_simulations,
            qtransform=_gumbel_q_transform(config),
            max_num_considered_actions=config.max_considered_actions,
            gumbel_scale=1.0 if explore else 0.0,
            **shared,
        )
    return mcts.muzero_policy(
        output,
        model,
        num_simulations,
        qtransform=_q_transform(config),
        dirichlet_fraction=config.dirichlet_fraction if explore else 0.0,
        dirichlet_alpha=config.dirichlet_alpha,
        pb_c_init=config.pb_c_init,
        pb_c_base=config.pb_c_base,
        temperature=0.0,
        **shared,
    )


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


class MuZeroPolicy(SearchingPolicy):
    """Searches at every step; what the search found goes to replay.

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
        super().__init__(name="muzero_policy")
        self.observation_spec, self.action_spec = observation_spec, action_spec
        self._config, self._network, self._evaluation = config, network, evaluation
        self._seen, _ = split(observation_spec)
        simulations = config.evaluation_simulations if evaluation else None
        self.num_simulations = simulations or config.num_simulations
        self._room = max(self.num_simulations, config.served_simulations or 0)
        self.options = {"num_simulations": self.num_simulations}
        self.meanings = {
            "observation": "what the environment shows",
            "observation_board": "the board's planes, seen from the mover's side",
            "action": "the move, 0 to A - 1; `info_search_policy` has A columns",
            "state_moves": "moves made since the episode began",
            "state_observations": "the last observations, the newest last",
            "state_actions": "the actions that led to them; the last place is for the one to come",
            "info_search_policy": "the search's visits as shares, 0 to 1, which sum to 1",
            "info_search_value": "the root's value after the search",
            "info_searched_at": "updates that the network had seen",
            "num_simulations": f"simulations of the search, 1 to {self._room}",
        }

    def initial_state(self, batch_size: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """`moves` int32 [B]; with a stack `observations` [B, S, …] and `actions` int32 [B, S]."""
        state = {"moves": tf.zeros([batch_size], tf.int32)}
        if (size := self._config.frame_stack) > 1:
            state["observations"] = empty_stack(batch_size, size, self._seen)
            # One more than there are frames in between: the action to come takes the last place.
            state["actions"] = tf.zeros([batch_size, size], tf.int32)
        return state

    @tf.function(autograph=False, reduce_retracing=True)
    def step(
        self,
        observation: Any,
        state: dict[str, tf.Tensor],
        seed: tf.Tensor,
        num_simulations: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Searches and moves: action int32 [B]; see `Policy.step`.

        `num_simulations` is at most `MuZeroConfig.served_simulations`; None: the policy's own.

        `info` holds `search_policy` [B, A], the root's `search_value` [B], and `searched_at`, the
        updates that the network had seen.
        """
        seen, legal = split(observation)
        observations, past = self._stack(seen, state)
        seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        found = search(
            self._config,
            self._network,
            observations,
            past,
            legal,
            seeds[0],
            num_simulations=self.num_simulations if num_simulations is None else self._room,
            explore=not self._evaluation,
            simulations=num_simulations,
        )
        action = self._choose(found, state["moves"], seeds[1])
        following = {"moves": state["moves"] + 1}
        if self._config.frame_stack > 1:
            following["observations"] = observations
            following["actions"] = tf.concat([past[:, 1:], action[:, None]], axis=1)
        info = {
            "search_policy": found.action_weights,
            "search_value": found.search_tree.summary().value,
            "searched_at": tf.zeros_like(action) + self._network.training_step,
        }
        return action, following, info

    def searched(
        self, observation: Any, state: dict[str, tf.Tensor]
    ) -> tuple[mcts.RootFnOutput, RecurrentFn]:
        """See `SearchingPolicy.searched`."""
        seen, _ = split(observation)
        root = root_of(self._network, *self._stack(seen, state))
        return root, recurrent_fn(self._config, self._network)

    def bare_search(self, observation: Any, state: dict[str, tf.Tensor]) -> tf.Tensor:
        """See `SearchingPolicy.bare_search`."""
        seen, legal = split(observation)
        found = search(
            self._config,
            self._network,
            *self._stack(seen, state),
            legal,
            tf.constant([0, 0]),
            num_simulations=self.num_simulations,
            explore=False,
        )
        return found.action_weights

    def _stack(
        self, seen: tf.Tensor, state: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if self._config.frame_stack == 1:
            return seen[:, None], tf.zeros_like(state["moves"])[:, None]
        return push(state["observations"], seen), state["actions"]

    def _choose(self, found: mcts.PolicyOutput, moves: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Draws by visits and temperature; an evaluation takes the most visited."""
        config = self._config
        if self._evaluation or config.search == "gumbel":
            return found.action
        temperature = visits.temperature(
            config.temperatures,
            config.temperature_updates,
            config.temperature_moves,
            self._network.training_step,
            moves,
        )
        return visits.draw(found.action_weights, temperature, seed)


def random_search(legal: tf.Tensor) -> dict[str, tf.Tensor]:
    """What is recorded of moves drawn at random among the legal ones [B, A]: values of 0."""
    weights = tf.cast(legal, tf.float32)
    # Rows at a game's end have no legal action, and what they say is not used.
    weights /= tf.maximum(tf.reduce_sum(weights, axis=1, keepdims=True), 1.0)
    values = tf.zeros(tf.shape(legal)[:1])
    return {
        "search_policy": weights,
        "search_value": values,
        "searched_at": tf.cast(values, tf.int32),
    }


def _q_transform(config: MuZeroConfig) -> QTransform:
    if config.q_scale == "bounds":
        return mcts.qtransform_by_min_max(-1.0, 1.0, config.fpu_reduction)
    if config.q_scale == "siblings":
        return mcts.qtransform_by_parent_and_siblings()
    return mcts.qtransform_by_tree_min_max()


def _gumbel_q_transform(config: MuZeroConfig) -> QTransform:
    return mcts.qtransform_completed_by_mix_value(
        value_scale=config.gumbel_value_scale,
        maxvisit_init=config.gumbel_maxvisit_init,
        rescale_values=config.q_scale != "bounds",
    )
