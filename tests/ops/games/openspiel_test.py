"""Protects the rules: in random games they are OpenSpiel's, but for superko.

A longer run by hand: ops/games/README.md.
"""

from __future__ import annotations

import pytest

from ops import games
from tests.ops.games import openspiel

POSITIONS = {"tic_tac_toe": 1500, "connect_four": 2000, "othello": 2000, "go": 2500}


@pytest.mark.parametrize(("name", "options"), openspiel.GAMES)
def test_random_games_go_as_openspiels(name, options):
    seed = 17
    print(f"seed {seed}")
    batch = 4 if options.get("size") == 19 else 32
    found = openspiel.compare(games.make(name, **options), POSITIONS[name], seed, batch)
    assert found.positions >= POSITIONS[name] and found.ends >= batch
    assert name == "go" or found.repeats == 0
