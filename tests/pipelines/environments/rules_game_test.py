"""Protects games of ops.games as environments: contract, rewards, players of both kinds."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pytest

from agents.boards.observations import StateSpec, rules_of
from ops import games
from pipelines.environments import BatchedEnvironment, board_game, make_environment_spec, rules_game
from pipelines.environments.rules_opponents import open_spiel_game
from pipelines.system.errors import UserError, first_line
from tests.pipelines.environments.environment_contract import EnvironmentContract, play

SOME_OF_EACH = (
    {"game": "tic_tac_toe"},
    {"game": "connect_four"},
    {"game": "othello", "size": 6},
    {"game": "othello"},
    {"game": "go", "size": 5, "max_moves": 40},
)


class TestBehindRandomMoves(EnvironmentContract):
    name = "rules/connect_four"

    def make(self, seed):
        return rules_game(seed=seed, game="connect_four", random_opening=12)


class TestAgainstOpenSpielsSearch(EnvironmentContract):
    name = "rules/go(5,7.5)"

    def make(self, seed):
        return rules_game(
            seed=seed, game="go", size=5, max_moves=20, opponent="mcts", opponent_simulations=3
        )


class TestAgainstOurSearch(EnvironmentContract):
    name = "rules/othello(6)"

    def make(self, seed):
        return rules_game(seed=seed, game="othello", size=6, opponent="uct", opponent_simulations=3)


@pytest.mark.parametrize("arguments", SOME_OF_EACH, ids=lambda arguments: arguments["game"])
def test_the_host_plays_as_the_ops_do(arguments):
    environment = rules_game(seed=0, **arguments)
    rules, rng = environment.rules, np.random.RandomState(1)
    for _ in range(3):
        timestep, states = environment.reset(), rules.initial(1)
        while not timestep.last():
            action = rng.choice(np.flatnonzero(timestep.observation["legal_actions"]))
            timestep = environment.step(action)
            states, reward, discount, legal = rules.step(states, [action])
            np.testing.assert_array_equal(timestep.observation["state"], states[0])
            np.testing.assert_array_equal(timestep.observation["legal_actions"], legal[0])
            assert (timestep.reward, timestep.last()) == (reward[0], discount[0] == 0)
        assert timestep.discount == 0
    assert len(np.unique(environment.render(64, 64).reshape(-1, 3), axis=0)) > 3


@pytest.mark.parametrize("arguments", SOME_OF_EACH, ids=lambda arguments: arguments["game"])
def test_openspiel_has_the_same_moves_where_it_has_the_game(arguments):
    """What a player of OpenSpiel's is shown is the same game."""
    environment = rules_game(seed=0, **arguments)
    game = open_spiel_game(environment.rules)
    assert (game is None) == (arguments == {"game": "othello", "size": 6})
    if game is None:
        return
    rng = np.random.RandomState(0)
    for _ in range(3):
        timestep, state = environment.reset(), game.new_initial_state()
        while not timestep.last():
            legal = np.flatnonzero(timestep.observation["legal_actions"])
            assert not state.is_terminal()
            if environment.rules.name == "go":  # Where superko forbids what OpenSpiel draws.
                assert set(legal) <= set(state.legal_actions())
            else:
                assert list(legal) == state.legal_actions()
            action, mover = int(rng.choice(legal)), state.current_player()
            state.apply_action(action)
            timestep = environment.step(action)
        assert state.is_terminal() and state.returns()[mover] == timestep.reward


def test_planes_are_those_of_the_rules_and_states_bring_the_rules_along():
    plain, seen = (rules_game(seed=0, planes=planes) for planes in (False, True))
    for environment in (plain, seen):
        environment.reset()
    state, board = (e.step(3).observation for e in (plain, seen))
    np.testing.assert_array_equal(plain.rules.observe(state["state"][None])[0], board["board"])
    spec = make_environment_spec(plain).observations
    assert rules_of(spec) is plain.rules and rules_of(seen.observation_spec()) is None
    other = StateSpec(games.make("tic_tac_toe", history=8))
    assert spec["state"] != other and spec["state"] == pickle.loads(pickle.dumps(spec["state"]))


def test_a_search_of_ours_beats_random_play_and_holds_its_own_against_openspiels():
    def score(environment, games):
        return np.mean([play(environment, seed)[-1].reward for seed in range(games)])

    ours = rules_game(seed=0, game="connect_four", opponent="uct", opponent_simulations=50)
    assert score(ours, 20) < -0.8
    perfect = rules_game(seed=0, game="tic_tac_toe", opponent="perfect")
    assert score(perfect, 20) < -0.4
    uct = rules_game(seed=0, game="tic_tac_toe", opponent="uct", opponent_simulations=400)
    from pipelines.environments.opponents import best_actions

    for _ in range(6):
        timestep = uct.reset()
        while not timestep.last():
            state = open_spiel_game(uct.rules).new_initial_state()
            for action in uct.actions:
                state.apply_action(action)
            timestep = uct.step(best_actions(state)[0])
        assert timestep.reward == 0, "both play on without a fault"


def test_who_gives_up_has_lost_and_the_next_step_begins_anew():
    for make in (rules_game, board_game):
        environment = make(seed=0, game="connect_four", resignation=True)
        assert environment.action_spec().num_values == 8
        environment.reset()
        last = environment.step(7)
        assert last.last() and (last.reward, last.discount) == (-1, 0)
        assert environment.step(0).first()


def test_games_of_different_rules_make_no_batch():
    makes = [rules_game(seed=0, game="go", size=5, komi=komi) for komi in (0.5, 7.5)]
    with pytest.raises(ValueError, match=r"observation_spec of environment 1 is .*, expected"):
        BatchedEnvironment(makes)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"game": "conect_four"}, "'conect_four', expected one of .* mean 'connect_four'"),
        ({"game": "chess"}, "rules_game.game is 'chess', expected one of tic_tac_toe"),
        ({"game": "go", "size": 30}, "rules_game: size is 30, expected an integer, 5 to 19"),
        ({"game": "go", "size": [5]}, "rules_game: size is .*, expected an integer, 5 to 19"),
        ({"komi": 3}, "rules_game: komi is an option of go, not of connect_four"),
        ({"opponent": "mtcs"}, "opponent is 'mtcs', expected one of .* mean 'mcts'"),
        (
            {"game": "othello", "size": 6, "opponent": "perfect"},
            "'perfect', which plays tic_tac_toe only; expected one of random, mcts",
        ),
        ({"opponent": "uct", "opponent_simulations": 0}, "is 0, expected an integer at least 1"),
        (
            {"opponent": "random", "random_opening": 2},
            "random_opening is 2, expected 0 with opponent 'random'",
        ),
        ({"resignation": 1}, "rules_game.resignation is 1, expected True or False"),
        ({"planes": None}, "rules_game.planes is None, expected True or False"),
    ],
)
def test_bad_input_is_one_line(arguments, line):
    with pytest.raises(UserError) as error:
        rules_game(seed=0, **arguments)
    assert re.search(line, first_line(error.value))
