"""A saved policy as it plays: as it was saved, or, of a network, a search on the host over it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipelines.serving.export import SavedPolicy
from pipelines.system.errors import naming_misfits

if TYPE_CHECKING:
    from agents.policy import Policy
    from pipelines.configuration.experiment import Experiment
    from pipelines.environments import BatchedEnvironment


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
    return saved if saved.search_settings is None else _hosted(saved, described)


def acting_in(
    environment: BatchedEnvironment,
    saved: SavedPolicy,
    described: Experiment,
    num_simulations: int | None = None,
) -> Policy:
    """The policy for the rows of a batch of environments.

    Args:
      environment: the batch.
      saved: the policy.
      described: the run that has saved it.
      num_simulations: of a move; None: the policy's own.

    Raises:
      UserError: it does not fit the run, or does not search.
    """
    if saved.search_settings is None:
        saved.choose(**({} if num_simulations is None else {"num_simulations": num_simulations}))
        return saved
    from pipelines.launch.parts import make_role

    return _hosted(saved, described, make_role(environment, True).simulators, num_simulations)


def _hosted(
    saved: SavedPolicy,
    described: Experiment,
    simulators: Sequence[Any] = (),
    num_simulations: int | None = None,
) -> Policy:
    with naming_misfits():
        return described.builder.make_hosted(saved, simulators, num_simulations)
