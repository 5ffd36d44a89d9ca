"""Trains what gin files describe; running again with the same --logdir resumes.

python pipelines/run.py --gin_file=gin/planet_small.gin [--gin_file=...]
    [--gin_bindings='control_suite.task = "cartpole_swingup"' ...] [--logdir=DIR] [--seed=N]
    [--launcher=ray --num_actors=N [--ray_address=auto]]

With --launcher=ray the parts are processes that Ray places and replaces: a learner with the replay,
N that collect in `Experiment.num_environments` environments each, and an evaluator.

Ctrl-C, SIGTERM or the terminal's end: the run saves, says how to resume, and ends with status 0. A
second Ctrl-C or SIGTERM, half a second later or more, ends it at once, and what came after the last
checkpoint is lost. Bad input ends with one line and status 2.
"""

from __future__ import annotations

import _thread
import ctypes
import datetime
import os
import pathlib
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from absl import flags

from pipelines.configuration import gin_files
from pipelines.system import command_line, output
from pipelines.system.errors import Interrupted, UserError
from pipelines.system.paths import PathParser
from pipelines.system.quiet import silence_reverb

if TYPE_CHECKING:
    from pipelines.configuration.experiment import Experiment
    from pipelines.launch.distributed.driver import DistributedRun
    from pipelines.launch.local import LocalRun

# Seconds in which a second stop is still the first one.
_ONE_STOP = 0.5

_FLAGS = flags.FlagValues()
_GIN_FILE = flags.DEFINE_multi(
    PathParser(),
    flags.ArgumentSerializer(),
    "gin_file",
    [],
    "File to read; later ones win. It is code: it may import and call any module.",
    flag_values=_FLAGS,
)
_GIN_BINDINGS = flags.DEFINE_multi_string(
    "gin_bindings",
    [],
    "Binding such as 'PlaNetConfig.batch_size = 16'; wins over every file.",
    flag_values=_FLAGS,
)
_LOGDIR = flags.DEFINE(
    PathParser(),
    "logdir",
    None,
    "Where everything goes; by default a fresh folder runs/NAME-DATE.",
    flag_values=_FLAGS,
)
# NumPy's and most simulators' own limit, so that a seed is good for every agent and elsewhere too.
_SEED = flags.DEFINE_integer(
    "seed",
    0,
    "Seed of all randomness.",
    lower_bound=0,
    upper_bound=2**32 - 1,
    flag_values=_FLAGS,
)
_LAUNCHER = flags.DEFINE_enum(
    "launcher",
    "local",
    ["local", "ray"],
    "local: one process, acting and learning in turns; ray: many, on one machine or a cluster.",
    flag_values=_FLAGS,
)
_NUM_ACTORS = flags.DEFINE_integer(
    "num_actors", None, "Of --launcher=ray: K; by default 2.", lower_bound=1, flag_values=_FLAGS
)
_RAY_ADDRESS = flags.DEFINE_string(
    "ray_address",
    None,
    "Of --launcher=ray: a cluster's, or auto; by default Ray is started here.",
    flag_values=_FLAGS,
)

_NOTHING = "stopped before training; nothing to save; start with: "


def main(argv: list[str]) -> int:
    """Runs the program; returns the exit status, see `command_line`."""
    stop = StopFlag(argv)
    return command_line.run_program(argv, _FLAGS, __doc__, lambda: _train(argv, stop))


def _train(argv: list[str], stop: StopFlag) -> None:
    # TensorFlow's import takes seconds; --help, wrong flags and missing files are answered before.
    gin_files.check(_GIN_FILE.value)
    _check_launcher()

    from pipelines.configuration import experiment
    from pipelines.logdir import log_directory

    stop.before_exit(log_directory.take_back)
    silence_reverb()
    described = experiment.parse(_GIN_FILE.value, _GIN_BINDINGS.value)
    logdir = _LOGDIR.value or _fresh_logdir(_GIN_FILE.value[-1])
    try:
        run = _made(described, logdir, stop)
    except Interrupted:
        print(f"{_NOTHING}{command_line.again(argv)}")
        return
    stop.save_first()
    print(f"log directory: {logdir}", flush=True)
    if run.finished:
        run.close()
        unit = "num_episodes" if described.num_steps is None else "num_steps"
        print(f"finished already; a larger Experiment.{unit} goes on from here")
    elif not run.run():
        resume = command_line.again(argv, *([] if _LOGDIR.value else [f"--logdir={logdir}"]))
        print(f"stopped and saved; resume with: {resume}")
    if (result := run.last_evaluation) is not None:
        print(f"evaluation: {result['mean']:.1f} over {result['episodes']} episodes")
    print(f"log directory: {logdir}", flush=True)


def _check_launcher() -> None:
    given = {"--num_actors": _NUM_ACTORS.value, "--ray_address": _RAY_ADDRESS.value}
    for name, value in given.items():
        if value is not None and _LAUNCHER.value != "ray":
            raise UserError(f"{name} is '{value}', but --launcher is 'local'; expected 'ray'")


def _made(described: Experiment, logdir: str, stop: StopFlag) -> LocalRun | DistributedRun:
    import gin

    if _LAUNCHER.value == "ray":
        from pipelines.launch.distributed.driver import DistributedRun

        stop.end_first("ending... (a second Ctrl-C ends at once)")
        return DistributedRun(
            described,
            logdir,
            _SEED.value,
            gin.config_str(),
            num_actors=_NUM_ACTORS.value or 2,
            ray_address=_RAY_ADDRESS.value,
            should_stop=stop,
        )
    from pipelines.launch.local import LocalRun

    return LocalRun(described, logdir, _SEED.value, gin.operative_config_str, stop)


class StopFlag:
    """True once Ctrl-C, SIGTERM or SIGHUP came; a second of the first two ends the program at once.

    What comes within half a second is still the first, see `_end_at_the_next`. Until `end_first`
    there is nothing to save, and the first one ends the program at once too. A closed terminal is
    no haste: the kernel and the shell send its SIGHUP one after the other.
    """

    def __init__(self, argv: list[str]) -> None:
        self._argv = argv
        self._raised = self._started = self._hurried = False
        self._undo: Callable[[], None] = lambda: None
        self._line = ""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._raise)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # As nohup has it.
            signal.signal(signal.SIGHUP, self._raise)

    def __call__(self) -> bool:
        """Whether the run is to stop."""
        return self._raised

    def before_exit(self, undo: Callable[[], None]) -> None:
        """What takes back all that was made until there is something to save."""
        self._undo = undo

    def end_first(self, line: str) -> None:
        """From now on who runs asks, and ends; `line` is said meanwhile."""
        self._started, self._line = True, line

    def save_first(self) -> None:
        """From now on the run asks, and saves before it ends."""
        self.end_first("saving... (a second Ctrl-C ends at once, without)")

    def _raise(self, number: int, frame: object) -> None:
        if not self._started:
            # An exception would pass through half-imported C++ modules.
            self._undo()
            output.say_at_once(_NOTHING + command_line.again(self._argv), 1)
            os._exit(0)
        if number != signal.SIGHUP and not self._hurried:
            self._hurried = True
            _thread.start_new_thread(_end_at_the_next, ())
        first, self._raised = not self._raised, True
        if first:
            output.say_at_once(self._line, 2)


def _end_at_the_next() -> None:
    """In a moment lets Ctrl-C and SIGTERM end the program, even inside a call into C++.

    Until then they say the same once more: `timeout` and make send each to the program and to all
    of its group. `signal.signal` is for the main thread alone, which may be inside such a call.
    """
    time.sleep(_ONE_STOP)
    for number in (signal.SIGINT, signal.SIGTERM):
        ctypes.CDLL(None).signal(int(number), None)  # None is SIG_DFL.


def _fresh_logdir(gin_file: str) -> str:
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return str(pathlib.Path("runs") / f"{pathlib.Path(gin_file).stem}-{now}")


if __name__ == "__main__":
    sys.exit(main(sys.argv))
