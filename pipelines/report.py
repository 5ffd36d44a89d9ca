"""Learning curves, a table of results and one page, from the log directories of runs.

python pipelines/report.py --logdir=DIR [--logdir=DIR ...] [--output=report]
    [--metric=evaluation/return] [--axis=step|episodes|updates|wall_clock]

A DIR is a run's log directory, or a folder with several below it. Runs that differ in their seeds
alone are one method: a curve is their mean, its band the mean's 95 % confidence interval. Writes
OUTPUT/report.html, which needs no other file, OUTPUT/table.png and a picture for each environment.
What others have published stands apart, in grey. Bad input ends with one line and status 2.
"""

from __future__ import annotations

import pathlib
import sys

from absl import flags

from pipelines.system import command_line
from pipelines.system.errors import UserError

_FLAGS = flags.FlagValues()
_LOGDIR = flags.DEFINE_multi_string(
    "logdir", [], "Of a run, or a folder of runs.", flag_values=_FLAGS
)
_OUTPUT = flags.DEFINE_string("output", "report", "Folder to write to.", flag_values=_FLAGS)
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


def main(argv: list[str]) -> int:
    """Runs the program; returns the exit status, see `command_line`."""
    return command_line.run_program(argv, _FLAGS, __doc__, _report)


def _report() -> None:
    from pipelines.reports import data as report_data
    from pipelines.reports import page as report_page

    if not _LOGDIR.value:
        raise UserError("--logdir is missing; expected the log directory of a run")
    runs = report_data.find_runs(_LOGDIR.value)
    report_data.check_metric(runs, _METRIC.value)
    groups = report_data.group_runs(runs)
    curves = {}
    for environment in sorted({group.environment for group in groups}):
        picture = report_page.draw_curves(groups, environment, _METRIC.value, _AXIS.value)
        if picture is not None:
            curves[environment] = picture
    columns, rows = report_page.table_rows(groups)
    contents = {report_page.file_name(name): picture for name, picture in curves.items()}
    contents["table.png"] = report_page.draw_table(columns, rows)
    contents["report.html"] = report_page.page(groups, curves, columns, rows)
    output = pathlib.Path(_OUTPUT.value)
    report_page.write(output, contents)
    print(f"{len(runs)} runs of {len(groups)} methods: {output / 'report.html'}")


if __name__ == "__main__":
    sys.exit(main(sys.argv))
