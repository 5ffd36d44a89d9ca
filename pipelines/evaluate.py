"""Plays episodes with a policy that a run has saved.

python pipelines/evaluate.py --logdir=DIR [--policy=best|last] [--episodes=10] [--seed=N]
    [--video=FILE.gif]

Prints one line of JSON (mean, standard_error, min, max, episodes and where they come from) and one
in words. The policy is the SavedModel in DIR/policy, the environment the one that DIR/config.gin
evaluates in. Equal seeds give equal episodes, others than the run itself has seen. Bad input ends
with one line and status 2.
"""

from __future__ import annotations

import functools
import json
import pathlib
import sys
from typing import TYPE_CHECKING, Any

from absl import flags

from pipelines.serving import saved_run
from pipelines.system import command_line
from pipelines.system.errors import UserError
from pipelines.system.paths import PathParser

if TYPE_CHECKING:
    from pipelines.acting.row import Episode

_FLAGS = flags.FlagValues()
_LOGDIR = flags.DEFINE(PathParser(), "logdir", None, "Of the run.", flag_values=_FLAGS)
_POLICY = flags.DEFINE_enum(
    "policy", "best", ["best", "last"], "Which of its policies.", flag_values=_FLAGS
)
_EPISODES = flags.DEFINE_integer(
    "episodes", 10, "Episodes to play.", lower_bound=1, flag_values=_FLAGS
)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Of environments and policy.", lower_bound=0, flag_values=_FLAGS
)
_VIDEO = flags.DEFINE(PathParser(), "video", None, "GIF of the first episode.", flag_values=_FLAGS)


def main(argv: list[str]) -> int:
    """Runs the program; returns the exit status, see `command_line`."""
    return command_line.run_program(argv, _FLAGS, __doc__, _evaluate)


def _evaluate() -> None:
    directory = saved_run.find_policy(_LOGDIR.value, _POLICY.value)
    if _VIDEO.value is not None and not _VIDEO.value.endswith(".gif"):
        raise UserError(f"--video is '{_VIDEO.value}'; expected a file name that ends in .gif")
    episodes, environment = _play(directory)
    result = {**_statistics(episodes), "environment": environment, "policy": str(directory)}
    print(json.dumps({**result, "seed": _SEED.value}))
    error = result["standard_error"]
    print(
        f"{environment}: mean return {result['mean']:.1f}"
        + ("" if error is None else f" ± {error:.1f} (standard error)")
        + f" over {result['episodes']} episodes, {result['min']:.1f} to {result['max']:.1f}"
    )
    if _VIDEO.value is not None:  # Last, since the disk may not take it.
        _film(episodes, environment)


def _play(directory: pathlib.Path) -> tuple[list[Episode], str]:
    """Returns the episodes and the environment's name."""
    from agents.actor import Actor
    from pipelines.acting.environment_loop import EnvironmentLoop
    from pipelines.configuration import experiment
    from pipelines.launch import parts
    from pipelines.launch.seeds import Seeds
    from pipelines.serving import in_play
    from pipelines.serving.export import SavedPolicy

    described = experiment.parse_saved(_LOGDIR.value)
    saved = SavedPolicy(directory)
    seeds = Seeds(_SEED.value)
    count = min(_EPISODES.value, parts.MAX_EVALUATION_ENVIRONMENTS)
    environment = parts.make_environments(
        parts.evaluation_factory(described), seeds, "played_again", range(count)
    )
    saved_run.check_observation(saved, environment.observation_spec(), environment.name)
    role = functools.partial(parts.make_role, environment, evaluation=True)
    policy = in_play.acting(saved, described, role)
    actor = Actor(policy, count, seeds.of("played_again"))
    filmed = 0 if _VIDEO.value is None else 1
    episodes = EnvironmentLoop(environment).run(actor, _EPISODES.value, record=filmed)
    return episodes, environment.name


def _film(episodes: list[Episode], environment: str) -> None:
    from pipelines.evaluation import video
    from pipelines.system import files

    films = [episode.frames for episode in episodes if episode.frames is not None]
    if not films:
        raise UserError(f"--video: no frame of {environment} can be drawn here")
    with files.writing(_VIDEO.value):
        pathlib.Path(_VIDEO.value).parent.mkdir(parents=True, exist_ok=True)
    video.write_gif(_VIDEO.value, films[0])


def _statistics(episodes: list[Episode]) -> dict[str, Any]:
    from pipelines.logdir import summary

    returns = [episode.episode_return for episode in episodes]
    return {**summary.evaluation_result(returns), "min": min(returns), "max": max(returns)}


if __name__ == "__main__":
    sys.exit(main(sys.argv))
