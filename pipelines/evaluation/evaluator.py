"""Plays evaluation episodes and films them: what happened, and what the model imagined."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from agents.actor import Actor
from agents.builder import FigureMaker, Imagined, OpenLoopPredictor
from pipelines.acting.environment_loop import EnvironmentLoop, undone_when_interrupted
from pipelines.acting.row import Episode
from pipelines.evaluation import video
from pipelines.system.errors import harmless


class Evaluation(NamedTuple):
    """What came of one evaluation.

    Attributes:
      episodes: all of them.
      pictures: uint8 [height, width, 3] by name, for TensorBoard.
    """

    episodes: list[Episode]
    pictures: dict[str, np.ndarray]


class Evaluator:
    """Evaluates a policy in environments of its own.

    Args:
      loop: over the evaluation environments.
      actor: acts in them, and writes nothing.
      predictor: imagines frames; None: no open-loop videos.
      figure_maker: draws what the filmed episodes show; None: nothing.
      context: frames that the predictor sees.
      imagined: frames that it imagines then, where the episode is long enough.
      num_videos: episodes filmed in each evaluation.
      directory: where videos go.
    """

    def __init__(
        self,
        loop: EnvironmentLoop,
        actor: Actor,
        *,
        predictor: OpenLoopPredictor | None,
        figure_maker: FigureMaker | None = None,
        context: int,
        imagined: int,
        num_videos: int,
        directory: pathlib.Path,
    ) -> None:
        self._loop, self._actor, self._predictor = loop, actor, predictor
        self._context, self._imagined = context, imagined
        self._figure_maker = figure_maker
        self._num_videos, self._directory = num_videos, directory

    def run(
        self, num_episodes: int, label: str, on_step: Callable[[int], None] = lambda steps: None
    ) -> Evaluation:
        """Plays episodes and films the first ones; what cannot be drawn is told once and left out.

        Args:
          num_episodes: to play.
          label: which the files' names begin with.
          on_step: see `EnvironmentLoop.run`.

        Raises:
          Interrupted: the run is to stop; it is as if nothing had been played.
        """
        episodes = undone_when_interrupted(
            self._loop,
            self._actor,
            lambda: self._loop.run(self._actor, num_episodes, self._num_videos, on_step),
        )
        filmed = self.film(episodes, label)
        pictures: dict[str, np.ndarray] = {}
        if filmed:
            with harmless("no films"):
                pictures["evaluation/episode"] = video.image_strip([filmed[0].frames], 0)
        with harmless("no open-loop predictions"):
            pictures |= self._open_loop(filmed, f"{label}-open-loop")
        with harmless("no figures"):
            pictures |= self._figures(episodes, label)
        return Evaluation(episodes, pictures)

    def film(self, episodes: list[Episode], label: str) -> list[Episode]:
        """Writes the films of those episodes that have frames, and returns these episodes."""
        filmed = [episode for episode in episodes if episode.frames is not None]
        with harmless("no films"):
            for i, episode in enumerate(filmed):
                video.write_gif(self._directory / f"{label}-episode-{i}.gif", episode.frames)
        return filmed

    def _figures(self, episodes: list[Episode], label: str) -> dict[str, np.ndarray]:
        recorded = [episode for episode in episodes if episode.observations is not None]
        if self._figure_maker is None or not recorded:
            return {}
        figures = self._figure_maker(
            [episode.observations for episode in recorded],
            [episode.actions for episode in recorded],
        )
        for name, figure in figures.items():
            video.write_png(self._directory / f"{label}-{name}.png", figure)
        return {f"evaluation/{name}": figure for name, figure in figures.items()}

    def _open_loop(self, filmed: list[Episode], name: str) -> dict[str, np.ndarray]:
        """Films the truth, all futures, and the first one's error.

        Of an episode of one action nothing is to be imagined.
        """
        if self._predictor is None or not filmed or len(filmed[0].actions) < 2:
            return {}
        episode = filmed[0]
        length = min(self._context + self._imagined, len(episode.actions))
        frames, actions = episode.observations[:length], episode.actions[:length]
        context = min(self._context, length - 1)
        futures = self._predictor(frames, actions, context)
        truth = Imagined(video.as_rgb(frames), _with_which_frames_came(episode, length))
        error = video.error_frames(truth.frames, video.as_rgb(futures[0].frames))
        rows = [_marked(row, truth, futures[0]) for row in (truth, *futures, Imagined(error))]
        video.open_loop_video(rows, context, self._directory / name)
        return {"evaluation/open_loop": video.image_strip(rows, context)}


def _with_which_frames_came(episode: Episode, length: int) -> np.ndarray | None:
    if episode.rewards is None:
        return None
    return np.concatenate([np.zeros([1], np.float32), episode.rewards])[:length]


def _marked(row: Imagined, truth: Imagined, future: Imagined) -> np.ndarray:
    """A row of the film; rewards are marked where both the model and the truth have some."""
    frames = video.as_rgb(row.frames)
    if future.rewards is None or truth.rewards is None:
        return frames
    return video.with_rewards(frames, row.rewards)
