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
import pathlib
import sys
from typing import TYPE_CHECKING, Any

from absl import flags

from pipelines import command_line
from pipelines.errors import UserError

if TYPE_CHECKING:
    from pipelines.environment_loop import Episode

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
    logdir, directory = _find_policy()
    if _VIDEO.value is not None and not _VIDEO.value.endswith(".gif"):
        raise UserError(f"--video is '{_VIDEO.value}'; expected a file name that ends in .gif")
    episodes, environment = _play(logdir, directory)
    result = {**_statistics(episodes), "environment": environment, "policy": str(directory)}
    print(json.dumps({**result, "seed": _SEED.value}))
    error = result["standard_error"]
    print(
        f"{environment}: mean return {result['mean']:.1f}"
        + ("" if error is None else f" ± {error:.1f} (standard error)")
        + f" over {result['episodes']} episodes, {result['min']:.1f} to {result['max']:.1f}"
    )


def _find_policy() -> tuple[pathlib.Path, pathlib.Path]:
    """Returns the run's directory and its policy's."""
    if not _LOGDIR.value:
        raise UserError("--logdir is missing; expected the log directory of a run")
    logdir = pathlib.Path(_LOGDIR.value)
    if not (logdir / "config.gin").is_file():
        raise UserError(f"no run in '{logdir}': it has no config.gin")
    directory = logdir / "policy" / _POLICY.value
    if not directory.is_dir():
        there = [name for name in ("best", "last") if (logdir / "policy" / name).is_dir()]
        hint = f"--policy={there[0]} is there" if there else "the run has not saved any yet"
        raise UserError(f"no policy in '{directory}'; {hint}")
    return logdir, directory


def _play(logdir: pathlib.Path, directory: pathlib.Path) -> tuple[list[Episode], str]:
    """Returns the episodes and the environment's name."""
    import numpy as np

    from agents.actor import Actor
    from pipelines import experiment, parts, video
    from pipelines.environment_loop import EnvironmentLoop
    from pipelines.export import SavedPolicy

    described = experiment.parse([str(logdir / "config.gin")])
    policy = SavedPolicy(directory)
    # Far from the small seeds that runs give their environments, one after the other.
    seeds = np.random.SeedSequence(_SEED.value).generate_state(2) & 0x3FFFFFFF
    count = min(_EPISODES.value, parts.MAX_EVALUATION_ENVIRONMENTS)
    environment = parts.make_environments(described, count, int(seeds[0]), evaluation=True)
    _check_observation(policy, environment.observation_spec(), environment.name)
    loop = EnvironmentLoop(environment, Actor(policy, count, int(seeds[1])))
    episodes = loop.run(_EPISODES.value, record=0 if _VIDEO.value is None else 1)
    if _VIDEO.value is not None:
        films = [episode.frames for episode in episodes if episode.frames is not None]
        if not films:
            raise UserError(f"--video: no frame of {environment.name} can be drawn here")
        video.write_gif(_VIDEO.value, films[0])
    return episodes, environment.name


def _check_observation(policy: Any, spec: Any, name: str) -> None:
    wanted, found = _shapes(policy.observation_spec), _shapes(spec)
    if wanted != found:
        raise UserError(f"the policy takes observations of shape {wanted}; {name} has {found}")


def _shapes(nest: Any) -> str:
    import tree

    leaves = tree.flatten_with_path(nest)
    return ", ".join(" ".join(map(str, [*path, tuple(leaf.shape)])) for path, leaf in leaves)


def _statistics(episodes: list[Episode]) -> dict[str, Any]:
    from pipelines import summary

    returns = [episode.episode_return for episode in episodes]
    return {**summary.evaluation_result(returns), "min": min(returns), "max": max(returns)}


if __name__ == "__main__":
    sys.exit(main(sys.argv))
