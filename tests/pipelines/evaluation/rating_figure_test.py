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
    runs, others, in_training = grouped(ROWS)
    counts = {name: [count for count, _ in points] for name, points in runs.items()}
    assert counts == {"the run's policy": [2, 16], "policy:runs/a": [4]}
    assert [row["player"] for row in others] == ["mcts:100", "policy:runs/a"] and not in_training


TRAINED = [row("at:64", 30), row("at:8@2", -90), row("at:16", 0), row("mcts:100", 20)]


def test_over_the_training_each_number_of_simulations_is_a_curve():
    curves, others, in_training = grouped(TRAINED)
    places = {name: [place for place, _ in points] for name, points in curves.items()}
    assert places == {"its own simulations": [16, 64], "2 simulations": [8]} and in_training
    assert [row["player"] for row in others] == ["mcts:100"]


def test_it_is_drawn_with_and_without_places(tmp_path):
    drawn = []
    for name, rows in (("all", ROWS), ("others", ROWS[2:3] + ROWS[4:]), ("trained", TRAINED)):
        draw(tmp_path / f"{name}.png", rows, "a match")
        drawn.append(np.array(Image.open(tmp_path / f"{name}.png").convert("L")))
    assert all(picture.std() > 5 for picture in drawn)
    assert len({picture.tobytes() for picture in drawn}) == 3
