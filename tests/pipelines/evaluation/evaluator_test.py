"""Protects evaluations: whatever cannot be filmed, imagined or drawn, what was played counts."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from agents.builder import Imagined
from pipelines.acting.row import Episode
from pipelines.evaluation import video
from pipelines.evaluation.evaluator import Evaluator
from pipelines.system import errors
from pipelines.system.errors import Interrupted, UserError


@pytest.fixture(autouse=True)
def nothing_told_yet(monkeypatch):
    monkeypatch.setattr(errors, "_warned", set())


class Played:
    """Stands where the loop does: episodes of these lengths, whose observations are frames."""

    def __init__(self, *lengths: int) -> None:
        self._lengths = lengths
        self.environment = SimpleNamespace(random_state=lambda: [])

    def run(
        self, actor: object, num_episodes: int, record: int, on_step: Callable[[int], None]
    ) -> list[Episode]:
        on_step(sum(self._lengths))
        frames = [np.full([n + 1, 4, 4, 3], n, np.uint8) for n in self._lengths]
        return [
            Episode(1.0, n, f, np.zeros([n, 1]), f, np.arange(n, dtype=np.float32))
            for n, f in zip(self._lengths, frames, strict=True)
        ]


def predictor(frames: np.ndarray, actions: np.ndarray, context: int) -> list[Imagined]:
    assert len(frames) == len(actions) and 0 < context < len(frames)
    return [Imagined(frames)]


def figures(observations: list[np.ndarray], actions: list[np.ndarray]) -> dict[str, np.ndarray]:
    return {"calibration": np.zeros([4, 4, 3], np.uint8)}


def evaluator(tmp_path, *lengths: int, **parts) -> Evaluator:
    parts = {"predictor": predictor, "figure_maker": figures, **parts}
    options = {"context": 2, "imagined": 3, "num_videos": 1, "directory": tmp_path / "videos"}
    return Evaluator(Played(*lengths), SimpleNamespace(calls=0), **parts, **options)


def names(tmp_path) -> set[str]:
    return {path.name for path in (tmp_path / "videos").glob("*")}


FILM = {"a-episode-0.gif"}
OPEN_LOOP = {"a-open-loop.gif", "a-open-loop.png"}
FIGURES = {"a-calibration.png"}


def test_an_evaluation_is_filmed_imagined_and_drawn(tmp_path, capfd):
    steps = []
    result = evaluator(tmp_path, 6).run(1, "a", steps.append)
    assert names(tmp_path) == FILM | OPEN_LOOP | FIGURES
    assert set(result.pictures) == {
        "evaluation/episode",
        "evaluation/open_loop",
        "evaluation/calibration",
    }
    assert steps == [6] and capfd.readouterr().err == ""


@pytest.mark.parametrize("length", [1, 2, 3])
def test_an_episode_too_short_for_the_context_is_no_failure(tmp_path, capfd, length):
    result = evaluator(tmp_path, length).run(1, "a")
    assert [episode.length for episode in result.episodes] == [length]
    imagined = OPEN_LOOP if length > 1 else set()
    assert names(tmp_path) == FILM | FIGURES | imagined
    assert capfd.readouterr().err == ""


def test_several_futures_stand_below_each_other_with_their_rewards(tmp_path):
    def futures(frames, actions, context):
        return [Imagined(frames, np.full([len(frames)], 1.0))] * 2

    picture = evaluator(tmp_path, 6, predictor=futures).run(1, "a").pictures["evaluation/open_loop"]
    # Truth, two futures and the error: 4 pixels and a bar of 3, with 2 between the rows.
    assert picture.shape[0] == 4 * (4 + 3) + 3 * 2
    # The reward of the first step, 0, came with the second frame.
    truth, future = picture[0], picture[9]
    assert np.all(truth[6] == 255) and np.any(truth[-1] != 255) and np.any(future[0] != 255)


def broken(*arguments):
    raise RuntimeError("out of ink\nand more lines")


@pytest.mark.parametrize(
    ("part", "loss", "left"),
    [
        ("predictor", "no open-loop predictions", FILM | FIGURES),
        ("figure_maker", "no figures", FILM | OPEN_LOOP),
    ],
)
def test_a_part_that_fails_is_told_once_and_costs_nothing_else(tmp_path, capfd, part, loss, left):
    broken_one = evaluator(tmp_path, 6, **{part: broken})
    for label in ("a", "b"):
        assert len(broken_one.run(1, label).episodes) == 1
    assert capfd.readouterr().err == f"warning: {loss}: out of ink; everything else goes on\n"
    assert {name for name in names(tmp_path) if name.startswith("a")} == left


@pytest.mark.parametrize("error", [UserError("cannot write x"), MemoryError("cannot write x")])
def test_films_that_cannot_be_written_cost_no_evaluation(tmp_path, capfd, monkeypatch, error):
    def refuse(*arguments):
        raise error

    monkeypatch.setattr(video, "write_gif", refuse)
    result = evaluator(tmp_path, 6, predictor=None).run(1, "a")
    assert len(result.episodes) == 1 and names(tmp_path) == FIGURES
    line = "warning: no films: cannot write x; everything else goes on\n"
    assert capfd.readouterr().err == line


def test_a_stop_is_no_failure(tmp_path):
    def stopped(*arguments):
        raise Interrupted

    with pytest.raises(Interrupted):
        evaluator(tmp_path, 6, predictor=stopped).run(1, "a")
