"""Protects the benchmark of rules: every game's figures, on a graph's backend."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ops.games import make
from ops.games.host import HostRules
from pipelines import bench
from pipelines.benchmarks import games


@pytest.mark.parametrize(("backend", "count"), [("auto", 6), ("tensorflow", 4)])
def test_each_game_says_how_long_a_position_takes(monkeypatch, capfd, backend, count):
    monkeypatch.setattr(games, "MIN_SECONDS", 0.0)
    arguments = ["--json", "--repeats=1", f"--backend={backend}"]
    assert bench.main(["bench.py", "games", *arguments]) == 0
    found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert len({(row["game"], row["size"]) for row in found}) == len(found) == count
    for row in found:
        assert (row["benchmark"], row["backend"], row["batch"]) == ("games", backend, 64)
        parts = row["step_microseconds"] + row["planes_microseconds"]
        assert row["microseconds"] == pytest.approx(parts, rel=1e-2)
        assert row["graph_microseconds"] > 0 and row["rollouts_per_second"] > 0


def test_positions_are_of_games_that_go_on_with_a_legal_action():
    host = HostRules(make("go", size=5))
    state, action = games.positions(host, 64)
    assert host.legal(state)[np.arange(64), action].all()
    moves = state[:, 0] + 256 * state[:, 1].astype(int)
    assert moves.min() < 10 < 30 < moves.max()
