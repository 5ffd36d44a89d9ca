"""Protects report.py: a page that needs nothing else, what it says, and how it refuses."""

from __future__ import annotations

import html.parser
import json
import pathlib
import re

import pytest
from PIL import Image

from pipelines import report
from pipelines.reports import data, figures, films, groups, page, published, tables
from tests.pipelines.reports.log_directory import make_run, write_film


class Page(html.parser.HTMLParser):
    """What a page holds: attributes by tag, texts by the element they stand in."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "input", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag, "every element is closed in its turn"

    def handle_data(self, text):
        if text.strip():
            self.texts.append((self._open[-1] if self._open else "", text.strip()))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def said(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]

    @property
    def data(self) -> dict:
        """What the script draws."""
        return json.loads(next(text for tag, text in self.texts if text.startswith("{")))


def run(capfd, *flags: str) -> tuple[int, str, str]:
    status = report.main(["report.py", *flags])
    return status, *capfd.readouterr()


def made(tmp_path, metric: str = "evaluation/return", axis: str = "step") -> Page:
    """The page of the runs in tmp_path/runs, as if it lay in tmp_path."""
    runs, copies = groups.without_copies(data.find_runs([tmp_path / "runs"]))
    return Page(page.page(groups.group_runs(runs), copies, metric, axis, tmp_path))


def test_a_report_is_one_page_that_needs_no_other_file(tmp_path, capfd):
    make_run(tmp_path / "runs" / "a-0")
    make_run(tmp_path / "runs" / "b-0", environment="pets/cartpole", agent="x<!--<script>")
    output = tmp_path / "out"
    status, out, _ = run(capfd, f"--logdir={tmp_path / 'runs'}", f"--output={output}")
    assert status == 0 and "2 runs of 2 methods" in out
    assert {path.name for path in output.iterdir()} == {
        "report.html",
        "table.png",
        "curves-dm_control-cartpole_balance.png",
        "curves-pets-cartpole.png",
    }
    text = (output / "report.html").read_text()
    shown = Page(text)
    assert len(shown.all("img")) == 2
    assert all(image["src"].startswith("data:image/gif;base64,") for image in shown.all("img"))
    assert len(shown.all("script")) == 2 and not any("src" in tag for tag in shown.all("script"))
    outside = re.findall(r"https?://[^\"' ]+", text)
    assert set(outside) == {"http://www.w3.org/2000/svg"}  # A name, which is not fetched.
    assert {group["label"] for e in shown.data["environments"] for group in e["groups"]} == {
        "pets",
        "x<!--<script>",
    }
    with Image.open(output / "table.png") as table:
        assert table.width > 300


def test_the_page_has_every_curve_over_every_axis(tmp_path):
    for seed, shift in enumerate((0.0, 4.0)):
        returns = (10 + shift, 20 + shift, 30 + shift)
        make_run(tmp_path / "runs" / f"a-{seed}", seed=seed, returns=returns)
    shown = made(tmp_path, "episode/return", "wall_clock")
    assert (shown.data["metric"], shown.data["axis"]) == ("episode/return", "wall_clock")
    assert shown.data["metrics"]["evaluation/return"] == "evaluation return"
    (environment,) = shown.data["environments"]
    assert environment["title"] == "cartpole balance (dm control)"
    (group,) = environment["groups"]
    measured = group["curves"]["evaluation/return"]
    assert set(measured["axes"]) == set(data.AXES)
    minutes = measured["axes"]["wall_clock"]
    assert minutes == {
        "x": [0.5, 1.5, 2.5],
        "mean": [12.0, 22.0, 32.0],
        "low": [10.0, 20.0, 30.0],
        "high": [14.0, 24.0, 34.0],
    }
    assert [(seed["seed"], seed["y"]) for seed in measured["seeds"]] == [
        (0, [10.0, 20.0, 30.0]),
        (1, [14.0, 24.0, 34.0]),
    ]
    assert measured["seeds"][0]["x"]["step"] == [0.0, 100.0, 200.0]


def test_published_figures_stand_apart_from_measured_ones(tmp_path):
    make_run(tmp_path / "runs" / "a-0", evaluation=123.0)
    shown = made(tmp_path)
    ours, theirs = shown.text.split("<tbody class='published'>")
    theirs = theirs.split("</tbody>")[0]
    assert "123.0 ± 1.5" in ours and "123.0 ± 1.5" not in theirs
    assert "In grey: published, not measured here" in ours
    for row in published.ROWS:
        assert len(row.returns) == len(published.TASKS)
        cell = f"<td>{row.method}</td><td>{row.returns[0]:.0f}</td>"
        assert cell in theirs and cell not in ours
    assert [row["value"] for row in shown.data["environments"][0]["published"]] == [
        row.returns[0] for row in published.ROWS
    ]


@pytest.mark.parametrize(
    ("mean", "error", "words"),
    [
        (972.13, 2.31, "972.1 ± 2.3"),
        (0.865, 0.035, "0.865 ± 0.035"),
        (521.2, 25.4, "521 ± 25"),
        (3400.0, 0.0, "3400 ± 0"),
        (178.25, None, "178.25"),
    ],
)
def test_a_mean_has_the_digits_that_its_error_leaves(mean, error, words):
    assert tables.mean_and_error(mean, error) == words


def test_where_nothing_is_published_nothing_is_said_of_it(tmp_path):
    make_run(tmp_path / "runs" / "a-0", environment="gymnasium/CartPole-v1")
    shown = made(tmp_path)
    assert shown.data["environments"][0]["published"] == []
    spoken = [text for tag, text in shown.texts if tag not in ("script", "style")]
    assert spoken and not any("ublished" in text for text in spoken)


def test_people_read_no_underscores(tmp_path):
    make_run(tmp_path / "runs" / "seed-0", agent="simulator_cem", evaluation=None)
    shown = made(tmp_path)
    columns = shown.said("th")
    assert "cartpole balance (dm control)" in columns and "last evaluation" in columns
    spoken = [text for tag, text in shown.texts if tag not in ("script", "style")]
    assert "simulator cem" in spoken
    assert [text for text in spoken if "_" in text or "seed )" in text] == []


def test_what_differs_between_methods_is_a_table(tmp_path):
    make_run(tmp_path / "runs" / "small-0", config="A.size = 1\nA.same = 2\n")
    make_run(tmp_path / "runs" / "large-0", config="A.size = 9\nA.same = 2\n")
    cells = made(tmp_path).said("td")
    at = cells.index("A.size")
    assert cells[at : at + 3] == ["A.size", "9", "1"]  # Large, small.
    assert "A.same" not in cells


def test_a_run_found_twice_is_counted_once_and_said(tmp_path, capfd):
    make_run(tmp_path / "runs" / "a", evaluation=30.0)
    make_run(tmp_path / "runs" / "b", evaluation=30.0)
    status, out, _ = run(capfd, f"--logdir={tmp_path / 'runs'}", f"--output={tmp_path}")
    assert status == 0
    assert f"{tmp_path}/runs/b is {tmp_path}/runs/a again (seed 0): counted once" in out
    shown = Page((tmp_path / "report.html").read_text())
    assert "runs/b is runs/a again: seed 0, the same configuration" in shown.said("li")
    assert "30.0 ± 1.5" in shown.said("td") and "30 ± 0" not in shown.said("td")


def test_films_are_enlarged_and_their_parts_named(tmp_path):
    folder = make_run(tmp_path / "runs" / "a") / "videos"
    write_film(folder / "000004-open-loop.gif", 100, 32, frames=2)
    write_film(folder / "000004-open-loop.png", 400, 96)
    write_film(folder / "000002-episode-0.gif", 8, 8)  # Not the newest.
    write_film(folder / "000004-calibration.png", 900, 300)
    shown = made(tmp_path)
    sizes = [(int(image["width"]), int(image["height"])) for image in shown.all("img")]
    assert sizes == [(900, 300), (220, 220), (700, 224), (800, 192)]
    assert shown.said("span") == ["truth", "model", "error"] * 2
    captions = shown.said("figcaption")
    assert "After 4 episodes, seed 0: an evaluation episode" in captions
    assert sum("the model's prediction" in caption for caption in captions) == 2
    assert "image-rendering: pixelated" in shown.text


def test_a_large_film_is_linked(tmp_path, monkeypatch):
    folder = make_run(tmp_path / "runs" / "a") / "videos"
    write_film(folder / "000004-episode-1.gif", 60, 60, frames=4)
    monkeypatch.setattr(films, "MAX_BYTES", 10_000)
    shown = made(tmp_path)
    assert [link["href"] for link in shown.all("a")] == ["runs/a/videos/000004-episode-1.gif"]
    assert len(shown.all("img")) == 1


def test_names_are_moved_apart_and_no_further(tmp_path):
    assert figures.apart([1.0, 5.0, 9.0], 2.0, 0.0, 10.0) == [1.0, 5.0, 9.0]
    places = figures.apart([9.8, 9.9, 9.7, 3.0], 1.0, 0.0, 10.0)
    assert places == [9.0, 10.0, 8.0, 3.0]


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


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("summary.json", b"[1, 2]"),
        ("summary.json", b"[" * 100_000),
        ("summary.json", b'{"agent": 3}'),
        ("summary.json", b"\xff"),
        ("metrics.csv", b"step,episodes\n1,\xff\n"),
        ("metrics.csv", b"step,evaluation/return\n1,much\n"),
        ("metrics.csv.gz", b"no gzip"),
        ("config.gin", b"\xff"),
    ],
)
def test_a_file_that_is_not_what_it_was_ends_in_one_line(tmp_path, capfd, name, content):
    folder: pathlib.Path = make_run(tmp_path / "a")
    if name.endswith(".gz"):
        (folder / "metrics.csv").unlink()
    (folder / name).write_bytes(content)
    status, _, error = run(capfd, f"--logdir={folder}", f"--output={tmp_path / 'out'}")
    assert status == 2 and error.count("\n") == 1
    assert error.startswith(f"error: cannot read the run in '{folder}': ")
