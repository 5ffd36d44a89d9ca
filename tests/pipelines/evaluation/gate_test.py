"""Protects the match that decides who collects: each side's points, whoever begins."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents.policy import Policy
from pipelines.environments import BatchedEnvironment, board_game
from pipelines.evaluation.gate import Match
from pipelines.system.errors import Interrupted
from tests.agents import board


class FirstFree(Policy):
    """Takes the first legal cell, or the last one: in tic-tac-toe who begins wins either way."""

    def __init__(self, last: bool = False) -> None:
        super().__init__(name="first_free")
        self.observation_spec, self.action_spec = board.SPEC, tf.TensorSpec([], tf.int32)
        self._order = tf.range(9) if last else tf.range(9, 0, -1)

    def initial_state(self, batch_size):
        return {"moves": tf.zeros([batch_size], tf.int32)}

    def step(self, observation, state, seed):
        scores = tf.where(observation["legal_actions"], self._order, -1)
        action = tf.argmax(scores, axis=1, output_type=tf.int32)
        return action, {"moves": state["moves"] + 1}, {}


class Blunderer(FirstFree):
    """Never completes a row: plays the cells of a drawn or lost game in the opponent's favour."""

    def step(self, observation, state, seed):
        # The middle row last of all, so that the other one's first row is complete before.
        scores = tf.where(observation["legal_actions"], [1, 2, 3, 8, 5, 7, 9, 4, 6], -1)
        return tf.argmax(scores, axis=1, output_type=tf.int32), state, {}


def games(count: int) -> BatchedEnvironment:
    return BatchedEnvironment([board_game(seed=i) for i in range(count)])


def test_equal_players_share_the_points_since_each_begins_as_often():
    assert Match(games(3), FirstFree(), FirstFree(), seed=0).play(8) == 0.5


def test_the_points_are_the_candidates():
    weak, strong = Blunderer(), FirstFree()
    as_candidate = Match(games(2), weak, strong, seed=0).play(6)
    as_champion = Match(games(2), strong, weak, seed=0).play(6)
    assert as_candidate == pytest.approx(1.0 - as_champion)
    assert as_candidate != 0.5


def test_each_player_is_told_its_own_turns_alone():
    match = Match(games(2), FirstFree(), FirstFree(last=True), seed=0)
    match.play(2)
    moves = [actor._state["moves"].numpy() for actor in match._players]
    timesteps = match._timesteps
    played = [9 - timestep.observation["board"][..., :2].sum() for timestep in timesteps]
    for row in range(2):
        total = 9 - played[row]
        assert moves[0][row] + moves[1][row] == total
        assert abs(moves[0][row] - moves[1][row]) <= 1
    assert all(np.all(count > 0) for count in moves)


def test_a_stop_ends_the_match():
    with pytest.raises(Interrupted):
        Match(games(1), FirstFree(), FirstFree(), 0, should_stop=lambda: True).play(2)
