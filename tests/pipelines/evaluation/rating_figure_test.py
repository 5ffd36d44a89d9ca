"""A picture of ratings shows each policy over its simulations, and all others beside."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pipelines.evaluation.rating_figure import draw, grouped


def row(player: str, elo: float) -> dict:
    return {"player": player, "elo": elo, "low": elo - 50, "high": elo + 50}


ROWS = [
    row("simulations:16", 100),
    row("policy:runs/a@4", 20),
    row("mcts:100", 50),
    row("simulations:2", -80),
    row("policy:runs/a", 10),
]


def test_policies_are_told_apart_and_sorted_by_simulations():
    runs, others = grouped(ROWS)
    counts = {name: [count for count, _ in points] for name, points in runs.items()}
    assert counts == {"the run's policy": [2, 16], "policy:runs/a": [4]}
    assert [row["player"] for row in others] == ["mcts:100", "policy:runs/a"]


def test_it_is_drawn_with_and_without_simulations(tmp_path):
    drawn = []
    for name, rows in (("all", ROWS), ("others", ROWS[2:3] + ROWS[4:])):
        draw(tmp_path / f"{name}.png", rows, "a match")
        drawn.append(np.array(Image.open(tmp_path / f"{name}.png").convert("L")))
    assert all(picture.std() > 5 for picture in drawn) and not np.array_equal(*drawn)
