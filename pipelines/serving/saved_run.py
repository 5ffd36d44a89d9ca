"""What a run has left in its log directory, found and checked for the programs that use it."""

from __future__ import annotations

import pathlib
from typing import Any

from pipelines.system.errors import UserError


def find_policy(logdir: str | None, which: str) -> pathlib.Path:
    """Returns the directory of a run's SavedModel.

    Args:
      logdir: what --logdir says.
      which: 'best' or 'last'.

    Raises:
      UserError: there is no run, or no such policy.
    """
    if not logdir:
        raise UserError("--logdir is missing; expected the log directory of a run")
    run = pathlib.Path(logdir)
    if not (run / "config.gin").is_file():
        raise UserError(f"no run in '{run}': it has no config.gin")
    directory = run / "policy" / which
    if not directory.is_dir():
        there = [name for name in ("best", "last") if (run / "policy" / name).is_dir()]
        hint = f"--policy={there[0]} is there" if there else "the run has not saved any yet"
        raise UserError(f"no policy in '{directory}'; {hint}")
    return directory


def check_observation(policy: Any, spec: Any, name: str) -> None:
    """Raises UserError unless `policy` takes the observations, a nest, of environment `name`."""
    wanted, found = _shapes(policy.observation_spec), _shapes(spec)
    if wanted != found:
        raise UserError(f"the policy takes observations of shape {wanted}; {name} has {found}")


def _shapes(nest: Any) -> str:
    import tree

    leaves = tree.flatten_with_path(nest)
    return ", ".join(" ".join(map(str, [*path, tuple(leaf.shape)])) for path, leaf in leaves)
