"""A run's log directory with a policy that is not trained, made in seconds."""

from __future__ import annotations

import pathlib

import gin

from pipelines.configuration import experiment
from pipelines.engines import making
from pipelines.engines.player import Player
from pipelines.environments import make_environment_spec
from pipelines.serving.export import Exporter

TINY = pathlib.Path(__file__).parent / "tiny_board.gin"


def save_run(logdir: pathlib.Path, *bindings: str) -> pathlib.Path:
    """Writes config.gin and policy/best of tiny_board.gin with further bindings."""
    logdir.mkdir(exist_ok=True)
    text = "\n".join([TINY.read_text(), *bindings])
    (logdir / "config.gin").write_text(text)
    gin.clear_config()
    described = experiment.parse_saved(logdir)
    spec = make_environment_spec(described.environment(seed=0))
    builder = described.builder
    served = builder.make_served(builder.make_networks(spec, 0), spec)
    (logdir / "policy").mkdir()
    Exporter(served).save(logdir / "policy" / "best")
    return logdir


def make_player(logdir: pathlib.Path, game: str, simulations: int | None = None) -> Player:
    return making.player_of(str(logdir), logdir / "policy" / "best", game, simulations)
