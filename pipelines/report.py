"""Learning curves, a table of results and one page, from the log directories of runs.

python pipelines/report.py --logdir=DIR [--logdir=DIR ...] [--output=report]
    [--metric=evaluation/return] [--axis=step|episodes|updates|wall_clock] [--log_axis]
    [--reach=RETURN] [--keep=FOLDER]

A DIR is a run's log directory, what `results/` keeps of one, or a folder with several below it.
Runs that differ in their seeds alone are one method: a curve is their mean, its band the mean's
95 % bootstrap interval; the same seed again is the same run, and counted once. Writes
OUTPUT/report.html, which needs no other file, OUTPUT/table.png and a picture for each environment.
What others have published stands apart, in grey. With --reach=800, says how many episodes each
method needed until an evaluation was there, and by which factor they differ; --log_axis draws the
pictures' axis by factors too. With --keep, writes instead what is worth keeping
of each run, small, to FOLDER/SEED. Bad input ends with one line and status 2.
"""

from __future__ import annotations

import pathlib
import sys
from typing import TYPE_CHECKING

from absl import flags

from pipelines.system import command_line
from pipelines.system.errors import UserError
from pipelines.system.paths import PathParser

if TYPE_CHECKING:
    from pipelines.reports.data import Run
    from pipelines.reports.groups import Group

_FLAGS = flags.FlagValues()
_LOGDIR = flags.DEFINE_multi(
    PathParser(),
    flags.ArgumentSerializer(),
    "logdir",
    [],
    "Of a run, or a folder of runs.",
    flag_values=_FLAGS,
)
_OUTPUT = flags.DEFINE(PathParser(), "output", "report", "Folder to write to.", flag_values=_FLAGS)
_METRIC = flags.DEFINE_string(
    "metric", "evaluation/return", "Column of metrics.csv to draw.", flag_values=_FLAGS
)
_AXIS = flags.DEFINE_enum(
    "axis",
    "step",
    ["step", "episodes", "updates", "wall_clock"],
    "What curves are drawn over.",
    flag_values=_FLAGS,
)
_LOG_AXIS = flags.DEFINE_bool(
    "log_axis", False, "Draw the pictures' axis logarithmically.", flag_values=_FLAGS
)
_REACH = flags.DEFINE_float(
    "reach", None, "Return whose episodes are counted until it is reached.", flag_values=_FLAGS
)
_KEEP = flags.DEFINE(
    PathParser(), "keep", None, "Folder of a claim, to keep the runs in.", flag_values=_FLAGS
)


def main(argv: list[str]) -> int:
    """Runs the program; returns the exit status, see `command_line`."""
    return command_line.run_program(argv, _FLAGS, __doc__, _report)


def _report() -> None:
    from pipelines.reports import data, groups, keep

    if not _LOGDIR.value:
        raise UserError("--logdir is missing; expected the log directory of a run")
    found = data.find_runs(_LOGDIR.value)
    if _KEEP.value is not None:
        keep.keep(found, _KEEP.value)
        print(f"{len(found)} runs kept in {_KEEP.value}")
        return
    data.check_metric(found, _METRIC.value)
    runs, copies = groups.without_copies(found)
    methods = groups.group_runs(runs)
    _write(methods, copies)
    for kept, left_out in copies:
        print(f"{left_out.path} is {kept.path} again (seed {kept.seed}): counted once")
    print(f"{len(runs)} runs of {len(methods)} methods: {_OUTPUT.value}/report.html")


def _write(methods: list[Group], copies: list[tuple[Run, Run]]) -> None:
    from pipelines.reports import figures, page
    from pipelines.system import files

    output = pathlib.Path(_OUTPUT.value)
    contents = {
        "table.png": figures.draw_table(methods),
        "report.html": page.page(methods, copies, _METRIC.value, _AXIS.value, output, _REACH.value),
    }
    for environment in sorted({method.environment for method in methods}):
        picture = figures.draw_curves(
            methods, environment, _METRIC.value, _AXIS.value, _LOG_AXIS.value, _REACH.value
        )
        if picture is not None:
            contents[f"curves-{environment.replace('/', '-')}.png"] = picture
    with files.writing(output):
        output.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            files.atomic_write(output / name, content)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
