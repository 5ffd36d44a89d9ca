"""Plays a board game with a policy that a run has saved, against other players.

python pipelines/match.py --logdir=DIR --opponent=PLAYER [--games=100] [--policy=best|last]
    [--num_simulations=N] [--simulations=100] [--seed=N] [--opening=0]
    [--processes=N] [--record=FILE.sgf|.pgn|.txt]
python pipelines/match.py --logdir=DIR --player=PLAYER --player=PLAYER ... [--games=100]
    [--figure=FILE.png] ...

A PLAYER is random; mcts or mcts:N, OpenSpiel's tree search; uct or uct:N, ours; perfect;
simulations:N, the run's own policy with so many; at:EPISODES and at:all, as it was then (with
Experiment.keep_policies); policy:RUN or policy:RUN@N, another run's;
'gtp:gnugo --mode gtp --level 1' and 'uci:stockfish', programs. LABEL=PLAYER is shown as LABEL among
ratings.

A match prints one line of JSON and one in words: wins, draws and losses from each seat and in all,
the score (a win counts 1, a draw 1/2) and its 95 % confidence interval. With several --player,
everybody plays --games games against everybody, and a table of Elo ratings follows. The policy is
the SavedModel in DIR/policy, the game the one of DIR/config.gin; each player moves first in half of
the games. Equal seeds give equal games, programs apart. Bad input: one line and status 2.
"""

from __future__ import annotations

import functools
import json
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from absl import flags

from pipelines.environments.opponents import OPPONENTS_BY_RULES as OPPONENTS
from pipelines.serving import saved_run
from pipelines.system import command_line
from pipelines.system.errors import UserError
from pipelines.system.paths import PathParser

if TYPE_CHECKING:
    from agents.actor import Actor
    from pipelines.engines.arena import Contestant, Game
    from pipelines.engines.roster import Roster
    from pipelines.environments import BatchedEnvironment
    from pipelines.environments.two_players import TwoPlayerGame

# Games that are played side by side, so that a batch of searches costs little more than one.
MAX_SIDE_BY_SIDE = 64

_SEATS = ("first", "second")
# LABEL=PLAYER; a program's command may have '=' too, but behind 'gtp:'.
_LABEL = re.compile(r"(?P<label>[^:=]+)=(?P<player>.+)")
# Of the normal distribution, for 95 %.
_QUANTILE = 1.959964

_FLAGS = flags.FlagValues()
_LOGDIR = flags.DEFINE(PathParser(), "logdir", None, "Of the run.", flag_values=_FLAGS)
_POLICY = flags.DEFINE_enum(
    "policy", "best", ["best", "last"], "Which of its policies.", flag_values=_FLAGS
)
_NUM_SIMULATIONS = flags.DEFINE_integer(
    "num_simulations",
    None,
    "Of each move of the policy, if it was saved with room for so many; by default its own.",
    lower_bound=1,
    flag_values=_FLAGS,
)
_OPPONENT = flags.DEFINE_string("opponent", None, "The other player.", flag_values=_FLAGS)
_PLAYERS = flags.DEFINE_multi_string(
    "player", [], "One of those that are rated; may be repeated.", flag_values=_FLAGS
)
_SIMULATIONS = flags.DEFINE_integer(
    "simulations", 100, "Of each move of mcts and uct.", lower_bound=1, flag_values=_FLAGS
)
_GAMES = flags.DEFINE_integer(
    "games", 100, "Games to play, an even number.", lower_bound=2, flag_values=_FLAGS
)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Of opponent and policy.", lower_bound=0, flag_values=_FLAGS
)
_RECORD = flags.DEFINE(
    PathParser(),
    "record",
    None,
    "The games, as SGF (Go), PGN (chess) or lists of moves (.txt).",
    flag_values=_FLAGS,
)
_FIGURE = flags.DEFINE(
    PathParser(),
    "figure",
    None,
    "PNG of the ratings, over simulations, or, with at:EPISODES, over the training.",
    flag_values=_FLAGS,
)
_OPENING = flags.DEFINE_integer(
    "opening",
    0,
    "Random moves that open each game, an even number, the same in a game from each seat: players "
    "that always answer alike play one game again and again without.",
    lower_bound=0,
    flag_values=_FLAGS,
)
_SECONDS = flags.DEFINE_float(
    "seconds", 60.0, "That a program's answer may take.", lower_bound=0.01, flag_values=_FLAGS
)
_PROCESSES = flags.DEFINE_integer(
    "processes",
    os.cpu_count() or 1,
    "Of a program, each with a game of its own; by default one a processor. With more of them the "
    "policy's searches fill larger batches; a program that thinks by the clock gets less of it.",
    lower_bound=1,
    upper_bound=MAX_SIDE_BY_SIDE,
    flag_values=_FLAGS,
)
_UCI_GO = flags.DEFINE_string(
    "uci_go", "movetime 100", "What UCI programs are told after `go`.", flag_values=_FLAGS
)
_UCI_OPTIONS = flags.DEFINE_multi_string(
    "uci_option", [], "NAME=VALUE of UCI programs; may be repeated.", flag_values=_FLAGS
)


def main(argv: list[str]) -> int:
    """Runs the program; returns the exit status, see `command_line`."""
    return command_line.run_program(argv, _FLAGS, __doc__, _match)


def play_match(
    make_game: Callable[[int], TwoPlayerGame],
    make_actor: Callable[[BatchedEnvironment, int], Actor],
    games: int,
    seed: int,
) -> list[list[float]]:
    """Plays `games` games, half from each seat.

    Args:
      make_game: from its seed; an even one lets the learner move first.
      make_actor: from the games that it plays side by side and its seed.
      games: an even number.
      seed: of opponents and actors.

    Returns:
      What the actor got in each game, from the first seat and from the second: 1, 0 or -1.
    """
    import numpy as np

    from pipelines.acting.environment_loop import EnvironmentLoop
    from pipelines.environments import BatchedEnvironment

    seeds = np.random.SeedSequence(seed).generate_state(2) & 0x1FFFFFFF
    outcomes: list[list[float]] = [[], []]
    for seat in (0, 1):
        for start in range(0, games // 2, MAX_SIDE_BY_SIDE):
            count = min(MAX_SIDE_BY_SIDE, games // 2 - start)
            # One game each: the seat changes after it.
            first = 2 * (int(seeds[0]) + start) + seat
            batch = BatchedEnvironment([make_game(first + 2 * i) for i in range(count)])
            actor = make_actor(batch, int(seeds[1]) + 2 * start + seat)
            episodes = EnvironmentLoop(batch).run(actor, count)
            outcomes[seat] += [episode.episode_return for episode in episodes]
    return outcomes


def tally(outcomes: Sequence[float]) -> dict[str, Any]:
    """Returns games, wins, draws, losses, score and the score's interval [low, high]."""
    games, wins, losses = len(outcomes), *(sum(o == sign for o in outcomes) for sign in (1, -1))
    draws = games - wins - losses
    score = (wins + draws / 2) / games
    counts = {"games": games, "wins": wins, "draws": draws, "losses": losses}
    return {**counts, "score": score, "interval": list(wilson_interval(score, games))}


def wilson_interval(score: float, games: int) -> tuple[float, float]:
    """Returns Wilson's 95 % interval for the mean of `games` values in [0, 1].

    It is meant for wins and losses; draws make the spread smaller, so that with them it is wider
    than it need be. Wilson, "Probable inference, the law of succession, and statistical inference",
    1927.
    """
    z = _QUANTILE
    middle = (score + z * z / (2 * games)) / (1 + z * z / games)
    variance = score * (1 - score) / games + z * z / (4 * games * games)
    half = z * math.sqrt(variance) / (1 + z * z / games)
    return max(0.0, middle - half), min(1.0, middle + half)


def _match() -> None:
    directory = saved_run.find_policy(_LOGDIR.value, _POLICY.value)
    if _GAMES.value % 2:
        raise UserError(
            f"--games is '{_GAMES.value}'; expected an even number, half from each seat"
        )
    if _OPENING.value % 2:
        raise UserError(f"--opening is '{_OPENING.value}'; expected an even number")
    if _PLAYERS.value:
        _rate(_PLAYERS.value)
        return
    if _OPPONENT.value is None:
        raise UserError("--opponent is missing; expected a player, such as random, see --help")
    if _OPPONENT.value in OPPONENTS and _RECORD.value is None and not _OPENING.value:
        outcomes, environment = _play(directory)
    else:
        outcomes, environment = _play_in_arena()
    simulations = _SIMULATIONS.value if _OPPONENT.value in ("mcts", "uct") else None
    result = {
        "environment": environment,
        "opponent": _OPPONENT.value,
        "simulations": simulations,
        **{seat: tally(rewards) for seat, rewards in zip(_SEATS, outcomes, strict=True)},
        "all": tally([*outcomes[0], *outcomes[1]]),
        "policy": str(directory),
        "seed": _SEED.value,
    }
    print(json.dumps(result))
    print(_words(result))


def _rate(names: Sequence[str]) -> None:
    """Plays all against all, and prints their ratings."""
    if _FIGURE.value is not None and not _FIGURE.value.endswith(".png"):
        raise UserError(f"--figure is '{_FIGURE.value}'; expected a file name that ends in .png")
    if _NUM_SIMULATIONS.value is not None:
        raise UserError(
            f"--num_simulations is '{_NUM_SIMULATIONS.value}'; with --player expected "
            "simulations:N, at:EPISODES@N or policy:RUN@N"
        )
    labels, names = _labelled(_with_all_kept(names))
    if len(names) < 2:
        raise UserError(f"--player is '{names[0]}' alone; expected two or more, or --opponent")
    from pipelines.engines import tournament
    from pipelines.engines.contestants import closing
    from pipelines.evaluation import ratings

    roster = _roster()
    with closing([]) as contestants:
        for name in names:
            contestants.append(roster.make(name))
        points = tournament.play_all(
            contestants, roster.make_game, _GAMES.value, _recorder(roster), _tell_pair
        )
    fitted = ratings.fit(points)
    rows = tournament.described(labels, fitted)
    result = {"environment": roster.environment_name, "ratings": rows, "points": points.tolist()}
    players = {"players": names, "labels": labels}
    print(json.dumps({**result, **players, "regularised": fitted.regularised}))
    print(tournament.table(rows, fitted.regularised))
    if _FIGURE.value is not None:
        from pipelines.evaluation import rating_figure

        rating_figure.draw(_FIGURE.value, rows, roster.environment_name)


def _with_all_kept(names: Sequence[str]) -> list[str]:
    """The players, in the place of `at:all` and `at:all@N` those that they stand for."""
    from pipelines.logdir import exported

    each = exported.kept_positions(_LOGDIR.value)
    players: list[str] = []
    for name in names:
        stands_for_all = each and name.partition("@")[0] == "at:all"
        players += [f"at:{at}{name[6:]}" for at in each] if stands_for_all else [name]
    return players


def _labelled(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """What the players are shown as, and their names."""
    found = [_LABEL.match(name) for name in names]
    labels = [each["label"] if each else name for each, name in zip(found, names, strict=True)]
    if twice := next((label for label in labels if labels.count(label) > 1), None):
        raise UserError(f"--player is '{twice}' twice; expected players or labels that differ")
    players = [each["player"] if each else name for each, name in zip(found, names, strict=True)]
    return labels, players


def _tell_pair(first: Contestant, second: Contestant, points: float) -> None:
    told = f"{first.name} against {second.name}: {points:g} of {_GAMES.value}"
    print(told, file=sys.stderr, flush=True)


def _play_in_arena() -> tuple[list[list[float]], str]:
    """As `_play`, against any player, a game at a time for each of its processes."""
    from pipelines.engines import arena
    from pipelines.engines.contestants import closing

    roster, number = _roster(), _NUM_SIMULATIONS.value
    own = f"policy:{_LOGDIR.value}" if number is None else f"simulations:{number}"
    with closing([]) as contestants:
        for name in (_OPPONENT.value, own):  # A wrong opponent is known at once.
            contestants.append(roster.make(name))
        second, first = contestants
        outcomes = arena.play(first, second, roster.make_game, _GAMES.value, _recorder(roster))
    return outcomes, roster.environment_name


def _roster() -> Roster:
    from pipelines.engines.roster import Roster, Settings

    options = [text.partition("=") for text in _UCI_OPTIONS.value]
    for text, (name, equals, _) in zip(_UCI_OPTIONS.value, options, strict=True):
        if not name or not equals:
            raise UserError(f"--uci_option is '{text}'; expected NAME=VALUE")
    return Roster(
        Settings(
            logdir=_LOGDIR.value,
            which=_POLICY.value,
            seed=_SEED.value,
            mcts_simulations=_SIMULATIONS.value,
            seconds=_SECONDS.value,
            processes=_PROCESSES.value,
            uci_go=_UCI_GO.value,
            uci_options=[(name, value) for name, _, value in options],
            opening=_OPENING.value,
        )
    )


def _recorder(roster: Roster) -> Callable[[Game, Sequence[Contestant]], None]:
    """What is done with each game that has ended."""
    if _RECORD.value is None:
        return lambda game, players: None
    from pipelines.engines.records import Record

    return Record(_RECORD.value, roster.game, roster.environment_name).add


def _play(directory: os.PathLike[str]) -> tuple[list[list[float]], str]:
    """Returns what `play_match` does, and the environment's name."""
    from agents.actor import Actor
    from pipelines.configuration import experiment
    from pipelines.environments.two_players import TwoPlayerGame
    from pipelines.launch.parts import make_role
    from pipelines.serving import in_play
    from pipelines.serving.export import SavedPolicy

    described = experiment.parse_saved(_LOGDIR.value)
    environment = described.environment(seed=0)
    if not isinstance(environment, TwoPlayerGame):
        raise UserError(f"the run's environment is {environment.name}; expected a board game")

    def make_game(seed: int) -> TwoPlayerGame:
        return described.environment(
            seed=seed,
            opponent=_OPPONENT.value,
            opponent_simulations=_SIMULATIONS.value,
            random_opening=0,
        )

    make_game(0)  # An opponent that does not play this game is known before the policy is read.
    saved = SavedPolicy(directory)
    saved_run.check_observation(saved, environment.observation_spec(), environment.name)

    def make_actor(batch: BatchedEnvironment, seed: int) -> Actor:
        role = functools.partial(make_role, batch, evaluation=True)
        policy = in_play.acting(saved, described, role, _NUM_SIMULATIONS.value)
        return Actor(policy, batch.batch_size, seed)

    outcomes = play_match(make_game, make_actor, _GAMES.value, _SEED.value)
    return outcomes, environment.name


def _words(result: dict[str, Any]) -> str:
    simulations, whole = result["simulations"], result["all"]
    against = result["opponent"] + (f" ({simulations} simulations)" if simulations else "")
    low, high = whole["interval"]
    seats = ", ".join(f"moving {seat} {_counts(result[seat])}" for seat in _SEATS)
    return (
        f"{result['environment']} against {against}: score {whole['score']:.3f} "
        f"(95 % interval {low:.3f} to {high:.3f}) over {whole['games']} games: "
        f"{_counts(whole)}; {seats}"
    )


def _counts(tallied: dict[str, Any]) -> str:
    return f"{tallied['wins']} won {tallied['draws']} drawn {tallied['losses']} lost"


if __name__ == "__main__":
    sys.exit(main(sys.argv))
