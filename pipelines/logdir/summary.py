"""summary.json: what a run was and what came of it, for people and for tables of results."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import math
import os
import pathlib
import platform
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.system import files

_PACKAGES = {
    "tensorflow": ("tensorflow-cpu", "tensorflow"),
    "reverb": ("dm-reverb",),
    "acme": ("dm-acme",),
    "sonnet": ("dm-sonnet",),
    "tensorflow_probability": ("tensorflow-probability",),
    "dm_control": ("dm-control",),
    "mujoco": ("mujoco",),
    "gymnasium": ("gymnasium",),
    "ale_py": ("ale-py",),
    "open_spiel": ("open-spiel",),
    "numpy": ("numpy",),
}


def evaluation_result(returns: Sequence[float]) -> dict[str, Any]:
    """Returns `mean`, `standard_error` of the mean (None for one episode) and `episodes`."""
    values = np.asarray(returns, np.float64)
    if not values.size:
        raise ValueError("an evaluation has at least one episode")
    several = values.size > 1
    error = values.std(ddof=1) / math.sqrt(values.size) if several else None
    return {"mean": values.mean(), "standard_error": error, "episodes": values.size}


def write_summary(
    logdir: str | os.PathLike[str],
    *,
    agent: str,
    environment: str,
    seed: int,
    counters: Mapping[str, float],
    evaluation: Mapping[str, Any] | None = None,
    best_evaluation: Mapping[str, Any] | None = None,
    **more: Any,
) -> pathlib.Path:
    """Writes `summary.json`, replacing an older one whole.

    Args:
      logdir: the run's directory.
      agent: its name.
      environment: its name, task included.
      seed: of the run.
      counters: `step`, `episodes`, `updates` and `wall_clock` (seconds over all starts).
      evaluation: the last one, as `evaluation_result` gives it; None when there was none.
      best_evaluation: the best one, likewise.
      **more: further entries, JSON-able.

    Raises:
      UserError: the disk is full or read-only.
    """
    content = {
        "agent": agent,
        "environment": environment,
        "seed": seed,
        "steps": counters["step"],
        "episodes": counters["episodes"],
        "updates": counters["updates"],
        "wall_clock_seconds": counters["wall_clock"],
        "evaluation": evaluation,
        "best_evaluation": best_evaluation,
        "versions": versions(),
        "git_revision": _running_revision(),
        **more,
    }
    path = pathlib.Path(logdir) / "summary.json"
    with files.writing(path):
        files.atomic_write(path, json.dumps(_plain(content), indent=2, allow_nan=False) + "\n")
    return path


def versions() -> dict[str, str | None]:
    """Returns the versions of Python and of the packages a result depends on; None where absent."""
    found = {name: _version(distributions) for name, distributions in _PACKAGES.items()}
    return {"python": platform.python_version(), **found}


@functools.cache
def _running_revision() -> str | None:
    """The commit as the process began: what is committed since runs in no part of it."""
    return git_revision()


def git_revision(directory: str | os.PathLike[str] | None = None) -> str | None:
    """Returns the commit of the running code, with `-dirty` when tracked files differ from it.

    Args:
      directory: where the code is; None: this file's. None is returned when it is not under
        version control (an installed package, no git).
    """
    here = pathlib.Path(directory) if directory else pathlib.Path(__file__).resolve().parent
    # An installed package may lie inside a foreign repository: ours is one that tracks the code.
    if not _git(here, "ls-files", "--", "."):
        return None
    revision = _git(here, "rev-parse", "HEAD")
    if not revision:
        return None
    changed = _git(here, "status", "--porcelain", "--untracked-files=no")
    return f"{revision}-dirty" if changed else revision


def _git(directory: pathlib.Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(directory), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(distributions: Sequence[str]) -> str | None:
    for distribution in distributions:
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _plain(value: Any) -> Any:
    """Returns `value` with Python numbers for NumPy's, and None where JSON has no number."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
