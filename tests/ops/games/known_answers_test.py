"""Protects single facts of the small games, on every backend that has them."""

from __future__ import annotations

import numpy as np
import pytest

from ops import games

BACKENDS = ("native", "tensorflow")


def place(rules: games.Rules, board: np.ndarray, moves: int) -> np.ndarray:
    """A state [1, S] of a board [H, W] of 1, -1 and 0, after so many moves."""
    state = np.zeros((1, rules.state_size), np.uint8)
    state[0, 0] = moves
    state[0, 4 : 4 + 2 * board.size] = np.concatenate([board.ravel() == 1, board.ravel() == -1])
    return state


def play(rules: games.Rules, actions: list[int]) -> list[tuple[float, float]]:
    """Rewards and discounts of a game."""
    state, said = rules.initial(1), []
    for action in actions:
        state, reward, discount, legal = rules.step(state, [action])
        assert bool(legal.numpy().any()) == (discount[0] != 0)
        said.append((float(reward[0]), float(discount[0])))
    return said


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("actions", "reward"),
    [
        ([0, 3, 1, 4, 2], 1),
        ([0, 3, 1, 4, 8, 5], 1),
        ([0, 1, 2, 4, 3, 5, 7, 6, 8], 0),
        ([0, 1, 3, 2, 4, 5, 7, 6, 8], 1),
    ],
)
def test_tic_tac_toe_ends_with_three_in_a_row_or_a_full_board(backend, actions, reward):
    rules = games.make("tic_tac_toe", backend=backend)
    *before, last = play(rules, actions)
    assert set(before) == {(0, -1)} and last == (reward, 0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "actions",
    [
        [0, 1, 0, 1, 0, 1, 0],
        [0, 0, 1, 1, 2, 2, 3],
        [0, 1, 1, 2, 2, 3, 2, 3, 3, 6, 3],
        [6, 5, 5, 4, 4, 3, 4, 3, 3, 0, 3],
    ],
)
def test_connect_four_is_won_by_four_in_a_row_each_way(backend, actions):
    *before, last = play(games.make("connect_four", backend=backend), actions)
    assert set(before) == {(0, -1)} and last == (1, 0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_rows_do_not_go_on_at_the_other_side(backend):
    rules = games.make("connect_four", backend=backend)
    board = np.zeros((6, 7), np.int8)
    board[0, 5:], board[1, 0] = 1, 1
    board[0, :2] = board[0, 3] = -1
    state, reward, discount, _ = rules.step(place(rules, board, 6), [1])
    assert rules.board(state)[0, 1, 1] == 1 and (reward[0], discount[0]) == (0, -1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_full_board_of_connect_four_is_a_draw_and_a_full_column_is_illegal(backend):
    rules = games.make("connect_four", backend=backend)
    row, column = np.indices((6, 7))
    board = np.where((column // 2 + row) % 2, -1, 1)
    assert board.sum() == 0
    board[5, 4] = 0
    state = place(rules, board, 41)
    assert rules.legal(state).numpy()[0].tolist() == [column == 4 for column in range(7)]
    state, reward, discount, legal = rules.step(state, [4])
    assert (reward[0], discount[0], legal.numpy().any()) == (0, 0, False)
    assert rules.over(state)[0] and rules.score(state)[0] == 0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [6, 8])
def test_othello_passes_only_where_no_disc_can_be_placed(backend, size):
    rules = games.make("othello", size=size, backend=backend)
    legal = rules.legal(rules.initial(1)).numpy()[0]
    assert legal.sum() == 4 and not legal[-1]
    board = np.zeros((size, size), np.int8)
    board[0, :2] = -1, 1  # Only the second player can close in.
    state = place(rules, board, 10)
    assert np.flatnonzero(rules.legal(state)).tolist() == [size**2]
    state, reward, discount, legal = rules.step(state, [size**2])
    assert (reward[0], discount[0]) == (0, -1) and np.flatnonzero(legal).tolist() == [2]
    state, reward, discount, legal = rules.step(state, [2])
    assert (reward[0], discount[0]) == (1, 0) and rules.score(state)[0] == -1
    assert rules.board(state).numpy()[0, 0, :3].tolist() == [-1, -1, -1]


@pytest.mark.parametrize("backend", BACKENDS)
def test_othello_turns_all_that_is_closed_in_and_nothing_else(backend):
    rules = games.make("othello", size=6, backend=backend)
    board = np.array(
        [
            [1, 0, 1, 0, 1, 0],
            [0, -1, -1, -1, 0, 0],
            [1, -1, 0, -1, -1, -1],
            [0, -1, -1, -1, 0, 0],
            [1, 0, -1, 0, 1, 0],
            [0, 0, -1, 0, 0, 0],
        ]
    )
    state = rules.step(place(rules, board, 8), [2 * 6 + 2]).state
    turned = (rules.board(state).numpy()[0] == 1) & (board == -1)
    assert set(zip(*np.nonzero(turned), strict=True)) == {
        *[(1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (3, 3)]
    }
    assert rules.board(state)[0, 2, 3] == -1, "a run up to the edge stays"


@pytest.mark.parametrize("backend", BACKENDS)
def test_othello_ends_as_a_draw_with_as_many_discs_each(backend):
    rules = games.make("othello", size=6, backend=backend)
    board = np.full((6, 6), -1)
    board.ravel()[1:17], board[0, :2] = 1, (0, -1)
    board[3, 0] = 1
    state, reward, discount, _ = rules.step(place(rules, board, 40), [0])
    assert (rules.board(state).numpy() == 1).sum() == 18
    assert (reward[0], discount[0], rules.score(state)[0]) == (0, 0, 0) and rules.over(state)[0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["tic_tac_toe", "connect_four", "othello"])
def test_a_step_beyond_the_end_changes_nothing(backend, name):
    rules = games.make(name, backend=backend)
    state = rules.initial(2).numpy()
    state[1, 2] = 2
    step = rules.step(state, [rules.legal(state).numpy()[0].argmax(), 12345])
    assert (step.state[1].numpy() == state[1]).all() and not step.legal[1].numpy().any()
    assert step.reward.numpy().tolist() == [0, 0] and step.discount.numpy().tolist() == [-1, 0]
    assert rules.score(state).numpy().tolist() == [0, -1]
