"""Lets a person play a game and a model's imagination of it, side by side in a terminal.

python pipelines/play.py --logdir=DIR [--world=best|last] [--seed=N] [--rate=N]

On the left the environment that DIR/config.gin evaluates in, on the right the SavedModel in
DIR/world (of agents that learn one, such as SimPLe), which begins as the game does and imagines
from then on. Both get the same actions: arrows, space and numbers; below the pictures stands which
is which. Each key is a step; with --rate so many steps a second pass, of action 0 where no key is
pressed.

    i   imagination goes on from what is real       n   another episode       q   the end

Bad input ends with one line and status 2.
"""

from __future__ import annotations

import pathlib
import sys

from absl import flags

from pipelines.system import command_line
from pipelines.system.errors import UserError
from pipelines.system.paths import PathParser

_FLAGS = flags.FlagValues()
_LOGDIR = flags.DEFINE(PathParser(), "logdir", None, "Of the run.", flag_values=_FLAGS)
_WORLD = flags.DEFINE_enum(
    "world", "best", ["best", "last"], "Which of its worlds.", flag_values=_FLAGS
)
_SEED = flags.DEFINE_integer("seed", 0, "Of both games.", lower_bound=0, flag_values=_FLAGS)
_RATE = flags.DEFINE_float(
    "rate", 0.0, "Steps a second; 0: one for each key.", lower_bound=0.0, flag_values=_FLAGS
)


def main(argv: list[str]) -> int:
    """Runs the program; returns the exit status, see `command_line`."""
    return command_line.run_program(argv, _FLAGS, __doc__, _play)


def _play() -> None:
    directory = _find_world()
    from pipelines.configuration import experiment
    from pipelines.launch import parts
    from pipelines.launch.seeds import Seeds
    from pipelines.playing.games import SideBySide, help_of, keys_of
    from pipelines.playing.terminal import Terminal
    from pipelines.serving import saved_run
    from pipelines.serving.world import SavedWorld

    terminal = Terminal()
    described = experiment.parse_saved(_LOGDIR.value)
    world, seeds = SavedWorld(directory), Seeds(_SEED.value)
    factory = parts.evaluation_factory(described)
    batch = parts.make_environments(factory, seeds, "played_again", range(1))
    saved_run.check_observation(world, batch.observation_spec(), batch.name)
    (environment,) = batch.environments
    keys = keys_of(environment)
    games = SideBySide(environment, world, seeds.of("played_again"))
    words = f"{batch.name}, real and imagined", f"{help_of(environment, keys)}  i, n, q"
    others = {"i": games.set_right, "n": games.begin}
    with terminal:
        while True:
            terminal.show(games.frames(), [games.said(), *words])
            key = terminal.key(1 / _RATE.value if _RATE.value > 0 else None)
            if key in ("q", "escape"):
                return
            if key in others:
                others[key]()
            elif key is None or key in keys:
                games.step(keys.get(key, 0))


def _find_world() -> pathlib.Path:
    if not _LOGDIR.value:
        raise UserError("--logdir is missing; expected the log directory of a run")
    run = pathlib.Path(_LOGDIR.value)
    if not (run / "config.gin").is_file():
        raise UserError(f"no run in '{run}': it has no config.gin")
    directory = run / "world" / _WORLD.value
    if not directory.is_dir():
        there = [name for name in ("best", "last") if (run / "world" / name).is_dir()]
        hint = f"--world={there[0]} is there" if there else "agents that learn one save it"
        raise UserError(f"no world in '{directory}'; {hint}")
    return directory


if __name__ == "__main__":
    sys.exit(main(sys.argv))
