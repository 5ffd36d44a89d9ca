"""AlphaZero's policy for games whose rules only the host knows: chess, shogi, hex."""

from __future__ import annotations

import collections
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from agents.alphazero.acting import AlphaZeroPolicy
from agents.alphazero.evaluations import Evaluation, Evaluations
from agents.alphazero.host_search import HostSearch
from agents.boards.observations import split
from agents.boards.simulators import GamePosition, GameSimulator
from agents.policy import Seconds

# Simulations of a search, unless more are asked for: a node, with its position, takes some 30 KB.
_ROOM = 20_000


class Watch:
    """What time goes on.

    Attributes:
      seconds: by part.
    """

    def __init__(self) -> None:
        self.seconds: collections.Counter[str] = collections.Counter()

    @contextlib.contextmanager
    def timing(self, part: str) -> Iterator[None]:
        """Counts the time inside."""
        start = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - start


class HostAlphaZeroPolicy(AlphaZeroPolicy):
    """Searches on the host: the tree and the rules there, one call of the network for all rows.

    It acts in the environments whose simulators it has, one a row, or from the positions that a
    step is given.
    """

    on_host = True

    def __init__(self, *arguments: Any, simulators: Sequence[GameSimulator]) -> None:
        super().__init__(*arguments)
        config, network = self._config, self._network
        self._room = max(self.num_simulations, config.served_simulations or _ROOM)
        self.most = {"num_simulations": self._room}
        self._simulators = simulators
        self._columns = min(network.num_actions, config.max_legal)
        seen, _ = split(self.observation_spec)
        self._planes = tuple(seen.shape)
        planes = tf.TensorSpec([None, *seen.shape], seen.dtype)
        self._predict = tf.function(lambda planes: network(planes)).get_concrete_function(planes)
        self._evaluations = Evaluations(network, self._columns, config.cached_positions)
        self._watch, self._simulated = Watch(), 0

    def step(self, observation, state, seed, num_simulations=None, positions=None):
        """See `TreePolicy.step`; runs eagerly, from `positions`, or where the simulators stand."""
        *made, _ = self.think(observation, state, seed, num_simulations, positions)
        return tuple(made)

    def think(
        self,
        observation: Any,
        state: dict[str, tf.Tensor],
        seed: tf.Tensor,
        num_simulations: int | None = None,
        positions: Sequence[GamePosition] | None = None,
        going_on: Callable[[], bool] = lambda: True,
    ) -> tuple[tf.Tensor, Any, dict[str, tf.Tensor], HostSearch] | None:
        """A step that can be given up: `going_on` is asked before each call of the network.

        Returns:
          What `step` does, and the search; None: it was given up.
        """
        with self._watch.timing("whole"):
            seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
            count = num_simulations or self.num_simulations
            search = self._begun(observation, seeds[0], count, not self._evaluation, positions)
            while going_on():
                if not search.grow():
                    self._simulated += count * len(tf.nest.flatten(observation)[0])
                    return *self.moved(observation, state, search.found(), seeds[1]), search
        return None

    def search(self, observation, state, seed, room, simulations=None, explore=None):
        """See `TreePolicy.search`; the weights are by action, the tree by column."""
        explore = not self._evaluation if explore is None else explore
        search = self._begun(observation, seed, room, explore, None)
        while search.grow():
            pass
        return search.found()

    def explored(
        self, search: HostSearch
    ) -> tuple[np.ndarray, np.ndarray, Callable[[int, int], int]]:
        """See `HostSearch.explored`."""
        return search.explored()

    def forget(self) -> None:
        """Empties the cache, so that equal seeds give equal steps to the last bit."""
        self._evaluations.forget()

    def measurements(self) -> Mapping[str, float]:
        """Speeds since the policy was made, where the time goes, and how often the cache helped."""
        return {f"search/{name}": value for name, value in self._speed(self._done()).items()}

    def speed(self, observation: Any, state: Any, seconds: Seconds) -> Mapping[str, float]:
        """See `SearchingPolicy.speed`; by watches, which run in every step.

        Beside that `simulations_per_cpu_second`, of all threads.
        """
        before, began = self._done(), time.process_time()
        seconds([lambda: self.step(observation, state, tf.constant([0, 0]))[0].numpy()])
        done, spent = self._done() - before, time.process_time() - began
        return {**self._speed(done), "simulations_per_cpu_second": done["simulated"] / spent}

    def _done(self) -> collections.Counter[str]:
        """Seconds and counts since the policy was made."""
        asked, known = self._evaluations.asked, self._evaluations.known
        counts = {"simulated": self._simulated, "asked": asked, "known": known}
        return self._watch.seconds + collections.Counter(counts)

    def _speed(self, done: collections.Counter[str]) -> dict[str, float]:
        seconds = max(done["whole"], 1e-9)
        speed = {
            "simulations_per_second": done["simulated"] / seconds,
            "positions_per_second": done["asked"] / seconds,
            **{f"{part}_share": done[part] / seconds for part in ("rules", "tree", "network")},
        }
        if self._config.cached_positions:
            speed["cache_hit_rate"] = done["known"] / max(done["asked"], 1)
        return speed

    def _begun(
        self,
        observation: Any,
        seed: tf.Tensor,
        room: int,
        explore: bool,
        positions: Sequence[GamePosition] | None,
    ) -> HostSearch:
        _, legal = split(observation)
        if positions is None:
            positions = [simulator.position() for simulator in self._simulators]
        if len(positions) != len(legal):
            raise ValueError(f"got {len(legal)} rows, expected {len(positions)}, one a simulator")
        self._evaluations.forget_old()
        arguments = np.asarray(legal), self._columns, room, seed, explore
        return HostSearch(self._config, positions, *arguments, self._evaluated, self._watch.timing)

    def _evaluated(self, positions: Sequence[GamePosition]) -> list[Evaluation]:
        with self._watch.timing("rules"):
            going = [position for position in positions if not position.over]
            seen = np.empty((len(going), *self._planes), np.float32)
            for position, planes in zip(going, seen, strict=True):
                position.observe(planes)
        return self._evaluations.of(positions, seen, self._ask)

    def _ask(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with self._watch.timing("network"):
            prediction = self._predict(tf.constant(planes))
            return prediction.prior_logits.numpy(), prediction.value.numpy()
