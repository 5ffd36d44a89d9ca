"""A policy that searches a tree at every move, whatever it searches in."""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from agents import visits
from agents.boards.observations import split
from agents.policy import SearchingPolicy, Seconds
from agents.searching.config import SearchingConfig
from agents.searching.search import search
from ops import draws, mcts
from ops.mcts.search import RecurrentFn, model_alone


class TreePolicy(SearchingPolicy):
    """Searches at every step; what the search found goes to replay.

    A subclass says what is searched (`searched`), and what its state carries beside the number of
    moves made (`initial_state`, `conclude`).

    Args:
      config: of the search.
      training_step: updates of the network so far, which the temperature follows.
      observation_spec, action_spec: see `Policy`.
      evaluation: it neither explores nor draws.
    """

    def __init__(
        self,
        config: SearchingConfig,
        training_step: tf.Variable,
        observation_spec: Any,
        action_spec: tf.TensorSpec,
        evaluation: bool,
        name: str,
    ) -> None:
        super().__init__(name=name)
        self.observation_spec, self.action_spec = observation_spec, action_spec
        self._config, self._evaluation = config, evaluation
        self._training_step = training_step
        simulations = config.evaluation_simulations if evaluation else None
        self.num_simulations = simulations or config.num_simulations
        self._room = max(self.num_simulations, config.served_simulations or 0)
        self.options = {"num_simulations": self.num_simulations}
        self.most = {"num_simulations": self._room}
        self.takes_seeds = evaluation
        self.meanings = {
            "observation": "what the environment shows",
            "observation_board": "the board's planes, seen from the mover's side",
            "action": "the move, 0 to A - 1; `info_search_policy` has A columns",
            "state_moves": "moves made since the episode began",
            "info_search_policy": "the search's visits as shares, 0 to 1, which sum to 1",
            "info_search_value": "the root's value after the search",
            "info_searched_at": "updates that the network had seen",
            "num_simulations": f"simulations of the search, 1 to {self._room}",
        }

    def initial_state(self, batch_size: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """`moves` int32 [B]."""
        return {"moves": tf.zeros([batch_size], tf.int32)}

    @tf.function(autograph=False, reduce_retracing=True)
    def step(
        self,
        observation: Any,
        state: dict[str, tf.Tensor],
        seed: tf.Tensor,
        num_simulations: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Searches and moves: action int32 [B]; see `Policy.step`.

        `num_simulations` is at most `SearchingConfig.served_simulations`; None: the policy's own.

        `info` holds `search_policy` [B, A], the root's `search_value` [B], and `searched_at`, the
        updates that the network had seen.
        """
        seeds = draws.split(seed, 2)
        room = self.num_simulations if num_simulations is None else self._room
        found = self.search(observation, state, seeds[0], room, num_simulations)
        return self.moved(observation, state, found, seeds[1])

    def search(
        self,
        observation: Any,
        state: dict[str, tf.Tensor],
        seed: tf.Tensor,
        room: int,
        simulations: tf.Tensor | None = None,
        explore: bool | None = None,
        begun: mcts.SearchTree | None = None,
        added: tf.Tensor | None = None,
    ) -> mcts.PolicyOutput:
        """The search of a step; `explore` None: where the policy collects."""
        root, model = self.searched(observation, state)
        _, legal = split(observation)
        return search(
            self._config,
            root,
            model,
            legal,
            seed,
            num_simulations=room,
            explore=not self._evaluation if explore is None else explore,
            simulations=simulations,
            begun=begun,
            added=added,
        )

    def slice(self, observation, state, seed, num_simulations, added, begun=None):
        """See `SearchingPolicy.slice`."""
        seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        begun = None if begun is None else mcts.SearchTree(**begun)
        slices = {"begun": begun, "added": added}
        found = self.search(observation, state, seeds[0], self._room, num_simulations, **slices)
        moved = self.moved(observation, state, found, seeds[1])
        return (*moved, dict(found.search_tree._asdict()))

    def moved(
        self,
        observation: Any,
        state: dict[str, tf.Tensor],
        found: mcts.PolicyOutput,
        seed: tf.Tensor,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """What `step` returns after a search."""
        action = self._choose(found, state["moves"], seed)
        info = {
            "search_policy": found.action_weights,
            "search_value": tf.convert_to_tensor(found.search_tree.summary().value),
            "searched_at": tf.zeros_like(action) + self._training_step,
        }
        return self.conclude(observation, state, found, action, info, seed)

    def conclude(
        self,
        observation: Any,
        state: dict[str, tf.Tensor],
        found: mcts.PolicyOutput,
        action: tf.Tensor,
        info: dict[str, tf.Tensor],
        seed: tf.Tensor,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """What `step` returns where the move is `action` [B]: whatever a subclass adds to that."""
        return action, {"moves": state["moves"] + 1}, info

    @abc.abstractmethod
    def searched(
        self, observation: Any, state: dict[str, tf.Tensor]
    ) -> tuple[mcts.RootFnOutput, RecurrentFn]:
        """The root and the `recurrent_fn` of a search in the graph."""

    def speed(
        self, observation: Any, state: dict[str, tf.Tensor], seconds: Seconds
    ) -> Mapping[str, float]:
        """See `SearchingPolicy.speed`.

        `tree_share` is spent in the tree's own ops, the executor's work on them included;
        `move_share` once a move on noise and the action's choice; `rules_share` on what the model
        does beside the network, where that is known.
        """
        seed, room = tf.constant([0, 0]), self.num_simulations
        _, legal = split(observation)
        graphs = [
            lambda: self.search(observation, state, seed, room, explore=False).action_weights,
            lambda: model_alone(*self.searched(observation, state), room, legal),
        ]
        if (rules := self.without_network(observation)) is not None:
            graphs.append(lambda: model_alone(*rules, room, legal))
        functions = [tf.function(graph, autograph=False) for graph in graphs]
        step = lambda: self.step(observation, state, seed)[0].numpy()  # noqa: E731
        whole, searching, model, *rules = seconds(
            [step, *[functools.partial(_fetched, function) for function in functions]]
        )
        batch_size = tf.nest.flatten(observation)[0].shape[0]
        return {
            "simulations_per_second": batch_size * room / whole,
            "positions_per_second": batch_size * (room + 1) / whole,
            **({"rules_share": rules[0] / whole} if rules else {}),
            "tree_share": max(0.0, searching - model) / whole,
            "network_share": max(0.0, model - sum(rules)) / whole,
            "move_share": max(0.0, whole - searching) / whole,
        }

    def without_network(self, observation: Any) -> tuple[mcts.RootFnOutput, RecurrentFn] | None:
        """`searched` with a network that says nothing; None: the network is the model."""
        return None

    def _choose(self, found: mcts.PolicyOutput, moves: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Draws by visits and temperature; an evaluation takes the most visited."""
        config = self._config
        if self._evaluation or config.search == "gumbel":
            return found.action
        temperature = visits.temperature(
            config.temperatures,
            config.temperature_updates,
            config.temperature_moves,
            self._training_step,
            moves,
        )
        return visits.draw(found.action_weights, temperature, seed)


def _fetched(function: Callable[[], tf.Tensor]) -> Any:
    return function().numpy()


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
