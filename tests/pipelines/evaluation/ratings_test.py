"""Ratings are those of greatest likelihood, their intervals cover the truth, and all are finite."""

from __future__ import annotations

import os

import numpy as np
import pytest

from pipelines.evaluation.ratings import fit, probability


def table(n: int, **scores: float) -> np.ndarray:
    """`a_b=3.5`: a has scored so much against b."""
    points = np.zeros((n, n))
    for pair, score in scores.items():
        points["abcdefgh".index(pair[0]), "abcdefgh".index(pair[2])] = score
    return points


def test_two_players_are_apart_by_what_the_score_says():
    """Three in four is 400 log10(3) points."""
    ratings = fit(table(2, a_b=75, b_a=25))
    a, b = ratings.players
    np.testing.assert_allclose(a.elo - b.elo, 400 * np.log10(3), rtol=1e-9)
    np.testing.assert_allclose(probability(a.elo - b.elo), 0.75)
    assert a.elo == -b.elo and not ratings.regularised
    # By hand: the difference has the variance 1 / (100 p q) in natural units, each half of it.
    natural = np.sqrt(1 / (100 * 0.75 * 0.25)) / 2
    reach = 1.959964 * natural * 400 / np.log(10)
    np.testing.assert_allclose((a.low, a.high), (a.elo - reach, a.elo + reach), rtol=1e-6)


def test_draws_are_half_a_win():
    drawn, won = fit(table(2, a_b=7.5, b_a=2.5)), fit(table(2, a_b=75, b_a=25))
    np.testing.assert_allclose(drawn.players[0].elo, won.players[0].elo)


def test_expected_scores_are_those_that_were_had():
    """The gradient of the likelihood is zero: each player's expectation is its score."""
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    random = np.random.RandomState(seed)
    points = random.randint(1, 20, (6, 6)) * (1 - np.eye(6))
    ratings = fit(points)
    elo = np.array([rating.elo for rating in ratings.players])
    expected = 1 / (1 + 10 ** ((elo[None] - elo[:, None]) / 400))
    games = points + points.T
    np.testing.assert_allclose((games * expected).sum(axis=1), points.sum(axis=1), rtol=1e-6)
    np.testing.assert_allclose(elo.mean(), 0, atol=1e-9)
    assert [rating.score for rating in ratings.players] == points.sum(axis=1).tolist()


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    random = np.random.RandomState(7)
    truth = np.array([-150.0, -20.0, 30.0, 140.0])
    truth -= truth.mean()
    expected = 1 / (1 + 10 ** ((truth[None] - truth[:, None]) / 400))
    covered = []
    for _ in range(300):
        points = np.zeros((4, 4))
        for i in range(4):
            for j in range(i):
                points[i, j] = random.binomial(60, expected[i, j])
                points[j, i] = 60 - points[i, j]
        covered += [
            rating.low <= value <= rating.high
            for rating, value in zip(fit(points).players, truth, strict=True)
        ]
    assert 0.93 < np.mean(covered) < 0.97


def test_who_has_won_everything_has_a_finite_rating_and_says_so():
    ratings = fit(table(3, a_b=10, a_c=10, b_c=6, c_b=4))
    assert ratings.regularised
    assert [rating.bound for rating in ratings.players] == ["at least", "", ""]
    elo = [rating.elo for rating in ratings.players]
    assert 300 < elo[0] - elo[1] < 1000 and np.isfinite(elo).all()
    # More games without a loss say more.
    more = fit(table(3, a_b=100, a_c=100, b_c=60, c_b=40))
    assert more.players[0].elo - more.players[1].elo > elo[0] - elo[1] + 200
    assert [rating.bound for rating in fit(table(2, b_a=4)).players] == ["at most", "at least"]


def test_two_groups_of_which_one_always_wins_are_regularised():
    ratings = fit(table(4, a_b=5, b_a=5, c_d=5, d_c=5, a_c=5, b_d=5))
    assert ratings.regularised and [rating.bound for rating in ratings.players] == [""] * 4
    assert ratings.players[0].elo > ratings.players[2].elo + 300


@pytest.mark.parametrize(
    ("points", "line"),
    [
        (np.zeros((1, 1)), "points have shape"),
        (np.zeros((2, 3)), "points have shape"),
        (np.zeros((2, 2)), "some players have not met"),
        (np.array([[0, -1], [1, 0]]), "none below 0"),
        (np.array([[0, np.nan], [1, 0]]), "finite"),
        (np.eye(2), "0 on the diagonal"),
        (table(4, a_b=1, b_a=1, c_d=1, d_c=1), "some players have not met"),
    ],
)
def test_what_is_no_table_is_refused(points, line):
    with pytest.raises(ValueError, match=line):
        fit(points)
