"""Protects the comparison of data efficiency: when a return was reached, and the factors."""

from __future__ import annotations

from pipelines.reports import data, efficiency, groups, published
from tests.pipelines.reports.log_directory import make_run

PIXELS = "control_suite.observation = 'pixels'\n"
STATE = "control_suite.observation = 'state'\n"


def found_in(folder) -> list[groups.Group]:
    return groups.group_runs(data.find_runs([folder]))


def test_a_method_is_there_at_its_first_evaluation_that_is_and_factors_are_of_medians(tmp_path):
    # `make_run` evaluates after 0, 1, 2, … episodes.
    make_run(tmp_path / "a", agent="planet", config=PIXELS, returns=(0.0, 850.0, 700.0))
    make_run(tmp_path / "b", agent="planet", config=PIXELS, seed=1, returns=(0.0, 1.0, 2.0, 800.0))
    make_run(tmp_path / "c", agent="d4pg", config=STATE, returns=(0.0,) * 8 + (801.0,))
    columns, rows = efficiency.table(found_in(tmp_path), 800)
    assert columns[-3:] == ["episodes until 800, each seed", "median", "factor"]
    assert rows == [
        ["planet", "cartpole balance", "pixels", "1, 3", "2", "1"],
        ["d4pg", "cartpole balance", "state", "8", "8", "4"],
    ]


def test_a_seed_that_never_gets_there_is_said_and_counts_as_the_last(tmp_path):
    for seed, returns in enumerate([(0.0, 900.0), (0.0, 1.0, 2.0), (0.0, 1.0, 5.0, 6.0)]):
        make_run(tmp_path / f"a{seed}", agent="a2c", config=STATE, seed=seed, returns=returns)
    _, rows = efficiency.table(found_in(tmp_path), 800)
    assert rows == [["a2c", "cartpole balance", "state", "1, not within 2, not within 3", "–", "–"]]
    (group,) = found_in(tmp_path)
    assert efficiency.reached(group, 2.0) == efficiency.Reached([1, 2, 2], [])
    assert efficiency.reached(group, 2.0).median == 2


def test_a_run_without_evaluations_is_left_out(tmp_path):
    make_run(tmp_path / "a", returns=())
    assert efficiency.table(found_in(tmp_path), 1)[1] == []


def test_the_lectures_factors_are_its_own():
    assert len(published.EFFICIENCY) == len(published.TASKS)
    assert "100 times" in efficiency.published_factors("dm_control/cartpole_balance")
    assert efficiency.published_factors("gym/CartPole-v1") == ""
