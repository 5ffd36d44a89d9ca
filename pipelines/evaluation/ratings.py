"""Elo ratings by maximum likelihood from who has scored what against whom.

p(a beats b) = 1 / (1 + 10^(c (e(b) - e(a)))), c = 1/400: Silver et al., "Mastering the game of Go
with deep neural networks and tree search", 2016, methods; the model is Bradley and Terry's, "Rank
analysis of incomplete block designs", 1952. A draw counts as half a win and half a loss.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

C = 1 / 400

# Natural units of strength in one point of Elo.
_SCALE = C * math.log(10)
# Of the normal distribution, for 95 %.
_QUANTILE = 1.959964
_MAX_STEP, _TOLERANCE, _MAX_ITERATIONS = 400.0, 1e-9, 1000


class Rating(NamedTuple):
    """One player's.

    Attributes:
      elo: the mean of all players is 0.
      low, high: 95 % interval of that, by the Fisher information. It is meant for wins and losses;
        draws vary less.
      games: played.
      score: points won in them.
      bound: 'at least' where it has won everything, 'at most' where it has lost everything, since
        then no greatest likelihood exists for it; else empty.
    """

    elo: float
    low: float
    high: float
    games: int
    score: float
    bound: str


class Ratings(NamedTuple):
    """All players'.

    Attributes:
      players: in the order given.
      regularised: likelihood alone would put some infinitely far apart, so that each pair that has
        met counts one draw more.
    """

    players: list[Rating]
    regularised: bool


def probability(difference: float) -> float:
    """Of winning against somebody who is `difference` points of Elo weaker."""
    return 1 / (1 + 10 ** (-C * difference))


def fit(points: np.ndarray) -> Ratings:
    """Fits ratings.

    Args:
      points: [n, n], what the player of the row has scored against the one of the column; 0 on the
        diagonal.

    Raises:
      ValueError: that is no such table, or some have not met even by way of others.
    """
    points = np.asarray(points, np.float64)
    _check(points)
    regularised = not _strongly_connected(points > 0)
    met = (points + points.T) > 0
    counted = points + (0.5 * met if regularised else 0.0)
    elo = _maximise(counted)
    deviation = np.sqrt(np.clip(np.diag(np.linalg.pinv(_information(elo, counted))), 0, None))
    games, score = (points + points.T).sum(axis=1), points.sum(axis=1)
    players = []
    for i in range(len(points)):
        reach = _QUANTILE * deviation[i]
        bound = "at least" if score[i] == games[i] else "at most" if score[i] == 0 else ""
        interval = (float(elo[i] - reach), float(elo[i] + reach))
        players.append(Rating(float(elo[i]), *interval, round(games[i]), float(score[i]), bound))
    return Ratings(players, regularised)


def _maximise(points: np.ndarray) -> np.ndarray:
    """Newton's method on a concave function; steps are bounded, and halved where they go down."""
    elo = np.zeros(len(points))
    value = _log_likelihood(elo, points)
    for _ in range(_MAX_ITERATIONS):
        gradient = _SCALE * (points - (points + points.T) * _expected(elo)).sum(axis=1)
        if np.abs(gradient).max() < _TOLERANCE:
            break
        step = np.linalg.pinv(_information(elo, points)) @ gradient
        step *= min(1.0, _MAX_STEP / max(np.abs(step).max(), 1e-300))
        while (after := _log_likelihood(elo + step, points)) < value and np.abs(step).max() > 1e-9:
            step /= 2
        elo, value = elo + step, after
    return elo - elo.mean()


def _expected(elo: np.ndarray) -> np.ndarray:
    """[n, n], the row's share of the points against the column."""
    return 1 / (1 + np.exp(-_SCALE * (elo[:, None] - elo[None])))


def _log_likelihood(elo: np.ndarray, points: np.ndarray) -> float:
    return float(-(points * np.logaddexp(0, -_SCALE * (elo[:, None] - elo[None]))).sum())


def _information(elo: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Fisher's, [n, n]; singular, since only differences count."""
    expected = _expected(elo)
    weights = _SCALE**2 * (points + points.T) * expected * (1 - expected)
    return np.diag(weights.sum(axis=1)) - weights


def _strongly_connected(scored: np.ndarray) -> bool:
    """Whether everybody has scored against everybody by way of others: then a maximum exists.

    L. R. Ford, "Solution of a ranking problem from binary comparisons", 1957.
    """
    return bool(_reached(scored).all())


def _reached(linked: np.ndarray) -> np.ndarray:
    reached = linked | np.eye(len(linked), dtype=bool)
    for _ in range(max(1, math.ceil(math.log2(len(linked))))):
        reached = (reached.astype(int) @ reached.astype(int)) > 0
    return reached


def _check(points: np.ndarray) -> None:
    if points.ndim != 2 or points.shape[0] != points.shape[1] or len(points) < 2:
        raise ValueError(
            f"points have shape {points.shape}, expected [n, n] of two players or more"
        )
    if not (np.isfinite(points).all() and (points >= 0).all() and not np.diag(points).any()):
        raise ValueError("points have to be finite, none below 0, and 0 on the diagonal")
    if not _reached((points + points.T) > 0).all():
        raise ValueError("some players have not met, not even by way of others")
