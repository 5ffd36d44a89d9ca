"""A player's search in slices is its search in one, and can be given up in between."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.engines import making
from pipelines.engines import player as players
from pipelines.engines.player import Player
from tests.pipelines.engines import saved

_GAME = "board_game.game = 'connect_four'"


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    return saved.save_run(tmp_path_factory.mktemp("player") / "run", _GAME)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "compiled"])
def player(logdir, request) -> Player:
    best = logdir / "policy" / "best"
    return making.player_of(str(logdir), best, "connect_four", compiled=request.param)


def test_a_search_in_slices_is_a_whole_one(player: Player, monkeypatch):
    monkeypatch.setattr(players, "_SLICE", 0.0)  # A simulation each.
    position = player.position([3, 3, 2])
    player.restart()
    whole = player.search([position], 24)[0]
    player.restart()
    found = player.study(position, 24)
    assert found.simulations == 24
    # Between equal ones XLA draws by other numbers.
    assert found.shares[found.action] == pytest.approx(whole.shares[whole.action], abs=1e-5)
    np.testing.assert_allclose(found.shares, whole.shares, atol=1e-5)
    assert found.value == pytest.approx(whole.value, abs=1e-5)


def test_its_tree_says_what_follows_each_move(player: Player):
    position = player.position([3, 3, 2])
    found = player.study(position, 40)
    visits = {each.actions[0]: each.visits for each in found.variations}
    assert set(visits) == set(np.flatnonzero(found.shares)) and sum(visits.values()) == 40
    values = np.array([each.value for each in found.variations])
    counts = np.array([each.visits for each in found.variations])
    # The root's own evaluation is one visit more.
    assert abs(found.value * 41 - (values * counts).sum()) <= 1 + 1e-4
    lines = player.lines([3, 3, 2], None, found, 7)
    assert lines[0].actions[0] == found.action and len(lines[0].actions) >= 2


def test_a_search_is_given_up_between_slices(player: Player, monkeypatch):
    monkeypatch.setattr(players, "_SLICE", 0.0)
    asked = []

    def going_on() -> bool:
        asked.append(None)
        return len(asked) < 5

    assert player.study(player.position([]), 64, going_on=going_on) is None
    assert len(asked) == 5
