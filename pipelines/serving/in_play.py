"""A saved policy as it plays: as it was saved, or, of a network, a search on the host over it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from agents.builder import Role
from pipelines.serving.export import SavedPolicy
from pipelines.system.errors import naming_misfits

if TYPE_CHECKING:
    from agents.policy import Policy
    from pipelines.configuration.experiment import Experiment


def load(
    directory: str | os.PathLike[str], described: Experiment, compiled: bool = False
) -> Policy:
    """The policy for whoever gives it positions, see `Policy.on_host`, if it needs any.

    Args:
      directory: of the SavedModel.
      described: the run that has saved it.
      compiled: see `SavedPolicy`.

    Raises:
      UserError: it cannot be read, or does not fit the run.
    """
    saved = SavedPolicy(directory, compiled)
    return (
        saved if saved.search_settings is None else _hosted(saved, described, Role(evaluation=True))
    )


def acting(
    saved: SavedPolicy,
    described: Experiment,
    make_role: Callable[[], Role],
    num_simulations: int | None = None,
) -> Policy:
    """The policy for the rows of a batch of environments.

    Args:
      saved: the policy.
      described: the run that has saved it.
      make_role: gives the role of who is judged in the batch; asked where that is needed.
      num_simulations: of a move; None: the policy's own.

    Raises:
      UserError: it does not fit the run, or does not search.
    """
    if saved.search_settings is None:
        saved.choose(**({} if num_simulations is None else {"num_simulations": num_simulations}))
        return saved
    return _hosted(saved, described, make_role(), num_simulations)


def _hosted(
    saved: SavedPolicy, described: Experiment, role: Role, num_simulations: int | None = None
) -> Policy:
    with naming_misfits():
        return described.builder.make_hosted(saved, role, num_simulations)
