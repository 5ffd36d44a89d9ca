"""Protects what results/ keeps: small, and enough to draw everything anew."""

from __future__ import annotations

import itertools
import json

from pipelines import report
from pipelines.reports import data, groups
from pipelines.reports.keep import thinned
from tests.pipelines.reports.log_directory import make_run, write_film


def kept(tmp_path, capfd, *logdirs) -> tuple[int, str]:
    flags = [f"--logdir={path}" for path in logdirs]
    status = report.main(["report.py", *flags, f"--keep={tmp_path / 'results' / 'claim'}"])
    return status, capfd.readouterr()[status // 2]


def test_what_is_kept_draws_the_same_curves(tmp_path, capfd):
    runs = tmp_path / "runs"
    for seed in (0, 7):
        make_run(runs / f"a-{seed}", seed=seed, returns=(10.0 + seed, 20.0, 1 / 3))
    write_film(runs / "a-7" / "videos" / "000004-open-loop.gif", 300, 300, frames=8)  # Too large.
    status, said = kept(tmp_path, capfd, runs)
    assert status == 0 and said.startswith("2 runs kept in ")
    claim = tmp_path / "results" / "claim"
    assert {str(path.relative_to(claim)) for path in claim.rglob("*") if path.is_file()} == {
        f"{seed}/{name}"
        for seed in (0, 7)
        for name in (
            "summary.json",
            "config.gin",
            "metrics.csv.gz",
            "videos/000004-episode-0.gif",
        )
    }
    (before,) = groups.group_runs(data.find_runs([runs]))
    (after,) = groups.group_runs(data.find_runs([claim]))
    assert after.label == before.label
    for mine, theirs in zip(after.runs, before.runs, strict=True):
        assert (mine.summary, mine.config) == (theirs.summary, theirs.config)
        for row, original in zip(mine.rows, theirs.rows, strict=True):
            assert {k: round(v, 6) for k, v in row.items()} == {
                k: round(v, 6) for k, v in original.items()
            }


def test_keeping_a_run_again_changes_no_byte(tmp_path, capfd):
    run = make_run(tmp_path / "a")
    kept(tmp_path, capfd, run)
    place = tmp_path / "results" / "claim" / "0"
    first = {path.name: path.read_bytes() for path in place.iterdir() if path.is_file()}
    assert kept(tmp_path, capfd, run)[0] == 0
    assert {path.name: path.read_bytes() for path in place.iterdir() if path.is_file()} == first


def test_two_runs_of_one_seed_are_two_claims(tmp_path, capfd):
    first = make_run(tmp_path / "a")
    second = make_run(tmp_path / "b", config="A.other = 1\n")
    status, line = kept(tmp_path, capfd, first, second)
    assert (status, line) == (
        2,
        "error: several runs of seed 0; keep each method in its own folder\n",
    )
    assert not (tmp_path / "results").exists()
    kept(tmp_path, capfd, first)
    status, line = kept(tmp_path, capfd, second)
    assert status == 2 and "keeps a run of another configuration" in line
    summary = json.loads((tmp_path / "results" / "claim" / "0" / "summary.json").read_text())
    assert summary["agent"] == "pets"


def test_evaluations_are_all_kept_and_the_rest_is_thinned_evenly():
    rows = [{"step": float(i)} for i in range(1000)]
    for row in rows[50::100]:
        row["evaluation/return"] = 1.0
    found = thinned(rows, most=60)
    assert len(found) == 60
    assert sum("evaluation/return" in row for row in found) == 10
    steps = [row["step"] for row in found if "evaluation/return" not in row]
    assert steps[0] == 0 and all(18 <= b - a <= 22 for a, b in itertools.pairwise(steps))
    assert thinned(rows[:30], most=60) == rows[:30]
