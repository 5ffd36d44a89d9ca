"""Protects runs from each other, and directories from runs that never began."""

from __future__ import annotations

import json
import os
import re

import pytest

from pipelines.logdir import log_directory
from pipelines.system.errors import UserError

IDENTITY = {"agent": "planet", "environment": "dm_control/cartpole_balance", "seed": 1}


def test_a_directory_is_held_by_one_run_at_a_time(tmp_path):
    expected = rf"^log directory {tmp_path}/a is in use by process {os.getpid()}; "
    with log_directory.claim(tmp_path / "a", IDENTITY):
        with (
            pytest.raises(UserError, match=expected),
            log_directory.claim(tmp_path / "a", IDENTITY),
        ):
            pass
        with log_directory.claim(tmp_path / "b", IDENTITY):
            pass
    with log_directory.claim(tmp_path / "a", IDENTITY) as path:
        assert path == tmp_path / "a", "free again once the run before has ended"


@pytest.mark.parametrize(
    ("name", "other"), [("agent", "dqn"), ("environment", "dm_control/hopper_hop"), ("seed", 2)]
)
def test_another_runs_directory_is_refused_and_untouched(tmp_path, name, other):
    (tmp_path / "summary.json").write_text(json.dumps({**IDENTITY, name: other}))
    expected = (
        f"log directory {tmp_path} belongs to a run with {name} {other!r}, not {IDENTITY[name]!r}"
    )
    with (
        pytest.raises(UserError, match=f"^{re.escape(expected)}; choose another --logdir$"),
        log_directory.claim(tmp_path, IDENTITY),
    ):
        pass
    assert os.listdir(tmp_path) == ["summary.json"]


def test_a_directory_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match=rf"^cannot write {tmp_path}/file: File exists$"),
        log_directory.claim(tmp_path / "file", IDENTITY),
    ):
        pass


def test_a_start_that_fails_takes_back_all_it_made(tmp_path):
    logdir = tmp_path / "runs" / "first"
    with pytest.raises(UserError), log_directory.leaving_no_trace(logdir):
        logdir.mkdir(parents=True)
        (logdir / "file").write_text("")
        raise UserError("no")
    assert os.listdir(tmp_path) == []


def test_a_start_that_fails_leaves_what_was_there(tmp_path):
    (tmp_path / "metrics.csv").write_text("step\n")
    with pytest.raises(UserError), log_directory.leaving_no_trace(tmp_path):
        raise UserError("no")
    with log_directory.leaving_no_trace(tmp_path / "new"):
        (tmp_path / "new").mkdir()
    assert sorted(os.listdir(tmp_path)) == ["metrics.csv", "new"]
