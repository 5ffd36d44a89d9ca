"""Measures the parts that must be fast; one result a line.

python pipelines/bench.py learn|imagine|act|export|cem|replay|mcts|games|serve|capacity|lower|xla
    [--agent=planet] [--batch=N] [--repeats=N] [--json]
    [--gin_bindings='PlaNetConfig.batch_size = 16' ...]
    [--shapes='B,A,N;...'] [--backend=auto|native|tensorflow|plain] [--clients=32]

learn   an update of the agent's learner, of each stage's, on a batch of its own shapes
imagine steps of the agent's learned world, for --batch rows
act     a step of the agent's policy, for --batch environments
export  a step of the SavedModels of the agent's policy: native, plain and compiled by XLA
cem     a plan in the latent space of --size, for --batch beliefs
replay  batches of real frames through table and dataset
mcts    tree searches of --shapes over a tabular model
games   rules of board games: a step, what is legal then and the planes
serve   a server of the agent's policy, asked by --clients over gRPC and REST
capacity  how many collectors, --batch environments each, a learner feeds on; bindings make what is
        timed smaller, not what is said
lower   the programs of the agent in HLO, as a TPU's compiler is given them
xla     update and decision of the agent, plain and compiled by XLA: how far apart, how long

Each figure is the median of several repeats after a warm-up, with the least and the greatest beside
it. `matmul_gflops` is the machine's own rate on a large float32 matrix product, measured right
after; compare ratios, not absolute times.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

from absl import flags

from pipelines.system import command_line
from pipelines.system.errors import UserError, first_line

_FLAGS = flags.FlagValues()
_AGENT = flags.DEFINE_string(
    "agent", "planet", "Agent or gin file: gin/<agent>.gin is measured.", flag_values=_FLAGS
)
_SIZE = flags.DEFINE_enum(
    "size", "planet", ["planet"], "Sizes that `cem` plans with.", flag_values=_FLAGS
)
_BACKEND = flags.DEFINE_enum(
    "backend",
    "auto",
    ["auto", "native", "tensorflow", "plain"],
    "Backend of `cem`, `mcts` and `games`; plain: of `mcts`, TensorFlow without XLA.",
    flag_values=_FLAGS,
)
_SHAPES = flags.DEFINE_string(
    "shapes", None, "Shapes of `mcts`: 'B,A,N;...'; its own by default.", flag_values=_FLAGS
)
_BATCH = flags.DEFINE_integer(
    "batch",
    1,
    "Environments of `act`, `export`, and of a collector of `capacity`; rows of `imagine`, beliefs "
    "of `cem`.",
    lower_bound=1,
    flag_values=_FLAGS,
)
_REPEATS = flags.DEFINE_integer(
    "repeats", 5, "Repeats behind a figure.", lower_bound=1, flag_values=_FLAGS
)
_CLIENTS = flags.DEFINE_integer(
    "clients", 32, "Clients of `serve`.", lower_bound=1, flag_values=_FLAGS
)
_JSON = flags.DEFINE_bool("json", False, "Prints one JSON object a line.", flag_values=_FLAGS)
_GIN_BINDINGS = flags.DEFINE_multi_string(
    "gin_bindings", [], "Bindings over the agent's file.", flag_values=_FLAGS
)

# Modules of pipelines/benchmarks: `run(settings)` yields results.
BENCHMARKS = (
    "learn",
    "imagine",
    "act",
    "export",
    "cem",
    "replay",
    "mcts",
    "games",
    "serve",
    "capacity",
    "lower",
    "xla",
)


def main(argv: list[str]) -> int:
    """Runs the benchmark that is named; returns the exit status, see `command_line`."""
    return command_line.run_program(argv, _FLAGS, __doc__, _measure, names=list(BENCHMARKS))


def _measure(benchmark: str) -> None:
    # TensorFlow's import takes seconds; --help and wrong flags are answered before it.
    import tensorflow as tf

    from pipelines.benchmarks.measured import Settings

    settings = Settings(
        agent=_AGENT.value,
        size=_SIZE.value,
        backend=_BACKEND.value,
        shapes=_SHAPES.value,
        batch=_BATCH.value,
        repeats=_REPEATS.value,
        bindings=_GIN_BINDINGS.value,
        clients=_CLIENTS.value,
    )
    module = importlib.import_module(f"pipelines.benchmarks.{benchmark}")
    try:
        for result in module.run(settings):
            print(json.dumps(_rounded(result)) if _JSON.value else _text(result), flush=True)
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        # What agents and ops refuse was asked for on the command line.
        raise UserError(first_line(error)) from error


def _rounded(result: dict[str, Any]) -> dict[str, Any]:
    return {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in result.items()}


def _text(result: dict[str, Any]) -> str:
    return "  ".join(f"{name} {value}" for name, value in _rounded(result).items())


if __name__ == "__main__":
    sys.exit(main(sys.argv))
