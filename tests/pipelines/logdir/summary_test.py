from __future__ import annotations

import json
import math
import pathlib
import subprocess

import numpy as np
import pytest

from pipelines.logdir import summary
from pipelines.logdir.summary import evaluation_result, git_revision, write_summary

COUNTERS = {"step": 1000, "episodes": 4, "updates": np.int64(50), "wall_clock": 61.5}


def test_the_summary_holds_what_the_contract_names(tmp_path):
    result = evaluation_result([800.0, 900.0, 1000.0])
    path = write_summary(
        tmp_path,
        agent="planet",
        environment="cartpole_balance",
        seed=3,
        counters=COUNTERS,
        evaluation=result,
        best_evaluation={**result, "step": 500},
    )
    content = json.loads(path.read_text())
    assert path.name == "summary.json"
    assert content["evaluation"] == {
        "mean": 900.0,
        "standard_error": pytest.approx(100 / math.sqrt(3)),
        "episodes": 3,
    }
    assert content["best_evaluation"]["step"] == 500
    told = {key: content[key] for key in ("agent", "environment", "seed", "steps", "episodes")}
    assert told == {
        "agent": "planet",
        "environment": "cartpole_balance",
        "seed": 3,
        "steps": 1000,
        "episodes": 4,
    }
    assert (content["updates"], content["wall_clock_seconds"]) == (50, 61.5)
    assert {"python", "tensorflow", "reverb", "acme", "mujoco"} <= set(content["versions"])
    assert content["versions"]["reverb"] == "0.14.0"
    assert content["git_revision"] == git_revision(pathlib.Path(summary.__file__).parent)


def test_a_number_that_json_lacks_is_null(tmp_path):
    options = {"agent": "a", "environment": "e", "seed": 0, "counters": COUNTERS}
    evaluation = {"mean": np.float64("nan"), "standard_error": None, "episodes": 1}
    path = write_summary(tmp_path, evaluation=evaluation, **options)
    content = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name))
    assert content["evaluation"]["mean"] is None


def test_one_episode_has_no_standard_error_and_none_has_no_mean():
    assert evaluation_result([5.0]) == {"mean": 5.0, "standard_error": None, "episodes": 1}
    with pytest.raises(ValueError, match="at least one episode"):
        evaluation_result([])


def _git(directory, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
    command = ["git", "-C", str(directory), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_revision_is_that_of_the_repository_that_tracks_the_code(tmp_path):
    assert git_revision(tmp_path) is None
    _git(tmp_path, "init", "-q")
    (tmp_path / "code.py").write_text("1")
    assert git_revision(tmp_path) is None
    _git(tmp_path, "add", "code.py")
    _git(tmp_path, "commit", "-q", "-m", "one")
    assert git_revision(tmp_path) == _git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "code.py").write_text("2")
    assert git_revision(tmp_path).endswith("-dirty")
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "package.py").write_text("")
    assert git_revision(tmp_path / "installed") is None
