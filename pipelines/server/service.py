"""What both protocols ask: models by name, answers, episodes."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipelines.server import requests
from pipelines.server.arrays import Limits
from pipelines.server.batching import Call
from pipelines.server.episodes import Episodes
from pipelines.server.loaded import ROWS, SIMULATIONS, Arrays
from pipelines.server.metrics import Metrics
from pipelines.server.models import Model, Version
from pipelines.server.refusals import Refusal, Why
from pipelines.server.requests import Inputs
from pipelines.system.errors import nearest


class Answer(NamedTuple):
    """What a request gets.

    Attributes:
      outputs: by name.
      version: that answered.
      signature: that was asked.
      simulations: that the search had; None: there was none.
    """

    outputs: Arrays
    version: Version
    signature: str
    simulations: int | None


class _Deadlines:
    """Refuses answers that do not come within so many seconds.

    One timer for all of them: one for each would cost a request more than its look-ups.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._open: collections.deque[tuple[float, asyncio.Future]] = collections.deque()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, answer: asyncio.Future) -> None:
        loop = answer.get_loop()
        while self._open and self._open[0][1].done():
            self._open.popleft()
        self._open.append((loop.time() + self._seconds, answer))
        if self._timer is None:
            self._timer = loop.call_at(self._open[0][0], self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._open and (self._open[0][1].done() or self._open[0][0] <= loop.time()):
            answer = self._open.popleft()[1]
            if not answer.done():
                text = f"there was no answer within {self._seconds:g} s"
                answer.set_exception(Refusal(Why.LATE, text))
        again = (self._open[0][0], self._look, loop) if self._open else None
        self._timer = loop.call_at(*again) if again else None


class Service:
    """The models that are served.

    Args:
      models: with a version each.
      limits: of requests.
      metrics: where all is counted.
      episodes: how many a model may have at one time, and for how many idle seconds.

    Attributes:
      draining: it ends soon; who balances load is told to go elsewhere.
    """

    def __init__(
        self,
        models: Sequence[Model],
        limits: Limits,
        metrics: Metrics,
        episodes: tuple[int, float] = (10_000, 600.0),
    ) -> None:
        self.models = {model.name: model for model in models}
        self.limits, self.metrics, self.draining = limits, metrics, False
        self._deadlines = _Deadlines(limits.seconds)
        self.episodes = {name: Episodes(*episodes) for name in self.models}
        for name, model in self.models.items():
            rows = lambda model=model: sum(v.batcher.waiting_rows for v in model.versions)  # noqa: E731
            metrics.watch(name, rows, lambda name=name: len(self.episodes[name]))

    def model(self, name: str) -> Model:
        """The model of a name; an empty one stands for the only model.

        Raises:
          Refusal: there is none.
        """
        if not name and len(self.models) == 1:
            return next(iter(self.models.values()))
        found = self.models.get(name)
        if found is None:
            listed, hint = ", ".join(self.models), nearest(name[:80], self.models)
            text = f"there is no model '{name[:80]}'; expected one of {listed}{hint}"
            raise Refusal(Why.NOT_FOUND, text)
        return found

    async def answer(self, version: Version, inputs: Inputs, given: Arrays) -> Answer:
        """Asks the policy.

        Raises:
          Refusal: see `requests.call_of`; or it took too long.
        """
        milliseconds = requests.time_limit(given, self.limits)
        within = {} if milliseconds is None else self._within(version, milliseconds)
        call = requests.call_of(version.policy, inputs, given, self.limits, within)
        outputs = await self._outputs(version, call)
        simulations = call.shared.get(SIMULATIONS)
        count = None if simulations is None else int(simulations)
        return Answer(outputs, version, inputs.name, count)

    async def step_episode(self, name: str, episode_name: str, parse: Any) -> tuple[Answer, int]:
        """An episode's next step, and its number from 0.

        Args:
          name: of the model.
          episode_name: its id.
          parse: Inputs → arrays of one row.

        Raises:
          Refusal: there is no such episode, or its inputs are wrong; it stays where it was.
        """
        episodes = self.episodes[name]
        async with episodes.get(episode_name).busy:
            episode = episodes.get(episode_name)
            inputs = requests.inputs_of(episode.version.policy, ROWS)
            given = parse(_without(inputs, ("seed", *episode.state)))
            given |= {**episode.state, "seed": episode.step_seed()}
            answer = await self.answer(episode.version, inputs, given)
            episode.state = {n: answer.outputs[n] for n in episode.state}
            episode.steps += 1
            return answer, episode.steps - 1

    def _within(self, version: Version, milliseconds: int) -> Mapping[str, int]:
        """The options that a time limit stands for; what waits takes its part of the time."""
        batcher = version.batcher
        waits = batcher.call_seconds if batcher.waiting_rows else 0.0
        policy = version.policy
        most = min(
            policy.most.get(SIMULATIONS, policy.options[SIMULATIONS]),
            self.limits.simulations or 1 << 30,
        )
        return {SIMULATIONS: version.pace.simulations(milliseconds / 1e3 - waits, most)}

    async def _outputs(self, version: Version, call: Call) -> Mapping[str, np.ndarray]:
        answer = version.batcher.submit(call)
        self._deadlines.watch(answer)
        return await answer


def _without(inputs: Inputs, names: Sequence[str]) -> Inputs:
    specs = {name: spec for name, spec in inputs.specs.items() if name not in names}
    return inputs._replace(specs=specs)
