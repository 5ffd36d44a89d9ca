"""Protects what belongs together: seeds of one method, copies of one run, curves, intervals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pipelines.reports import data, groups
from pipelines.reports.configurations import differences, settings
from tests.pipelines.reports.log_directory import LINEAR, make_run


def methods(folder) -> list[groups.Group]:
    return groups.group_runs(data.find_runs([folder]))


def test_runs_of_one_configuration_are_one_method(tmp_path):
    for seed in range(3):
        make_run(tmp_path / f"small-{seed}", seed=seed)
    make_run(tmp_path / "large-0", config="Experiment.num_episodes = 9\n")
    make_run(tmp_path / "other", agent="planet")
    found = methods(tmp_path)
    assert {group.label: len(group.runs) for group in found} == {
        "pets (small)": 3,
        "pets (large)": 1,
        "planet": 1,
    }
    small = next(group for group in found if group.label == "pets (small)")
    assert [run.seed for run in small.runs] == [0, 1, 2]


def test_a_setting_of_a_later_revision_makes_another_method_only_where_it_says_something(tmp_path):
    known = "import pipelines.environments\nclassic_control.task = 'CartPole-v1'\n"
    later = known + "classic_control.normalise = False\nclassic_control.hide_velocities = False\n"
    make_run(tmp_path / "old" / "0", config=known)
    make_run(tmp_path / "later" / "1", seed=1, config=later)
    make_run(tmp_path / "other" / "2", seed=2, config=later.replace("False", "True", 1))
    # Of nothing that is known now: no default says what it was.
    make_run(tmp_path / "gone" / "3", seed=3, config=known + "classic_control.gone = False\n")
    make_run(tmp_path / "copy" / "0", config=later, episodes=1)
    # What is included may say other things than defaults do.
    include = "include 'gin/dqn_cartpole_small.gin'\n"
    make_run(tmp_path / "file" / "4", seed=4, config=include)
    make_run(tmp_path / "file_false" / "5", seed=5, config=include + later)
    runs, copies = groups.without_copies(data.find_runs([tmp_path]))
    assert [left_out.path.parent.name for _, left_out in copies] == ["copy"]
    found = [[run.seed for run in group.runs] for group in groups.group_runs(runs)]
    assert sorted(found) == [[0, 1], [2], [3], [4], [5]]


def test_a_configuration_imports_nothing_but_what_is_ours(tmp_path, monkeypatch):
    (tmp_path / "agents_of_a_stranger.py").write_text("raise AssertionError\n")
    monkeypatch.syspath_prepend(tmp_path)
    known = "import agents_of_a_stranger\nA.x = 1\n"
    make_run(tmp_path / "old" / "0", config=known)
    make_run(tmp_path / "later" / "1", seed=1, config=known + "A.y = 1\n")
    assert len(methods(tmp_path)) == 2


def test_a_method_has_no_name_but_what_says_more_than_its_seed(tmp_path):
    other = "Experiment.num_episodes = 9\n"
    make_run(tmp_path / "wide" / "seed-0")
    make_run(tmp_path / "narrow" / "1", seed=1, config=other)
    make_run(tmp_path / "pets_deep" / "seed2", seed=2, config=other + "A.b = 1\n")
    assert sorted(group.label for group in methods(tmp_path)) == [
        "pets (deep)",
        "pets (narrow)",
        "pets (wide)",
    ]


def test_agents_that_learn_no_model_stand_beside_planners(tmp_path):
    for agent in ("dqn", "muzero", "reinforce"):
        make_run(tmp_path / agent, agent=agent, config=f"{agent}.lr = 1\n")
    assert [group.label for group in methods(tmp_path)] == ["dqn", "muzero", "reinforce"]


def test_the_same_seed_again_is_the_same_run(tmp_path):
    make_run(tmp_path / "a", seed=0, episodes=4)
    make_run(tmp_path / "b", seed=0, episodes=6)
    make_run(tmp_path / "c", seed=1, episodes=2)
    make_run(tmp_path / "d", seed=0, config="Experiment.num_episodes = 9\n")
    runs, copies = groups.without_copies(data.find_runs([tmp_path]))
    assert [run.path.name for run in runs] == ["b", "c", "d"]
    assert [(kept.path.name, left_out.path.name) for kept, left_out in copies] == [("b", "a")]


def test_a_configuration_is_its_bindings_whatever_their_layout():
    first = "import agents\n# A comment.\nA.x = [1,\n    2]\nB.f = @g()\nA.name = 'a=b'\n"
    second = "A.name = 'a=b'\nB.f = \\\n    @g()\n\nA.x = [1,\n  2]\n"
    wanted = {"A.x": "[1, 2]", "B.f": "@g()", "A.name": "'a=b'"}
    assert settings(first) == settings(second) == wanted
    assert differences([settings(first), {**wanted, "A.x": "3"}]) == {"A.x": ["[1, 2]", "3"]}
    assert differences([settings(first), {"A.x": "[1, 2]", "B.f": "@g()"}]) == {
        "A.name": ["'a=b'", None]
    }
    assert settings("include 'gin/a.gin'\nA.x = 1\n") == {"include": "'gin/a.gin'", "A.x": "1"}


def test_a_curve_is_the_mean_over_seeds_within_their_band(tmp_path):
    for seed, shift in enumerate((-6.0, 1.0, 5.0)):
        returns = (10 + shift, 20 + shift, 30 + shift)
        make_run(tmp_path / f"a-{seed}", seed=seed, returns=returns)
    (group,) = methods(tmp_path)
    curve = groups.curve(group, "evaluation/return", "step")
    assert curve.seeds == 3
    np.testing.assert_array_equal(curve.x, [0, 100, 200])
    np.testing.assert_allclose(curve.mean, [10, 20, 30])
    np.testing.assert_allclose(curve.low, [4, 14, 24])
    np.testing.assert_allclose(curve.high, [15, 25, 35])


@pytest.mark.parametrize("count", [2, 3, 4, 7])
def test_the_band_is_the_bootstraps(count):
    values = np.random.RandomState(count).normal(size=[count, 2])
    low, high = groups.bootstrap_interval(values)
    if count == 7:  # Too many resamples to list: a sample of them, always the same.
        rng = np.random.RandomState(1)
        rows = rng.randint(count, size=(200_000, count))
        bound = 0.06
    else:
        rows, bound = np.array(list(itertools.product(range(count), repeat=count))), 1e-9
    means = np.sort(values[rows].mean(axis=1), axis=0)
    share = len(means) * 0.025
    np.testing.assert_allclose(low, means[int(np.ceil(share)) - 1], atol=bound)
    np.testing.assert_allclose(high, means[int(np.ceil(len(means) * 0.975)) - 1], atol=bound)
    np.testing.assert_array_equal(groups.bootstrap_interval(values)[0], low)


def test_seeds_are_compared_as_far_as_all_have_come(tmp_path):
    make_run(tmp_path / "a-0", seed=0, returns=(0.0, 10.0, 20.0, 30.0))
    make_run(tmp_path / "a-1", seed=1, returns=(0.0, 10.0))
    (group,) = methods(tmp_path)
    curve = groups.curve(group, "evaluation/return", "episodes")
    np.testing.assert_array_equal(curve.x, [0, 1])
    np.testing.assert_allclose(curve.mean, [0, 10])


def test_a_long_run_is_compared_on_an_even_grid(tmp_path):
    for seed in (0, 1):
        returns = tuple(float(i) for i in range(1000))
        make_run(tmp_path / f"a-{seed}", seed=seed, returns=returns)
    (group,) = methods(tmp_path)
    curve = groups.curve(group, "evaluation/return", "episodes")
    assert len(curve.x) == 200 and curve.x[-1] == 999
    np.testing.assert_allclose(curve.mean, curve.x)


def test_a_single_seed_has_no_band(tmp_path):
    make_run(tmp_path / "a")
    (group,) = methods(tmp_path)
    curve = groups.curve(group, "evaluation/return", "wall_clock")
    assert curve.low is None
    np.testing.assert_array_equal(curve.x, [30, 90, 150])


def test_seeds_with_no_part_of_the_axis_in_common_have_no_mean(tmp_path):
    make_run(tmp_path / "a-0", seed=0, returns=(1.0,))
    later = make_run(tmp_path / "a-1", seed=1, returns=(2.0,))
    text = (later / "metrics.csv").read_text().replace("\n0,", "\n50,")
    (later / "metrics.csv").write_text(text)
    (group,) = methods(tmp_path)
    curve = groups.curve(group, "evaluation/return", "step")
    assert (curve.seeds, len(curve.x), len(curve.mean)) == (2, 0, 0)


def test_results_are_means_between_seeds(tmp_path):
    make_run(tmp_path / "a-0", seed=0, evaluation=10.0)
    make_run(tmp_path / "a-1", seed=1, evaluation=14.0)
    make_run(tmp_path / "none", seed=2, evaluation=None)
    (group,) = methods(tmp_path)
    result = groups.result(group)
    assert (result.mean, result.seeds, result.episodes) == (12.0, 2, 6)
    assert result.standard_error == pytest.approx(2.0)
    assert LINEAR in group.runs[0].config
