"""Trains several seeds of experiments side by side, and ends with one table of what they reached.

python pipelines/sweep.py --experiment=gin/muzero_cartpole_small.gin [--experiment=...]
    [--seeds=0,1,2] [--gin_bindings='MuZeroConfig.num_simulations = 50' ...] [--logdir=runs/sweep]
    [--jobs=N]

Each run has its directory LOGDIR/NAME-SEED, its output in LOGDIR/NAME-SEED.log, and a share of
the cores. Running again with the same --logdir resumes what is not finished. Ctrl-C or SIGTERM: all
runs save; a second one ends them at once. The table: mean of the last evaluations with its 95 %
bootstrap interval over seeds, and how many seeds came to the experiment's goal (`Experiment.goal`)
and were there at the end. Bad input ends with one line and status 2, as does a run that fails.
"""

from __future__ import annotations

import os
import pathlib
import signal
import sys

from absl import flags

from pipelines.configuration import gin_files
from pipelines.launch.side_by_side import Ended, Job, SideBySide
from pipelines.system import command_line
from pipelines.system.errors import UserError
from pipelines.system.paths import PathParser

_FLAGS = flags.FlagValues()
_EXPERIMENT = flags.DEFINE_multi(
    PathParser(),
    flags.ArgumentSerializer(),
    "experiment",
    [],
    "Gin file of an experiment; each is one of its own. It is code: it may call any module.",
    flag_values=_FLAGS,
)
_GIN_BINDINGS = flags.DEFINE_multi_string(
    "gin_bindings", [], "Binding for all runs; wins over the files.", flag_values=_FLAGS
)
_SEEDS = flags.DEFINE_string(
    "seeds", "0,1,2", "Seeds of each experiment, as in 0,1,2.", flag_values=_FLAGS
)
_LOGDIR = flags.DEFINE(
    PathParser(), "logdir", "runs/sweep", "Folder of all runs.", flag_values=_FLAGS
)
_JOBS = flags.DEFINE_integer(
    "jobs", None, "Runs at a time; by default one a core.", lower_bound=1, flag_values=_FLAGS
)


def main(argv: list[str]) -> int:
    """Runs the program; returns the exit status, see `command_line`."""
    return command_line.run_program(argv, _FLAGS, __doc__, lambda: _sweep(argv))


def _sweep(argv: list[str]) -> None:
    jobs = _jobs(pathlib.Path(_LOGDIR.value))
    jobs[0].output.parent.mkdir(parents=True, exist_ok=True)
    all_runs = SideBySide(jobs, min(len(jobs), _JOBS.value or len(os.sched_getaffinity(0))))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # As nohup has it.
            signal.signal(number, lambda *_: all_runs.stop())
    failed: list[Ended] = []
    done = 0

    def ended(how: Ended) -> None:
        nonlocal done
        done += how.status == 0
        failed.extend([how] if how.status else [])
        print(f"{how.job.name}: {how.complaint or 'ended'}; {done} of {len(jobs)}", flush=True)

    finished = all_runs.run(
        lambda job: print(f"{job.name}: began, {job.output}", flush=True), ended
    )
    _print_table(jobs)
    if failed:
        names = ", ".join(how.job.name for how in failed)
        raise UserError(f"{len(failed)} of {len(jobs)} runs failed ({names}); see their .log files")
    if not finished:
        print(f"stopped and saved; resume with: {command_line.again(argv)}")


def _jobs(logdir: pathlib.Path) -> list[Job]:
    """One for each experiment and seed, by seed first: an early stop leaves all of them some."""
    gin_files.check(_EXPERIMENT.value, "--experiment")
    bindings = [f"--gin_bindings={binding}" for binding in _GIN_BINDINGS.value]
    found = {}
    for seed in _seeds():
        for path in _EXPERIMENT.value:
            name = f"{pathlib.Path(path).stem}-{seed}"
            if name in found:
                raise UserError(
                    f"two runs would be called '{name}'; expected each to be named once"
                )
            arguments = [f"--gin_file={path}", *bindings, f"--seed={seed}"]
            arguments.append(f"--logdir={logdir / name}")
            found[name] = Job(name, arguments, logdir / f"{name}.log")
    return list(found.values())


def _seeds() -> list[int]:
    words = _SEEDS.value.replace(",", " ").split()
    if not words or not all(word.isdecimal() and word.isascii() for word in words):
        raise UserError(f"--seeds is '{_SEEDS.value}'; expected whole numbers, as in 0,1,2")
    return [int(word) for word in words]


def _print_table(jobs: list[Job]) -> None:
    from pipelines.reports import data, groups, tables

    directories = [job.output.with_suffix("") for job in jobs]
    began = [path for path in directories if (path / "summary.json").is_file()]
    if began:
        print(tables.as_text(*tables.goals(groups.group_runs(data.find_runs(began)))), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
