"""Protects sweep.py: seeds side by side, each in its directory, one table, one line if wrong."""

from __future__ import annotations

import re

import pytest

from pipelines import sweep
from pipelines.reports import data, groups, tables
from tests.pipelines.reports.log_directory import LINEAR, make_run

TINY = (
    "--experiment=gin/reinforce_cartpole_small.gin",
    "--gin_bindings=Experiment.num_steps = 60",
    "--gin_bindings=Experiment.evaluation_episodes = 2",
)


def run(capfd, *flags: str) -> tuple[int, str, str]:
    status = sweep.main(["sweep.py", *flags])
    return status, *capfd.readouterr()


def test_two_seeds_are_trained_and_end_in_one_table(capfd, tmp_path):
    status, out, err = run(capfd, *TINY, "--seeds=3,4", f"--logdir={tmp_path}")
    assert (status, err) == (0, "")
    found = data.find_runs([tmp_path])
    assert sorted(run.seed for run in found) == [3, 4]
    assert {run.path.name for run in found} == {f"reinforce_cartpole_small-{s}" for s in (3, 4)}
    assert all((tmp_path / f"{run.path.name}.log").read_text() for run in found)
    header, row = out.splitlines()[-2:]
    assert header.split()[:3] == ["method", "environment", "seeds"]
    assert re.match(r"reinforce +CartPole-v1 \(gymnasium\) +2 ", row)
    assert re.search(r" 475 +\d of 2 +\d of 2$", row)


def test_a_run_that_fails_is_named_and_leaves_the_others_alone(capfd, tmp_path):
    (tmp_path / "reinforce_cartpole_small-3").write_text("in the way")
    status, out, err = run(capfd, *TINY, "--seeds=3", f"--logdir={tmp_path}")
    assert status == 2
    assert "reinforce_cartpole_small-3: error: " in out
    assert err.startswith("error: 1 of 1 runs failed (reinforce_cartpole_small-3)")


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ((), "--experiment is missing; expected a file such as gin/planet_small.gin"),
        (("--experiment=gin/planet_smal.gin",), "did you mean 'gin/planet_small.gin'?"),
        ((TINY[0], "--seeds=1,x"), "--seeds is '1,x'; expected whole numbers, as in 0,1,2"),
        ((TINY[0], "--seeds="), "--seeds is ''; expected whole numbers, as in 0,1,2"),
        ((TINY[0], "--seeds=1,1"), "two runs would be called 'reinforce_cartpole_small-1'"),
        ((TINY[0], "--jobs=0"), "--jobs is '0'; expected"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(capfd, tmp_path, flags, line):
    logdir = tmp_path / "runs"
    status, out, err = run(capfd, *flags, f"--logdir={logdir}")
    assert (status, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1
    assert line in err
    assert not logdir.exists()


def test_the_table_counts_seeds_at_the_goal_once_and_at_the_end(tmp_path):
    config = f"{LINEAR}Experiment.goal = 25\n"
    for seed, returns in enumerate([(10.0, 30.0, 20.0), (10.0, 20.0, 26.0), (1.0, 2.0, 3.0)]):
        make_run(tmp_path / str(seed), seed=seed, config=config, returns=returns)
    make_run(tmp_path / "alone", environment="gymnasium/CartPole-v1")
    _, rows = tables.goals(groups.group_runs(data.find_runs([tmp_path])))
    assert rows[0][2:] == ["3", "16.333", "3 to 26", "25", "2 of 3", "1 of 3"]
    assert rows[1][2:] == ["1", "30", "–", "–", "–", "–"]


def test_a_goal_makes_no_other_method(tmp_path):
    make_run(tmp_path / "0", seed=0)
    make_run(tmp_path / "1", seed=1, config=f"{LINEAR}Experiment.goal = 25\n")
    (group,) = groups.group_runs(data.find_runs([tmp_path]))
    assert tables.goal(group) == 25
