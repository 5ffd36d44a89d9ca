"""Protects human-normalised scores: the papers' numbers, statistics and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipelines.environments.atari import games
from pipelines.reports import atari, data, groups, page
from pipelines.reports.atari_scores import SCORES
from tests.pipelines.reports.log_directory import make_run


def test_there_are_57_games_that_can_be_played():
    assert len(SCORES) == 57 and set(SCORES) <= set(games())
    assert all(human > random for random, human in SCORES.values())


def test_random_play_is_0_and_a_human_1():
    assert atari.human_normalised("pong", -20.7) == 0
    assert atari.human_normalised("pong", 14.6) == 1
    # DQN's 401.2 in breakout (Mnih et al. 2015, extended data table 2: 1327 %, of 1.7 and 31.8).
    assert atari.human_normalised("breakout", 401.2) == pytest.approx(399.5 / 28.8)


@pytest.mark.parametrize("runs", [4, 5, 9])
def test_the_interquartile_mean_is_scipys(runs: int):
    found = [np.random.RandomState(i).normal(size=runs) for i in range(3)]
    expected = stats.trim_mean(np.concatenate(found), 0.25)
    assert atari.interquartile_mean(found) == pytest.approx(expected)


def test_intervals_come_of_the_seeds_of_each_game_alone():
    certain = atari.aggregate("a", {"pong": np.full(3, 0.2), "qbert": np.full(3, 0.8)})
    assert certain.mean == certain.median == pytest.approx((0.5, 0.5, 0.5))
    # The mean of n normal numbers a game: as wide as 1.96 standard errors to both sides, nearly.
    drawn = np.random.RandomState(0).normal(size=[2, 50])
    found = atari.aggregate("b", {"pong": 100 + drawn[0], "qbert": drawn[1]})
    error = np.sqrt(drawn[0].var() / 50 + drawn[1].var() / 50) / 2
    np.testing.assert_allclose(found.mean.high - found.mean.low, 2 * 1.96 * error, rtol=0.1)
    assert found.mean.low < found.mean.value < found.mean.high


def test_a_method_is_one_over_its_games_and_stands_beside_published_ones(tmp_path):
    config = "DQNConfig.n_step = 3\natari.game = '{}'\n"
    for game, seed, score in (("pong", 0, -20.7), ("pong", 1, 14.6), ("qbert", 0, 163.9)):
        where, named = tmp_path / "runs" / f"{game}-{seed}", f"atari/{game}"
        settings = {"agent": "dqn", "environment": named, "config": config.format(game)}
        make_run(where, seed=seed, evaluation=score, **settings)
    make_run(tmp_path / "runs" / "pets")
    methods = groups.group_runs(data.find_runs([tmp_path / "runs"]))
    (found,) = atari.aggregates(methods)
    assert (found.label, found.runs) == ("dqn", 3)
    assert found.scores["pong"].tolist() == [0, 1] and found.scores["qbert"].tolist() == [0]
    assert found.mean.value == found.median.value == pytest.approx(0.25)
    text = page.page(methods, [], "evaluation/return", "step", tmp_path)
    assert "2 of 57 games, 3 runs" in text and "25 % [0, 50]" in text and "1920.6 %" in text


def test_without_atari_there_is_no_such_section(tmp_path):
    make_run(tmp_path / "runs" / "pets")
    methods = groups.group_runs(data.find_runs([tmp_path / "runs"]))
    assert "Human-normalised" not in page.page(methods, [], "evaluation/return", "step", tmp_path)
