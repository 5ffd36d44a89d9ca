"""Everybody against everybody, and what the ratings of it look like as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pipelines.engines import arena
from pipelines.engines.arena import Contestant, Game
from pipelines.evaluation import ratings


def play_all(
    contestants: Sequence[Contestant],
    make_game: Callable[[int, int], Game],
    games: int,
    on_end: Callable[[Game, Sequence[Contestant]], None],
    on_pair: Callable[[Contestant, Contestant, float], None] = lambda a, b, score: None,
) -> np.ndarray:
    """Plays every pair.

    Args:
      contestants: n of them.
      make_game: see `arena.play`.
      games: of each pair, an even number, half from each seat.
      on_end: called with each game that has ended, and its players as they moved.
      on_pair: called with each pair, and what the first has scored, in points.

    Returns:
      float64 [n, n], the points of the row's player against the column's.
    """
    points = np.zeros((len(contestants), len(contestants)))
    for i, first in enumerate(contestants):
        for j in range(i + 1, len(contestants)):
            outcomes = arena.play(first, contestants[j], make_game, games, on_end)
            points[i, j] = sum((1 + outcome) / 2 for seat in outcomes for outcome in seat)
            points[j, i] = games - points[i, j]
            on_pair(first, contestants[j], points[i, j])
    return points


def described(names: Sequence[str], fitted: ratings.Ratings) -> list[dict[str, Any]]:
    """The ratings as JSON has them, the strongest first."""
    pairs = sorted(zip(names, fitted.players, strict=True), key=lambda pair: -pair[1].elo)
    return [{"player": name, **rating._asdict()} for name, rating in pairs]


def table(rows: Sequence[dict[str, Any]], regularised: bool) -> str:
    """The ratings as text, from what `described` returned."""
    width = max(len("player"), *(len(row["player"]) for row in rows))
    lines = [f"{'player':{width}}    Elo  95 % interval  games  score"]
    for row in rows:
        interval = f"{row['low']:.0f} to {row['high']:.0f}"
        share = row["score"] / row["games"]
        line = (
            f"{row['player']:{width}} {row['elo']:6.0f}  {interval:>13}  {row['games']:5} "
            f"{100 * share:5.1f} %"
        )
        lines.append(line + (f"  {row['bound']}" if row["bound"] else ""))
    if regularised:
        lines.append("likelihood has no maximum here: each pair counts one draw more")
    return "\n".join(lines)
