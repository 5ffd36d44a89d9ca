"""Protects Go's own rules: ko, superko, suicide, passes, scores."""

from __future__ import annotations

import numpy as np
import pytest

from ops import games
from ops.games.host import HostRules
from tests.ops.games.drawn import index, play, position
from tests.ops.games.naive_go import NaiveGo
from tests.ops.games.openspiel import board_of, random_actions


def go(**options) -> HostRules:
    return HostRules(games.make("go", **options))


def allows(host: HostRules, state: np.ndarray, move: tuple[int, int] | str) -> bool:
    """Whether a move is legal, by `legal` and by `step`, which must agree."""
    legal = bool(host.legal(state)[0, index(host, move)])
    try:
        host.step(state, [index(host, move)])
    except ValueError as error:
        assert "is illegal (row 0 of the batch)" in str(error) and not legal
        return False
    assert legal
    return True


def drawn(host: HostRules, state: np.ndarray) -> list[str]:
    """The board as text."""
    board = board_of(state, host)[0]
    return ["".join(".XO"[stone] for stone in row) for row in board]


# Who is to move takes the one stone in the middle.
KO = (".XO..", "XO.O.", ".XO..")


@pytest.mark.parametrize("superko", [True, False])
def test_a_ko_is_taken_back_only_after_a_move_elsewhere(superko):
    host = go(size=5, superko=superko)
    state = play(host, position(host, *KO), (1, 2))
    assert drawn(host, state)[:3] == [".XO..", "X.XO.", ".XO.."]
    assert not allows(host, state, (1, 1))
    state = play(host, state, (4, 4), (4, 0))
    assert allows(host, state, (1, 1))
    state = play(host, state, (1, 1))
    assert drawn(host, state)[:3] == list(KO)
    assert not allows(host, state, (1, 2))


@pytest.mark.parametrize("superko", [True, False])
def test_a_pass_between_lifts_no_ko(superko):
    host = go(size=5, superko=superko)
    state = play(host, position(host, *KO, second=True), "pass", (1, 2))
    assert not allows(host, state, (1, 1))
    # Both pass in turn without ending the game: the one stone may be back with simple ko alone.
    state = play(host, state, "pass", (4, 4), (4, 0), "pass")
    assert allows(host, state, (1, 1)), "two stones more stand on the board"


def test_two_stones_sent_and_one_returned():
    rows = (".O.O.", "XXO..", ".....")
    for superko in (True, False):
        host = go(size=5, superko=superko)
        state = position(host, *rows, second=True)
        state = play(host, state, (0, 0), (0, 2))
        assert drawn(host, state)[0] == "..XO."
        assert allows(host, state, (0, 1)) is not superko
        state = play(host, state, (4, 4), (4, 0))
        assert allows(host, state, (0, 1)), "the board is another one"


def test_three_kos_do_not_go_round():
    mine = (".XO", "XO.O", ".XO")  # the first player takes at (1, 2)
    theirs = (".XO", "X.XO", ".XO")  # the second player takes at (1, 1)
    for superko in (True, False):
        host = go(size=11, superko=superko)
        start = position(host, *mine, "", *theirs, "", *mine)
        state = play(host, start, (1, 2), (5, 1), (9, 2), (1, 1), (5, 2))
        assert allows(host, state, (9, 1)) is not superko
    state = play(host, state, (9, 1))
    assert drawn(host, state) == drawn(host, start)


@pytest.mark.parametrize("suicide", [False, True])
def test_suicide_takes_two_stones_where_it_is_allowed_and_never_one(suicide):
    host = go(size=5, suicide=suicide)
    state = position(host, ".XO..", "OO...")
    assert allows(host, state, (0, 0)) is suicide
    if suicide:
        after, reward, discount, _ = host.step(state, [0])
        assert drawn(host, after)[:2] == ["..O..", "OO..."]
        assert (reward[0], discount[0]) == (0, -1)
    for superko in (False, True):
        host = go(size=5, suicide=suicide, superko=superko)
        assert not allows(host, position(host, ".O...", "O...."), (0, 0))


def test_a_stone_without_liberties_that_takes_others_is_no_suicide():
    host = go(size=5)
    state = position(host, ".OX..", "OX...", "X....")
    assert drawn(host, play(host, state, (0, 0)))[:2] == ["X.X..", ".X..."]


def test_a_suicide_that_brings_a_board_back_is_superko():
    """Two stones are put where they die: the second one leads back to before the first."""
    for superko in (True, False):
        host = go(size=5, suicide=True, superko=superko)
        state = play(host, position(host, "..O..", "OO..."), (0, 1), "pass")
        assert allows(host, state, (0, 0)) is not superko


@pytest.mark.parametrize(("komi", "outcome"), [(24.5, 1), (25.0, 0)])
def test_two_passes_end_the_game(komi, outcome):
    host = go(size=5, komi=komi)
    state, reward, discount, legal = host.step(play(host, host.initial(1), (2, 2)), [25])
    assert (reward[0], discount[0]) == (0, -1) and legal.any()
    state, reward, discount, legal = host.step(state, [25])
    assert (reward[0], discount[0]) == (outcome, 0) and not legal.any()
    rules = games.make("go", size=5, komi=komi)
    assert rules.score(state)[0] == outcome and rules.over(state)[0]


@pytest.mark.parametrize(("komi", "outcome"), [(-2.5, 1), (-2.0, 0), (-1.5, -1)])
def test_a_region_that_both_reach_counts_for_nobody(komi, outcome):
    host = go(size=5, komi=komi)
    eight_and_ten = (".X.O.", "XX.OO", "...O.", "XX.OO", ".X.O.")
    state = play(host, position(host, *eight_and_ten), "pass")
    assert host.step(state, [25])[1][0] == -outcome, "the second player's"


def test_the_last_move_ends_the_game():
    host = go(size=5, komi=0.5, max_moves=3)
    state = play(host, host.initial(1), (2, 2), (0, 0))
    after, reward, discount, legal = host.step(state, [0 + 1])
    assert (reward[0], discount[0]) == (1, 0) and not legal.any()
    again, reward, discount, legal = host.step(after, [7000])
    assert (again == after).all() and reward[0] == discount[0] == 0 and not legal.any()


@pytest.mark.parametrize("suicide", [False, True])
@pytest.mark.parametrize("superko", [False, True])
def test_random_games_on_small_boards_go_as_the_rules_are_worded(suicide, superko):
    seed, batch = 5, 6
    print(f"seed {seed}")
    options = dict(size=5, komi=0.0, suicide=suicide, superko=superko, max_moves=80)
    host, random = go(**options), np.random.default_rng(seed)
    naive = [NaiveGo(**options) for _ in range(batch)]
    state = host.initial(batch)
    legal, taken_back = host.legal(state), 0
    while legal.any():
        for game, row in zip(naive, legal, strict=True):
            assert (game.legal() == row).all(), game.board
            taken_back += int((game.board == 0).sum() + 1 - row.sum())
        action = random_actions(legal, random, rare_pass=True)
        for game, one in zip(naive, action, strict=True):
            if not game.over:
                game.play(one)
        state, _, _, legal = host.step(state, action)
        assert (board_of(state, host) == [game.board for game in naive]).all()
    scores = games.make("go", **options).score(state).numpy()
    assert scores.tolist() == [game.outcome() for game in naive]
    assert taken_back > 0
