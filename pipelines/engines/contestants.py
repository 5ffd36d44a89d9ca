"""Who plays in the arena: saved policies, OpenSpiel's players, programs by GTP and UCI."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pipelines.engines import chess_notation
from pipelines.engines.arena import Contestant, Game
from pipelines.engines.child import Child, gtp_answer, hear_gtp
from pipelines.engines.go_notation import point_of, vertex_of
from pipelines.engines.player import Player, Position
from pipelines.environments.opponents import Opponent
from pipelines.system.errors import UserError


class PolicyContestant(Contestant):
    """A saved policy; all games that wait for it are one batch.

    Args:
      name: for tables.
      player: the policy.
      make_environment: shows it positions; of the run that saved it.
      simulations: of a move; None: the player's own.
    """

    def __init__(
        self,
        name: str,
        player: Player,
        make_environment: Callable[[], Any],
        simulations: int | None = None,
    ) -> None:
        self.name = name
        self._player, self._simulations = player, simulations
        self._make_environment = make_environment
        self._environments: dict[int, Any] = {}
        self._seen: dict[int, tuple[int, Any]] = {}

    def begin(self, game: Game) -> None:
        """See `Contestant.begin`."""
        if game.slot not in self._environments:
            self._environments[game.slot] = self._make_environment()
        self._seen[game.slot] = (0, self._environments[game.slot].reset())

    def move(self, games: Sequence[Game]) -> None:
        """See `Contestant.move`."""
        positions = [self._position(game) for game in games]
        found = self._player.search(positions, self._simulations)
        for game, search in zip(games, found, strict=True):
            game.play(search.action if search.action < self._player.num_actions else None)

    def _position(self, game: Game) -> Position:
        environment = self._environments[game.slot]
        moves, timestep = self._seen[game.slot]
        for action in game.actions[moves:]:
            self._check(timestep, moves)
            timestep = environment.step(action)
            moves += 1
        self._check(timestep, moves)
        self._seen[game.slot] = (len(game.actions), timestep)
        position = self._player.seen(environment, timestep, len(game.actions))
        observation = {**position.observation, "legal_actions": game.legal()}
        return position._replace(observation=observation)

    def _check(self, timestep: Any, moves: int) -> None:
        """The match goes on: where its own game is over, it would see the next one's beginning."""
        if timestep.last():
            raise UserError(
                f"player '{self.name}' has learned by other rules: its game is over after {moves} "
                "moves, and this one is not; expected runs of equal rules (max_moves)"
            )


class OpponentContestant(Contestant):
    """One of `pipelines.environments.opponents`, such as OpenSpiel's tree search."""

    def __init__(self, name: str, make_opponent: Callable[[], Opponent], seed: int) -> None:
        self.name = name
        self._make_opponent = make_opponent
        self._generator = np.random.Generator(np.random.PCG64(seed))
        self._opponents: dict[int, Opponent] = {}

    def begin(self, game: Game) -> None:
        """See `Contestant.begin`."""
        if game.slot not in self._opponents:
            self._opponents[game.slot] = self._make_opponent()
        self._opponents[game.slot].begin(self._generator)

    def move(self, games: Sequence[Game]) -> None:
        """See `Contestant.move`."""
        for game in games:
            legal = np.flatnonzero(game.legal()).tolist()
            game.play(self._opponents[game.slot].choose(game.environment.for_opponent(), legal))


class ProgramContestant(Contestant):
    """A program, a process for each game side by side.

    Args:
      command: that starts it.
      seconds: that an answer may take.
      processes: at most; they think at once.
    """

    def __init__(self, command: str, seconds: float, processes: int = 1) -> None:
        self.name, self._seconds, self.most_games = command, seconds, processes
        self._children: dict[int, Child] = {}

    def begin(self, game: Game) -> None:
        """See `Contestant.begin`."""
        if game.slot not in self._children:
            self._children[game.slot] = Child(self.name, self._seconds)
            self._greet(self._children[game.slot])
        self._ready(self._children[game.slot], game)

    def move(self, games: Sequence[Game]) -> None:
        """See `Contestant.move`; all programs think at once."""
        for game in games:
            self._ask(self._children[game.slot], game)
        for game in games:
            self._play(self._children[game.slot], game)

    def close(self) -> None:
        """See `Contestant.close`."""
        for child in self._children.values():
            child.close()
        self._children.clear()

    def _greet(self, child: Child) -> None:
        """What is said once."""

    @abc.abstractmethod
    def _ready(self, child: Child, game: Game) -> None:
        """Tells it that a game begins."""

    @abc.abstractmethod
    def _ask(self, child: Child, game: Game) -> None:
        """Tells it the position, and to move."""

    @abc.abstractmethod
    def _play(self, child: Child, game: Game) -> None:
        """Plays what it answers."""


class GtpContestant(ProgramContestant):
    """A program that speaks the Go Text Protocol."""

    def __init__(self, command: str, seconds: float, processes: int = 1) -> None:
        super().__init__(command, seconds, processes)
        self._known: dict[int, int] = {}  # Moves that it has been told or has made itself.

    def _ready(self, child: Child, game: Game) -> None:
        for line in (f"boardsize {game.go.size}", "clear_board", f"komi {game.komi:g}"):
            gtp_answer(child, line)
        self._known[game.slot] = 0

    def _ask(self, child: Child, game: Game) -> None:
        for index in range(self._known[game.slot], len(game.actions)):
            vertex = vertex_of(game.actions[index], game.go.size)
            gtp_answer(child, f"play {'bw'[index % 2]} {vertex}")
        child.say(f"genmove {'bw'[game.turn]}")

    def _play(self, child: Child, game: Game) -> None:
        line = f"genmove {'bw'[game.turn]}"
        vertex = hear_gtp(child, line)
        if vertex.lower() == "resign":
            game.play(None)
            return
        try:
            point = point_of(vertex, game.go.size)
        except ValueError:
            raise child.wrong(line, vertex) from None
        game.play(point, vertex)
        self._known[game.slot] = len(game.actions)


class UciContestant(ProgramContestant):
    """A program that speaks the Universal Chess Interface.

    Args:
      command, seconds, processes: see `ProgramContestant`.
      go: what is said after `go`, such as 'movetime 100'.
      options: names and values.
    """

    def __init__(
        self,
        command: str,
        seconds: float,
        go: str,
        options: Sequence[tuple[str, str]],
        processes: int = 1,
    ) -> None:
        super().__init__(command, seconds, processes)
        self._go, self._options = go, options

    def _greet(self, child: Child) -> None:
        child.say("uci")
        self._heard(child, "uci", "uciok")
        for name, value in self._options:
            child.say(f"setoption name {name} value {value}")

    def _ready(self, child: Child, game: Game) -> None:
        child.say("ucinewgame")
        child.say("isready")
        self._heard(child, "isready", "readyok")

    def _ask(self, child: Child, game: Game) -> None:
        start = game.environment.state.get_game().new_initial_state()
        moves = chess_notation.moves_text(start, game.actions)
        child.say("position startpos" + (f" moves {' '.join(moves)}" if moves else ""))
        child.say(f"go {self._go}")

    def _play(self, child: Child, game: Game) -> None:
        move = self._heard(child, f"go {self._go}", "bestmove").split()[1:2]
        if not move:
            raise child.wrong(f"go {self._go}", "bestmove")
        game.play(chess_notation.legal_moves(game.environment.state).get(move[0], -1), move[0])

    def _heard(self, child: Child, said: str, word: str) -> str:
        """The line that begins with `word`; others are passed over."""
        deadline = child.deadline()
        while True:
            line = child.hear(said, deadline)
            if line.split()[:1] == [word]:
                return line


@contextlib.contextmanager
def closing(contestants: Sequence[Contestant]):
    """Closes them in the end, whatever happens."""
    try:
        yield contestants
    finally:
        for contestant in contestants:
            contestant.close()
