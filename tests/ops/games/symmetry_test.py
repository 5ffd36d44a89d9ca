"""Protects the geometry: a turned or mirrored game has turned and mirrored planes and moves."""

from __future__ import annotations

import numpy as np
import pytest

from ops import games
from ops.games.host import HostRules
from tests.ops.games.openspiel import random_actions

SQUARES = (
    ("tic_tac_toe", {}),
    ("othello", {"size": 6}),
    ("othello", {"size": 8, "history": 3}),
    ("go", {"size": 5, "suicide": True, "max_moves": 60}),
    ("go", {"size": 13, "max_moves": 120}),
)


def turned(planes: np.ndarray, symmetry: int) -> np.ndarray:
    """One of the square's eight symmetries of [H, W, ...]."""
    planes = np.rot90(planes, symmetry % 4)
    return planes[:, ::-1] if symmetry >= 4 else planes


def check(host: HostRules, maps: list[np.ndarray], see, seed: int) -> None:
    """Plays one game in all its symmetric forms, a row each; maps[k][action] is row k's action."""
    random = np.random.default_rng(seed)
    state = host.initial(len(maps))
    legal = host.legal(state)
    while legal.any():
        planes = host.observe(state)
        for row, mapped in enumerate(maps):
            assert (legal[row][mapped] == legal[0]).all()
            assert (planes[row] == see(planes[0], row)).all()
        action = random_actions(legal[:1], random, rare_pass=True)[0]
        played = np.array([mapped[action] for mapped in maps], np.int32)
        state, reward, discount, legal = host.step(state, played)
        assert len(set(reward)) == len(set(discount)) == 1
    assert discount[0] == 0


@pytest.mark.parametrize(("name", "options"), SQUARES)
def test_square_boards_have_eight_symmetries(name, options):
    host = HostRules(games.make(name, **options))
    size = host.options.height
    cells = np.arange(size**2).reshape(size, size)
    # The start of othello has four of them.
    symmetries = [k for k in range(8) if name != "othello" or k in (0, 2, 5, 7)]
    maps = []
    for symmetry in symmetries:
        mapped = np.full(host.num_actions, host.num_actions - 1)
        mapped[turned(cells, symmetry).ravel()] = cells.ravel()
        maps.append(mapped)
    check(host, maps, lambda planes, row: turned(planes, symmetries[row]), seed=2)


def test_connect_four_has_a_mirror():
    host = HostRules(games.make("connect_four", history=4))
    maps = [np.arange(7), np.arange(7)[::-1]]
    check(host, maps, lambda planes, row: planes[:, ::-1] if row else planes, seed=3)
