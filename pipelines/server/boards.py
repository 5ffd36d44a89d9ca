"""Games against a served policy, on the page of `engine.py --protocol=web`: a game for whoever
begins one.

What plays is the policy as everybody else asks it: a game's searches wait in the same line, join
the same batches and keep to the same limits. The rules are those of the run's environment, which is
made when the first game begins.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import pathlib
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.server import requests
from pipelines.server.loaded import ROWS, SIMULATIONS, Arrays
from pipelines.server.models import Model
from pipelines.server.refusals import Refusal, Why, invalid
from pipelines.server.service import Service
from pipelines.system.errors import UserError

if TYPE_CHECKING:
    from pipelines.engines.web_game import WebGame

# The configuration of a run is read into one place for the whole process.
_READING = threading.Lock()
# Seconds between looks for games that are over, and moves that are thought about at one time.
_LOOK, _THREADS = 1.0, 16


def has_board(model: Model) -> bool:
    """Whether the policy sees legal moves, and the run that says of which game is beside it."""
    inputs = model.newest.policy.signatures[ROWS].inputs
    return "observation_legal_actions" in inputs and (model.logdir / "config.gin").is_file()


class _Game(NamedTuple):
    game: WebGame
    used_at: list[float]  # one number, which changes


class Boards:
    """The games that go on.

    Args:
      service: whose policies play.
      most: games at one time.
      idle_seconds: after which one that nobody looks at is over.
      clock: seconds.
    """

    def __init__(
        self,
        service: Service,
        most: int = 100,
        idle_seconds: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service, self._most = service, most
        self._idle, self._clock = idle_seconds, clock
        self._there: dict[str, _Game] = {}
        # Who waits for a move holds one of these, and no thread that other requests need.
        self._threads = concurrent.futures.ThreadPoolExecutor(_THREADS, "board")

    async def begin(self, model: Model) -> str:
        """A new game's id, which is all that its players need.

        Raises:
          Refusal: it is no board game, or there are as many as may be.
        """
        await self.expire()
        if len(self._there) >= self._most:
            raise Refusal(Why.TOO_MANY, f"{self._most} games go on already; wait until one is over")
        if not has_board(model):
            raise Refusal(Why.NOT_FOUND, f"{model.name} is no policy of a board game's run")
        loop = asyncio.get_running_loop()
        policy = _Asked(self._service, model, loop)
        try:
            game = await self.run(_game, policy, model.logdir)
        except UserError as error:
            raise invalid(f"{model.name} cannot be played on a board: {error}") from error
        name = secrets.token_urlsafe(16)
        self._there[name] = _Game(game, [self._clock()])
        return name

    def get(self, name: str) -> WebGame:
        """The game of an id.

        Raises:
          Refusal: there is none.
        """
        found = self._there.get(name)
        if found is None:
            raise Refusal(Why.NOT_FOUND, "there is no such game; begin another at /")
        found.used_at[0] = self._clock()
        return found.game

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What it gives, in a thread of the boards' own."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    async def expire(self) -> None:
        """Ends the games that nobody has looked at for too long."""
        before = self._clock() - self._idle
        await self._end([n for n, each in self._there.items() if each.used_at[0] < before])

    async def close(self) -> None:
        """Ends all of them."""
        await self._end(list(self._there))
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def watch(self) -> None:
        """Ends games as time goes by."""
        while True:
            await asyncio.sleep(_LOOK)
            await self.expire()

    async def _end(self, names: Sequence[str]) -> None:
        """Ends games; what they still search is answered by this very loop meanwhile."""
        games = [self._there.pop(name).game for name in names]
        await asyncio.gather(*(asyncio.to_thread(game.close) for game in games))


class _Asked:
    """A served policy as `Player` asks it: in other threads than the server's loop.

    Attributes:
      options, most: values of the policy's options, and the most that they may be.
      most_simulations: that the server allows; None: as many as the policy does.
    """

    sliced = on_host = False

    def __init__(self, service: Service, model: Model, loop: asyncio.AbstractEventLoop) -> None:
        self._service, self._model, self._loop = service, model, loop
        self.most_simulations = service.limits.simulations
        self.options, self.most = dict(model.newest.policy.options), model.newest.policy.most
        if SIMULATIONS in self.options and self.most_simulations is not None:
            self.options[SIMULATIONS] = min(self.options[SIMULATIONS], self.most_simulations)

    def initial_state(self, batch_size: int) -> dict[str, tf.Tensor]:
        """The state of so many rows at a game's start."""
        start = self._model.newest.policy.start.items()
        return {
            name.removeprefix("state_"): tf.constant(np.repeat(row, batch_size, axis=0))
            for name, row in start
        }

    def step(
        self, observation: Mapping[str, Any], state: Any, seed: tf.Tensor, **options: int
    ) -> tuple[tf.Tensor, Any, dict[str, tf.Tensor]]:
        """See `Policy.step`.

        Raises:
          Refused: the server's own words.
        """
        from pipelines.engines.web_game import Refused

        given = {f"observation_{name}": np.asarray(x) for name, x in observation.items()}
        given |= {f"state_{name}": np.asarray(x) for name, x in (state or {}).items()}
        rows = len(given["observation_legal_actions"])
        given["seed"] = np.tile(np.asarray(seed, np.int32), (rows, 1))
        given |= {name: np.int32(value) for name, value in options.items()}
        asked = asyncio.run_coroutine_threadsafe(self._answer(given), self._loop)
        try:
            outputs = asked.result()
        except Refusal as error:
            raise Refused(str(error)) from error
        info = {n.removeprefix("info_"): x for n, x in outputs.items() if n.startswith("info_")}
        tensors = tf.nest.map_structure(tf.constant, (outputs["action"], info))
        return tensors[0], state, tensors[1]

    async def _answer(self, given: Arrays) -> Arrays:
        """Asks for as many rows at a time as the server allows."""
        most, count = self._service.limits.rows, len(given["seed"])
        with self._model.newest as version:
            inputs = requests.inputs_of(version.policy, ROWS)

            async def ask(rows: slice) -> Arrays:
                some = {n: x[rows] if inputs.specs[n].has_rows else x for n, x in given.items()}
                return (await self._service.answer(version, inputs, some)).outputs

            slices = [slice(start, start + most) for start in range(0, count, most)]
            parts = await asyncio.gather(*map(ask, slices))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _game(policy: _Asked, logdir: pathlib.Path) -> WebGame:
    """A game of the run's environment."""
    from pipelines.engines import making
    from pipelines.engines.player import Player
    from pipelines.engines.web_game import WebGame

    with _READING:
        # One shows the policy its positions, the other is the page's.
        shown, played = making.self_play(str(logdir)), making.self_play(str(logdir))
    player = Player(policy, shown, seed=secrets.randbits(31))
    if policy.most_simulations is not None:
        player.most_simulations = min(player.most_simulations, policy.most_simulations)
    return WebGame(player, played)
