"""Log directories as runs leave them, for tests of what reads them."""

from __future__ import annotations

import json
import pathlib

import numpy as np
from PIL import Image

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
    episodes: int = 4,
) -> pathlib.Path:
    """A run with as many evaluations as `returns`, a hundred steps and a minute apart."""
    (folder / "videos").mkdir(parents=True)
    write_film(folder / "videos" / "000004-episode-0.gif", 4, 4)
    (folder / "config.gin").write_text(f"# Made by a test, seed {seed}.\n{config}")
    found = {"mean": evaluation, "standard_error": 1.5, "episodes": 3}
    summary = {
        "agent": agent,
        "environment": environment,
        "seed": seed,
        "episodes": episodes,
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


def write_film(path: pathlib.Path, width: int, height: int, frames: int = 1) -> None:
    """A GIF of noise, or a picture, by the file's name."""
    noise = np.random.RandomState(0).randint(0, 256, [frames, height, width, 3])
    first, *rest = (Image.fromarray(frame.astype(np.uint8)) for frame in noise)
    more = {"save_all": True, "append_images": rest} if path.suffix == ".gif" else {}
    first.save(path, **more)
