"""What the configurations of planners with `ops.cem` have in common."""

from __future__ import annotations

from typing import Annotated, Any

from agents.config import AtLeast, AtMost, expect
from ops.cem.latent_model import MAX_LAYERS
from ops.cem.optimize import MOST_CANDIDATES

Candidates = Annotated[int, AtLeast(1), AtMost(MOST_CANDIDATES)]


def check_elites(config: Any) -> None:
    """Checks that the elites are among the candidates, K ≤ J."""
    most = config.planning_candidates
    expect(
        config,
        "planning_elites",
        config.planning_elites <= most,
        f"at most planning_candidates, which is {most}",
    )


def check_networks(config: Any, layers: str) -> None:
    """Checks that the planner has the precision, and as many `layers` before an output."""
    expect(
        config,
        "planning_precision",
        config.planning_precision == "float32" or config.planning_backend != "tensorflow",
        "'float32' with planning_backend 'tensorflow'",
    )
    count = len(getattr(config, layers))
    expect(config, layers, count < MAX_LAYERS, f"at most {MAX_LAYERS - 1} layers")
