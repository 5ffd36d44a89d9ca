"""Plays episodes with a policy that a run has saved.

python pipelines/evaluate.py --logdir=DIR [--policy=best|last] [--episodes=10] [--seed=N]
    [--video=FILE.gif]

Prints one line of JSON (mean, standard_error, min, max, episodes and where they come from) and one
in words. The policy is the SavedModel in DIR/policy, the environment the one that DIR/config.gin
evaluates in. Equal seeds give equal episodes, others than the run itself has seen. Bad input ends
with one line and status 2.
"""

from __future__ import annotations

import json
import os
import pathlib
import sys
from typing import TYPE_CHECKING, Any

from absl import flags

from pipelines.serving import saved_run
from pipelines.system import command_line
from pipelines.system.errors import UserError

if TYPE_CHECKING:
    from pipelines.acting.environment_loop import Episode

_FLAGS = flags.FlagValues()
_LOGDIR = flags.DEFINE_string("logdir", None, "Of the run.", flag_values=_FLAGS)
_POLICY = flags.DEFINE_enum(
    "policy", "best", ["best", "last"], "Which of its policies.", flag_values=_FLAGS
)
_EPISODES = flags.DEFINE_integer(
    "episodes", 10, "Episodes to play.", lower_bound=1, flag_values=_FLAGS
)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Of environments and policy.", lower_bound=0, flag_values=_FLAGS
)
_VIDEO = flags.DEFINE_string("video", None, "GIF of the first episode.", flag_values=_FLAGS)


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
    if _VIDEO.value is not None:
        _film(episodes, environment)


def _film(episodes: list[Episode], environment: str) -> None:
    """Writes the first episode's film; what was played has been told by then."""
    from pipelines.evaluation import video

    films = [episode.frames for episode in episodes if episode.frames is not None]
    if not films:
        raise UserError(f"--video: no frame of {environment} can be drawn here")
    video.write_gif(_VIDEO.value, films[0])


def _play(directory: pathlib.Path) -> tuple[list[Episode], str]:
    """Returns the episodes and the environment's name."""
    import numpy as np

    from agents.actor import Actor
    from pipelines.acting.environment_loop import EnvironmentLoop
    from pipelines.configuration import experiment
    from pipelines.launch import parts
    from pipelines.serving.export import SavedPolicy

    described = experiment.parse([os.path.join(_LOGDIR.value, "config.gin")])
    policy = SavedPolicy(directory)
    # Far from the small seeds that runs give their environments, one after the other.
    seeds = np.random.SeedSequence(_SEED.value).generate_state(2) & 0x3FFFFFFF
    count = min(_EPISODES.value, parts.MAX_EVALUATION_ENVIRONMENTS)
    environment = parts.make_environments(described, count, int(seeds[0]), evaluation=True)
    saved_run.check_observation(policy, environment.observation_spec(), environment.name)
    loop = EnvironmentLoop(environment, Actor(policy, count, int(seeds[1])))
    episodes = loop.run(_EPISODES.value, record=0 if _VIDEO.value is None else 1)
    return episodes, environment.name


def _statistics(episodes: list[Episode]) -> dict[str, Any]:
    from pipelines.logdir import summary

    returns = [episode.episode_return for episode in episodes]
    return {**summary.evaluation_result(returns), "min": min(returns), "max": max(returns)}


if __name__ == "__main__":
    sys.exit(main(sys.argv))
