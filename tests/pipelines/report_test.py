"""Protects reports: what belongs together, bands, and that published figures stay apart."""

from __future__ import annotations

import json
import pathlib
import re

import numpy as np
import pytest
from PIL import Image

from pipelines import report
from pipelines.reports import data as report_data
from pipelines.reports import published

LINEAR = "Experiment.num_episodes = 4\n"


def make_run(
    folder: pathlib.Path,
    *,
    seed: int = 0,
    agent: str = "pets",
    environment: str = "dm_control/cartpole_balance",
    config: str = LINEAR,
    returns: tuple[float, ...] = (10.0, 20.0, 30.0),
    evaluation: float | None = 30.0,
) -> pathlib.Path:
    """A log directory as a run leaves it, with an evaluation every two episodes."""
    (folder / "videos").mkdir(parents=True)
    Image.fromarray(np.zeros([4, 4, 3], np.uint8)).save(folder / "videos" / "000004-episode-0.gif")
    (folder / "config.gin").write_text(f"# Made by a test, seed {seed}.\n{config}")
    found = {"mean": evaluation, "standard_error": 1.5, "episodes": 3}
    summary = {
        "agent": agent,
        "environment": environment,
        "seed": seed,
        "episodes": 4,
        "steps": 400,
        "evaluation": None if evaluation is None else found,
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    lines = ["step,episodes,updates,wall_clock,episode/return,evaluation/return"]
    for i, value in enumerate(returns):
        lines.append(f"{100 * i},{i},{i},{60 * i},{value - 1},")
        lines.append(f"{100 * i},{i},{i},{60 * i + 30},,{value}")
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    return folder


def run(capfd, *flags: str) -> tuple[int, str, str]:
    status = report.main(["report.py", *flags])
    return status, *capfd.readouterr()


def test_runs_of_one_configuration_are_one_method(tmp_path):
    for seed in range(3):
        make_run(tmp_path / f"small-{seed}", seed=seed)
    make_run(tmp_path / "large-0", config="Experiment.num_episodes = 9\n")
    make_run(tmp_path / "other", agent="planet")
    groups = report_data.group_runs(report_data.find_runs([tmp_path]))
    assert {group.label: len(group.runs) for group in groups} == {
        "pets (small)": 3,
        "pets (large)": 1,
        "planet": 1,
    }
    small = next(group for group in groups if group.label == "pets (small)")
    assert [found.summary["seed"] for found in small.runs] == [0, 1, 2]


def test_a_curve_is_the_mean_over_seeds_with_students_band(tmp_path):
    for seed, shift in enumerate((-6.0, 0.0, 6.0)):
        returns = (10 + shift, 20 + shift, 30 + shift)
        make_run(tmp_path / f"a-{seed}", seed=seed, returns=returns)
    (group,) = report_data.group_runs(report_data.find_runs([tmp_path]))
    curve = report_data.curve(group, "evaluation/return", "step")
    assert (curve.x[0], curve.x[-1], curve.seeds) == (0, 200, 3)
    np.testing.assert_allclose(curve.mean, 10 + curve.x / 10)
    half = 4.302653 * 6.0 / np.sqrt(3)  # Student's 97.5 % quantile at two degrees of freedom.
    np.testing.assert_allclose(curve.high - curve.mean, half, rtol=1e-5)
    np.testing.assert_allclose(curve.mean - curve.low, half, rtol=1e-5)


def test_seeds_are_compared_as_far_as_all_have_come(tmp_path):
    make_run(tmp_path / "a-0", seed=0, returns=(0.0, 10.0, 20.0, 30.0))
    make_run(tmp_path / "a-1", seed=1, returns=(0.0, 10.0))
    (group,) = report_data.group_runs(report_data.find_runs([tmp_path]))
    curve = report_data.curve(group, "evaluation/return", "episodes")
    assert curve.x[-1] == 1
    np.testing.assert_allclose(curve.mean, 10 * curve.x)


def test_a_single_seed_has_no_band(tmp_path):
    make_run(tmp_path / "a")
    (group,) = report_data.group_runs(report_data.find_runs([tmp_path]))
    curve = report_data.curve(group, "evaluation/return", "wall_clock")
    assert curve.low is None
    np.testing.assert_array_equal(curve.x, [30, 90, 150])


def test_results_are_means_between_seeds(tmp_path):
    make_run(tmp_path / "a-0", seed=0, evaluation=10.0)
    make_run(tmp_path / "a-1", seed=1, evaluation=14.0)
    make_run(tmp_path / "none", seed=2, evaluation=None)
    (group,) = report_data.group_runs(report_data.find_runs([tmp_path]))
    result = report_data.result(group)
    assert (result.mean, result.seeds, result.episodes) == (12.0, 2, 6)
    assert result.standard_error == pytest.approx(2.0)


def test_a_report_is_one_page_that_needs_no_other_file(tmp_path, capfd):
    make_run(tmp_path / "runs" / "a-0")
    make_run(tmp_path / "runs" / "b-0", environment="pets/cartpole", agent="x<script>")
    output = tmp_path / "out"
    status, out, _ = run(capfd, f"--logdir={tmp_path / 'runs'}", f"--output={output}")
    assert status == 0 and "2 runs of 2 methods" in out
    assert {path.name for path in output.iterdir()} == {
        "report.html",
        "table.png",
        "curves-dm_control-cartpole_balance.png",
        "curves-pets-cartpole.png",
    }
    page = (output / "report.html").read_text()
    sources = re.findall(r"src='([^']{30})", page)
    assert len(sources) == 4 and all(source.startswith("data:image/") for source in sources)
    assert "http" not in page and "<script" not in page
    with Image.open(output / "table.png") as table:
        assert table.width > 300


def test_published_figures_stand_apart_from_measured_ones(tmp_path, capfd):
    make_run(tmp_path / "runs" / "a-0", evaluation=123.0)
    run(capfd, f"--logdir={tmp_path / 'runs'}", f"--output={tmp_path / 'out'}")
    page = (tmp_path / "out" / "report.html").read_text()
    ours, theirs = page.split("<tbody class=published>")
    assert "123 ± 2" in ours and "123 ± 2" not in theirs.split("</tbody>")[0]
    assert "Published, not measured here" in theirs
    for row in published.ROWS:
        assert len(row.returns) == len(published.TASKS)
        assert row.method in theirs and f"<td>{row.returns[1]:.0f}</td>" not in ours


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ([], "--logdir is missing"),
        (["--logdir=DIR/empty"], "no run in 'DIR/empty': no summary.json in it or below"),
        (["--logdir=DIR/a", "--metric=evaluation/retrun"], "did you mean 'evaluation/return'?"),
        (["--logdir=DIR/broken"], "cannot read the run in 'DIR/broken': summary.json has no"),
    ],
)
def test_bad_input_ends_in_one_line(tmp_path, capfd, flags, line):
    make_run(tmp_path / "a")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "summary.json").write_text("{}")
    flags = [flag.replace("DIR", str(tmp_path)) for flag in flags]
    status, _, error = run(capfd, *flags, f"--output={tmp_path / 'out'}")
    assert status == 2 and error.count("\n") == 1
    assert line.replace("DIR", str(tmp_path)) in error
    assert not (tmp_path / "out").exists()
