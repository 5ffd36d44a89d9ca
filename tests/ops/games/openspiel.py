"""Random games beside OpenSpiel's: every position's board, legal actions, rewards and end.

    python -m tests.ops.games.openspiel POSITIONS [SEED]     all games, with what was compared

OpenSpiel ends a game of Go as a draw where a board comes back; here that move is illegal, so the
two are held to differ there and nowhere else.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np
import pyspiel

from ops import games
from ops.games import Rules
from ops.games.host import HostRules

# Plane of the first player's stones, and of the second's, in OpenSpiel's observation.
PLANES = {"tic_tac_toe": (2, 1), "connect_four": (0, 1), "othello": (1, 2), "go": (0, 1)}
GAMES = (
    ("tic_tac_toe", {}),
    ("connect_four", {}),
    ("othello", {}),
    ("go", {"size": 5, "komi": 0.0}),
    ("go", {"size": 9, "komi": 7.5}),
    ("go", {"size": 13, "komi": 5.0, "max_moves": 60}),
    ("go", {"size": 19, "komi": 7.5}),
)


class Compared(NamedTuple):
    """How much was found equal: positions, finished games, and moves that superko forbids."""

    positions: int
    ends: int
    repeats: int


def spiel_game(rules: Rules) -> Any:
    """OpenSpiel's game of these rules."""
    if rules.name != "go":
        return pyspiel.load_game(rules.name)
    options = rules.options
    parameters = {
        "board_size": options.height,
        "komi": options.komi,
        "max_game_length": options.max_moves,
    }
    return pyspiel.load_game("go", parameters)


def stones(state: Any, game: Any, name: str) -> np.ndarray:
    """The board as `Rules.board` gives it: [H, W]."""
    planes = np.array(state.observation_tensor(0)).reshape(game.observation_tensor_shape())
    first, second = (planes[i] for i in PLANES[name])
    return (first - second).astype(np.int8)


def check_legal(legal: np.ndarray, state: Any) -> int:
    """Holds a row of legal actions against OpenSpiel's; gives how many boards would come back."""
    wanted = np.zeros(len(legal), bool)
    if not state.is_terminal():
        wanted[state.legal_actions()] = True
    assert not (legal & ~wanted).any(), f"not legal: {np.flatnonzero(legal & ~wanted)} in\n{state}"
    missing = np.flatnonzero(wanted & ~legal)
    for action in missing:
        after = state.child(action)
        repeats = str(after.get_game()).startswith("go") and after.is_terminal()
        assert repeats and after.returns() == [0, 0], f"{action} is missing in\n{state}"
    return len(missing)


def compare(rules: Rules, positions: int, seed: int, batch: int = 32) -> Compared:
    """Plays random games, so many side by side, until that many positions were found equal.

    In Go passes are rare, so that games are long.
    """
    random, game, host = np.random.default_rng(seed), spiel_game(rules), HostRules(rules)
    seen = ends = repeats = 0
    while seen < positions:
        spiels = [game.new_initial_state() for _ in range(batch)]
        state = host.initial(batch)
        legal = host.legal(state)
        while legal.any():
            repeats += sum(map(check_legal, legal, spiels))
            seen += int(legal.any(axis=1).sum())
            action = random_actions(legal, random, rules.name == "go")
            state, reward, discount, legal = host.step(state, action)
            boards = board_of(state, rules)
            for row, spiel in enumerate(spiels):
                if spiel.is_terminal():
                    assert reward[row] == discount[row] == 0 and not legal[row].any()
                    continue
                mover = spiel.current_player()
                spiel.apply_action(action[row])
                ended = spiel.is_terminal()
                ends += ended
                assert (boards[row] == stones(spiel, game, rules.name)).all(), str(spiel)
                assert reward[row] == (spiel.returns()[mover] if ended else 0), str(spiel)
                assert discount[row] == (0 if ended else -1), str(spiel)
    return Compared(seen, ends, repeats)


def random_actions(legal: np.ndarray, random: np.random.Generator, rare_pass: bool) -> np.ndarray:
    """A legal action of each row that has one, else 0: int32 [B]."""
    weights = random.random(legal.shape) * legal
    if rare_pass:
        weights[:, -1] *= 0.3
    return weights.argmax(axis=1).astype(np.int32)


def board_of(state: np.ndarray, rules: Rules) -> np.ndarray:
    """As Rules.board, without TensorFlow: int8 [B, H, W]."""
    cells = rules.options.cells
    first, second = (state[:, 4 + i * cells : 4 + (i + 1) * cells] & 1 for i in range(2))
    shape = (-1, rules.options.height, rules.options.width)
    return (first.astype(np.int8) - second.astype(np.int8)).reshape(shape)


def main(positions: int, seed: int) -> None:
    """Compares all games."""
    for name, options in GAMES:
        found = compare(games.make(name, **options), positions, seed)
        print(name, options, found, flush=True)


if __name__ == "__main__":
    main(*map(int, (*sys.argv[1:], 0)[:2]))
