"""Who plays: policies in the games that p_ρ and v_θ learn from, and the search (paper, methods)."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from agents.alphago.config import AlphaGoConfig
from agents.alphago.networks import AlphaGoNetworks, PolicyNetwork, playable
from agents.boards.observations import split
from agents.policy import Policy
from agents.searching.policy import TreePolicy
from ops import draws, mcts
from ops.games import go
from ops.mcts.search import RecurrentFn
from ops.mcts.types import Visited


class _PlayingPolicy(Policy):
    """What policies without a search have in common.

    Args:
      networks: of the agent.
      observation_spec, action_spec: see `Policy`.
    """

    def __init__(
        self, networks: AlphaGoNetworks, observation_spec: Any, action_spec: tf.TensorSpec
    ) -> None:
        super().__init__(name=type(self).__name__)
        self.observation_spec, self.action_spec = observation_spec, action_spec
        self._networks = networks
        self.native_alone = "the rules of go are native ops alone"

    def _choices(self, observation: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Planes, and what may be played: bool [B, A]; where a game is over, anything."""
        states, legal = split(observation)
        planes = self._networks.planes(states)
        return planes, playable(planes, _or_anything(legal))


def _or_anything(legal: tf.Tensor) -> tf.Tensor:
    """Legal moves [B, A]; all, where a game is over and waits for the others of its batch."""
    return legal | ~tf.reduce_any(legal, axis=1, keepdims=True)


def _masked(logits: tf.Tensor, choices: tf.Tensor) -> tf.Tensor:
    return tf.where(choices, logits, -1e9)


def played_out(
    networks: AlphaGoNetworks, policy: PolicyNetwork, states: tf.Tensor, seed: tf.Tensor
) -> tf.Tensor:
    """Both sides play by `policy`, each move drawn, to the end: z for who is to move, [B].

    Args:
      networks: give the rules, and the planes.
      policy: p_σ or p_ρ.
      states: uint8 [B, S].
      seed: int32 [2].
    """
    rules = networks.rules

    def move(number, states, legal):
        planes = networks.planes(states)
        logits = _masked(policy(planes), playable(planes, _or_anything(legal)))
        action = draws.categorical(logits, tf.random.experimental.stateless_fold_in(seed, number))
        step = rules.step(states, action)
        return number + 1, step.state, step.legal

    def goes_on(number, states, legal):
        return tf.reduce_any(legal)

    _, ended, _ = tf.while_loop(goes_on, move, (0, states, rules.legal(states)))
    return tf.where(rules.to_play(states) == 0, 1.0, -1.0) * rules.score(ended)


class NetworkPolicy(_PlayingPolicy):
    """Plays the likeliest move of one network, without a search."""

    takes_seeds = True

    def __init__(self, network: PolicyNetwork, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._network = network
        self.meanings = {"info_search_policy": "the network's probabilities of the moves"}

    def initial_state(self, batch_size: int | tf.Tensor) -> Any:
        """No state: an empty dict."""
        return {}

    @tf.function(autograph=False, reduce_retracing=True)
    def step(self, observation, state, seed):
        """See `Policy.step`."""
        planes, choices = self._choices(observation)
        logits = _masked(self._network(planes), choices)
        action = tf.argmax(logits, axis=1, output_type=tf.int32)
        return action, state, {"search_policy": tf.nn.softmax(logits)}


class PoolPolicy(_PlayingPolicy):
    """p_ρ in one seat of each game, drawn for it, and the round's opponent in the other.

    The state carries `moves` and the `seat` int32 [B] of p_ρ; `info` says whether it moved.
    """

    def initial_state(self, batch_size: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """See `Policy.initial_state`."""
        return {name: tf.zeros([batch_size], tf.int32) for name in ("moves", "seat")}

    @tf.function(autograph=False, reduce_retracing=True)
    def step(self, observation, state, seed):
        """See `Policy.step`."""
        seeds = draws.split(seed, 2)
        planes, choices = self._choices(observation)
        drawn = tf.random.stateless_uniform(tf.shape(state["seat"]), seeds[0], 0, 2, tf.int32)
        seat = tf.where(state["moves"] == 0, drawn, state["seat"])
        mine = self._networks.rules.to_play(split(observation)[0]) == seat
        own, other = (net(planes) for net in (self._networks.reinforced, self._networks.opponent))
        logits = tf.where(mine[:, None], own, other)
        action = draws.categorical(_masked(logits, choices), seeds[1])
        info = {"kept": mine, "held_out": tf.zeros_like(mine)}
        return action, {"moves": state["moves"] + 1, "seat": seat}, info


class ValueGamesPolicy(_PlayingPolicy):
    """p_σ plays up to a move of random number, which is itself random, and p_ρ what follows.

    So positions are as varied as p_σ's games, and outcomes are p_ρ's. The state carries `moves`,
    the random move's number `turn`, and whether the game is `held_out`.
    """

    def __init__(self, config: AlphaGoConfig, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._config = config

    def initial_state(self, batch_size: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """See `Policy.initial_state`."""
        zeros = tf.zeros([batch_size], tf.int32)
        return {"moves": zeros, "turn": zeros, "held_out": tf.zeros([batch_size], tf.bool)}

    @tf.function(autograph=False, reduce_retracing=True)
    def step(self, observation, state, seed):
        """See `Policy.step`; `info` says whether the position is to be kept."""
        config, seeds, moves = self._config, draws.split(seed, 3), state["moves"]
        shape, begins = tf.shape(moves), moves == 0
        drawn = tf.random.stateless_uniform(shape, seeds[0], 0, config.value_last_move, tf.int32)
        turn = tf.where(begins, drawn, state["turn"])
        apart = tf.random.stateless_uniform(shape, seeds[1]) < config.value_held_out
        held_out = tf.where(begins, apart, state["held_out"])
        planes, choices = self._choices(observation)
        before, after = (
            net(planes) for net in (self._networks.supervised, self._networks.reinforced)
        )
        logits = tf.where((moves < turn)[:, None], before, after)
        logits = tf.where((moves == turn)[:, None], 0.0, logits)
        action = draws.categorical(_masked(logits, choices), seeds[2])
        kept = moves == turn + 1 if config.value_positions == "one" else moves > turn
        following = {"moves": moves + 1, "turn": turn, "held_out": held_out}
        return action, following, {"kept": kept, "held_out": held_out}


class SearchPolicy(TreePolicy):
    """PUCT over p_σ's prior; a leaf is worth (1 − λ) v_θ + λ z."""

    def __init__(
        self,
        config: AlphaGoConfig,
        networks: AlphaGoNetworks,
        observation_spec: Any,
        action_spec: tf.TensorSpec,
        evaluation: bool,
    ) -> None:
        super().__init__(
            config,
            networks.supervised.training_step,
            observation_spec,
            action_spec,
            evaluation,
            name="alphago_policy",
        )
        self._networks = networks
        self.native_alone = "the rules of go are native ops alone"
        self.takes_seeds = False  # Rollouts draw, with one seed for all rows.

    def searched(
        self, observation: Any, state: dict[str, tf.Tensor]
    ) -> tuple[mcts.RootFnOutput, RecurrentFn]:
        """See `TreePolicy.searched`."""
        states, legal = split(observation)
        planes = self._networks.planes(states)
        value = self._networks.value(self._networks.with_colour(planes, states))
        prior = self._prior(planes, _or_anything(legal))
        return mcts.RootFnOutput(prior, value, states), self._recurrent_fn()

    def _prior(self, planes: tf.Tensor, legal: tf.Tensor) -> tf.Tensor:
        """Logits [B, A], −∞ where a move is illegal or fills an own eye."""
        logits = self._networks.supervised(planes) / self._config.prior_temperature
        return tf.where(playable(planes, legal), logits, -float("inf"))

    def _recurrent_fn(self) -> RecurrentFn:
        config, networks = self._config, self._networks
        # Once a search, not once a simulation.
        odds = tf.exp(networks.rollout.weights) if config.rollout_policy == "linear" else None

        def step(action, states, seed=None, visited=None):
            states, reward, discount, legal = networks.rules.step(states, action)
            planes = networks.planes(states)
            value = 0.0
            if config.mixing < 1:
                seen = networks.with_colour(planes, states)
                value += (1.0 - config.mixing) * networks.value(seen)
            if config.mixing > 0:
                seed = tf.constant([0, 0]) if seed is None else seed
                played = go.rollout_by_odds(networks.rules, states, odds, seed, config.nakade)
                value += config.mixing * played
            logits = self._prior(planes, legal)
            if visited is not None and config.expansion_threshold > 1:
                value, logits = _unless_expanded(value, logits, visited, config.expansion_threshold)
            return mcts.RecurrentFnOutput(reward, discount, logits, value), states

        return step


def _unless_expanded(
    value: tf.Tensor, logits: tf.Tensor, visited: Visited, threshold: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """What a position is worth by all its visits, and its prior once these are enough.

    Without a legal move a position ends each walk that comes to it, as the search takes it.
    """
    mean = visited.value + (value - visited.value) / (visited.count + 1.0)
    closed = visited.count + 1.0 < float(threshold)
    return mean, tf.where(closed[:, None], -float("inf"), logits)
