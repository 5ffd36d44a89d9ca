"""Protects board games: contract, rewards of both seats, opponents' strength."""

from __future__ import annotations

import re

import numpy as np
import pyspiel
import pytest

from pipelines.environments import BatchedEnvironment, board_game
from pipelines.system.errors import UserError, first_line
from tests.pipelines.environments.environment_contract import (
    EnvironmentContract,
    assert_equal_observations,
    play,
)

SOME_OF_EACH = (
    "tic_tac_toe",
    "connect_four",
    "go(board_size=5)",
    "chess",
    "shogi",
    "othello",
    "breakthrough(rows=5,columns=4)",
    "hex(board_size=4)",
)


class TestSelfPlay(EnvironmentContract):
    name = "open_spiel/connect_four"

    def make(self, seed):
        return board_game(seed=seed, game="connect_four", history=2)

    def test_another_seed_or_another_episode_starts_elsewhere(self):
        """Not so here: all games of one player against itself begin on the same empty board."""
        environment = self.make(seed=3)
        start = environment.reset().observation
        assert_equal_observations(self.make(seed=4).reset().observation, start)
        assert_equal_observations(environment.reset().observation, start)


class TestSelfPlayBehindRandomMoves(EnvironmentContract):
    """Its contract has games that start elsewhere with another seed and in another episode."""

    name = "open_spiel/connect_four"

    def make(self, seed):
        return board_game(seed=seed, game="connect_four", random_opening=12)


class TestAgainstTreeSearch(EnvironmentContract):
    name = "open_spiel/go(board_size=5)"

    def make(self, seed):
        return board_game(
            seed=seed,
            game="go(board_size=5)",
            opponent="mcts",
            opponent_simulations=3,
            max_moves=20,
        )


class TestAgainstRandom(EnvironmentContract):
    name = "open_spiel/tic_tac_toe"

    def make(self, seed):
        return board_game(seed=seed, opponent="random")


class TestAgainstPerfect(EnvironmentContract):
    name = "open_spiel/tic_tac_toe"

    def make(self, seed):
        return board_game(seed=seed, opponent="perfect")


def outcomes(environment, games: int) -> dict[int, list[float]]:
    """The learner's rewards when it moves at random, by seat."""
    by_seat: dict[int, list[float]] = {0: [], 1: []}
    for action_seed in range(games):
        last = play(environment, action_seed)[-1]
        by_seat[environment.seat].append(float(last.reward))
    return by_seat


def after(environment, actions):
    timestep = environment.reset()
    for action in actions:
        timestep = environment.step(action)
    return timestep


@pytest.mark.parametrize("actions", [(0, 1) * 3 + (0,), (6,) + (0, 1) * 3 + (0,)])
def test_in_self_play_whoever_completes_four_is_rewarded(actions):
    """The first player, or the second after a stone elsewhere, fills the left column."""
    environment = board_game(seed=0, game="connect_four")
    before = after(environment, actions[:-1])
    assert before.mid() and (before.reward, before.discount) == (0, 1)
    last = environment.step(actions[-1])
    assert last.last() and (last.reward, last.discount) == (1, 0)
    assert not last.observation["legal_actions"].any()


@pytest.mark.parametrize("moves", ["f3 e5 g4 Qh4#", "e4 e5 Qh5 Nc6 Bc4 Nf6 Qxf7#"])
def test_whoever_mates_is_rewarded_although_openspiels_first_player_is_number_1_in_chess(moves):
    environment = board_game(seed=0, game="chess")
    environment.reset()
    for move in moves.split():
        timestep = environment.step(environment.state.string_to_action(move))
    assert timestep.last() and timestep.reward == 1


def test_connect_four_and_its_mirror_image_are_one_game():
    """What `MuZeroConfig.mirror` relies on: columns from the right, all else as it is."""
    rng = np.random.RandomState(7)
    for _ in range(5):
        game, image = (board_game(seed=0, game="connect_four", history=2) for _ in range(2))
        timestep, other = game.reset(), image.reset()
        while not timestep.last():
            action = rng.choice(np.flatnonzero(timestep.observation["legal_actions"]))
            timestep, other = game.step(action), image.step(6 - action)
            assert (timestep.reward, timestep.last()) == (other.reward, other.last())
            for name, axis in (("board", 1), ("legal_actions", 0)):
                turned = np.flip(other.observation[name], axis)
                np.testing.assert_array_equal(timestep.observation[name], turned)


def test_a_full_board_without_a_row_is_a_draw_with_reward_0():
    last = after(board_game(seed=0), (0, 1, 2, 4, 3, 5, 7, 6, 8))
    assert last.last() and (last.reward, last.discount) == (0, 0)


def test_a_move_that_loses_at_once_is_paid_to_the_mover():
    # Komi decides a go game that both pass: the second player, whose pass ends it, wins; with a
    # komi below zero it is the first who does.
    for komi, reward in (("7.5", 1), ("-7.5", -1)):
        last = after(board_game(seed=0, game=f"go(board_size=5,komi={komi})"), (25, 25))
        assert last.last() and last.reward == reward


def test_the_learner_moves_first_in_every_other_game_and_the_seed_says_where_it_starts():
    for seed in (0, 1):
        environment = board_game(seed=seed, opponent="random")
        for game in range(4):
            stones = environment.reset().observation["board"][..., 1].sum()
            assert environment.seat == (seed + game) % 2 == stones


def test_the_learner_is_paid_its_own_outcome_from_both_seats():
    # Both play at random: who wins is read from OpenSpiel.
    environment = board_game(seed=0, opponent="random")
    rewards = set()
    for action_seed in range(20):
        last = play(environment, action_seed)[-1]
        assert last.reward == environment.state.returns()[environment.seat]
        rewards.add((environment.seat, float(last.reward)))
    assert {(0, 1.0), (0, -1.0), (1, 1.0), (1, -1.0)} <= rewards


@pytest.mark.parametrize("seed", [0, 1])
def test_at_the_end_the_learner_sees_its_own_pieces_first(seed):
    """Whoever made the last move."""
    environment = board_game(seed=seed, opponent="random")
    endings = set()
    for action_seed in range(8):
        board = play(environment, action_seed)[-1].observation["board"]
        first, second = (str(environment.state).count(mark) for mark in "xo")
        own = (first, second)[environment.seat]
        assert (board[..., 0].sum(), board[..., 1].sum()) == (own, first + second - own)
        endings.add((first + second) % 2)
    assert endings == {0, 1}


def test_a_perfect_player_never_loses_and_beats_random_play_mostly():
    results = outcomes(board_game(seed=0, opponent="perfect"), games=100)
    for rewards in results.values():
        assert len(rewards) == 50 and max(rewards) <= 0
        assert np.mean(rewards) < -0.5


def test_perfect_play_against_tree_search_loses_no_game_from_either_seat():
    from pipelines.environments.opponents import best_actions

    environment = board_game(seed=0, opponent="mcts", opponent_simulations=20)
    for _ in range(20):
        timestep = environment.reset()
        while not timestep.last():
            timestep = environment.step(best_actions(environment.state)[-1])
        assert timestep.reward >= 0


def test_the_perfect_player_draws_among_all_its_best_moves():
    from pipelines.environments.opponents import best_actions

    state = pyspiel.load_game("tic_tac_toe").new_initial_state()
    assert best_actions(state) == list(range(9))
    state.apply_action(0)
    assert best_actions(state) == [4], "only the centre holds against a corner"
    for action in (4, 2):
        state.apply_action(action)
    assert best_actions(state) == [1], "the row has to be stopped"
    environment = board_game(seed=1, opponent="perfect")
    openings = set()
    for _ in range(60):
        openings.add(environment.reset().observation["board"][..., 1].tobytes())
    assert len(openings) == 10, "nine openings, and none where the learner begins"


def test_tree_search_is_stronger_than_random_play():
    environment = board_game(seed=0, game="connect_four", opponent="mcts", opponent_simulations=100)
    results = outcomes(environment, games=20)
    assert np.mean(results[0] + results[1]) < -0.8


def test_a_random_opening_has_any_number_of_moves_up_to_its_length_and_is_never_the_whole_game():
    environment = board_game(seed=5, game="tic_tac_toe", random_opening=9)
    numbers = set()
    for _ in range(300):
        legal = environment.reset().observation["legal_actions"]
        assert legal.any()
        numbers.add(9 - legal.sum())
    assert numbers == set(range(9))


def test_a_game_cut_off_is_a_draw():
    environment = board_game(seed=0, game="connect_four", max_moves=3)
    last = after(environment, (0, 1, 2))
    assert last.last() and (last.reward, last.discount) == (0, 0)
    assert not last.observation["legal_actions"].any()
    answered = board_game(seed=0, game="connect_four", max_moves=3, opponent="random")
    assert after(answered, (0, 1)).last()


@pytest.mark.parametrize("game", SOME_OF_EACH)
def test_players_alternate_strictly_and_games_end(game):
    environment = board_game(seed=0, game=game, max_moves=300)
    rng = np.random.RandomState(0)
    timestep, mover = environment.reset(), None
    while not timestep.last():
        assert environment.state.current_player() != mover
        mover = environment.state.current_player()
        legal = np.flatnonzero(timestep.observation["legal_actions"])
        assert list(legal) == sorted(environment.state.legal_actions())
        timestep = environment.step(rng.choice(legal))
    frame = environment.render(96, 96)
    assert len(np.unique(frame.reshape(-1, 3), axis=0)) > 3


def test_pictures_show_the_move_where_it_fell():
    environment = board_game(seed=0, game="connect_four")
    environment.reset()
    empty = environment.render(96, 96).astype(int)
    environment.step(0)
    changed = np.argwhere(np.abs(environment.render(96, 96) - empty).sum(axis=-1) > 30)
    assert changed[:, 0].min() > 60 and changed[:, 1].max() < 96 / 7 + 1, "bottom left"


def test_games_side_by_side_are_those_that_each_plays_alone():
    def make():
        return [board_game(seed=seed, opponent="random") for seed in range(3)]

    batch, alone = BatchedEnvironment(make()), make()
    timesteps, expected = batch.reset(), [environment.reset() for environment in alone]
    rng = np.random.RandomState(0)
    for _ in range(20):
        actions = [
            0 if t.last() else rng.choice(np.flatnonzero(t.observation["legal_actions"]))
            for t in timesteps
        ]
        timesteps = batch.step(actions)
        expected = [e.step(action) for e, action in zip(alone, actions, strict=True)]
        for ours, theirs in zip(timesteps, expected, strict=True):
            assert (ours.step_type, ours.reward) == (theirs.step_type, theirs.reward)
            assert_equal_observations(ours.observation, theirs.observation)


def test_games_of_different_boards_make_no_batch():
    sizes = [board_game(seed=0, game=f"go(board_size={size})") for size in (5, 7)]
    with pytest.raises(ValueError, match=r"observation_spec of environment 1 is .*, expected"):
        BatchedEnvironment(sizes)


@pytest.mark.parametrize("action", [4, 9, -1])
def test_an_illegal_action_is_named_and_changes_nothing(action):
    environment = board_game(seed=0)
    after(environment, (4,))
    line = rf"action is {action}, which is illegal, expected one of 0, 1, 2, 3, 5, 6, 7, 8$"
    with pytest.raises(ValueError, match=line):
        environment.step(action)
    assert environment.step(0).mid()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"game": "conect_four"}, "'conect_four', expected one of .* mean 'connect_four'"),
        ({"game": "go(board_sise=9)"}, "'board_sise', expected one of .* mean 'board_size'"),
        ({"game": "go(board_size=x)"}, "go's board_size is 'x', expected an integer"),
        ({"game": "go(board_size=30)"}, "supports board size up to 19"),
        ({"game": "go(handicap=2)"}, "'handicap', expected one of board_size, komi"),
        ({"game": "tic_tac_toe(rows=4)"}, "tic_tac_toe with 'rows', expected no parameters"),
        ({"game": "go(9"}, r"'go\(9', expected such as"),
        ({"game": 3}, "game is '3', expected one of"),
        ({"opponent": "mtcs"}, "opponent is 'mtcs', expected one of .* mean 'mcts'"),
        (
            {"game": "connect_four", "opponent": "perfect"},
            "'perfect', which plays tic_tac_toe only; expected one of random, mcts",
        ),
        ({"opponent": "mcts", "opponent_simulations": 0}, "is 0, expected an integer at least 1"),
        ({"history": 0}, "board_game.history is 0, expected"),
        (
            {"opponent": "random", "random_opening": 2},
            "random_opening is 2, expected 0 with opponent 'random'",
        ),
        ({"random_opening": -1}, "random_opening is -1, expected an integer at least 0"),
        ({"max_moves": 0}, "board_game.max_moves is 0, expected"),
    ],
)
def test_bad_input_is_one_line(arguments, line):
    with pytest.raises(UserError) as error:
        board_game(seed=0, **arguments)
    assert re.search(line, first_line(error.value))
