"""`bench.py lower`: an agent's programs as an accelerator's compiler is given them, in HLO.

A program is traced with static shapes, and lowered by the part of XLA that knows TensorFlow's ops:
it refuses what no accelerator could run. Nothing is compiled, so nothing is said of what a device
would do with it; `tools/tpu_check.py` goes on from here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import tensorflow as tf

from agents.builder import Stage
from ops import loader
from pipelines.benchmarks import measured
from pipelines.benchmarks.measured import Result, Settings, Subject
from pipelines.launch.parts import make_role
from pipelines.system.errors import first_line

# Files whose programs `tools/tpu_check.py` looks at.
SMALL = (
    "planet_small",
    "muzero_cartpole_small",
    "muzero_connect4_small",
    "muzero_reanalyze_cartpole_small",
    "alphazero_tictactoe_small",
    "alphazero_connect4_small",
    "simple_small",
    "a2c_cartpole_small",
    "ppo_cartpole_small",
    "impala_cartpole_small",
    "dqn_cartpole_small",
    "r2d2_cartpole_small",
    "d4pg_cartpole_small",
    "reinforce_cartpole_small",
    "pets_small",
)
PAPER = (
    "planet",
    "muzero_atari",
    "muzero_reanalyze_atari",
    "muzero_board",
    "alphazero_go",
    "alphago_zero_go",
    "alphago_go",
    "simple_atari",
    "dqn_atari",
    "rainbow_atari",
    "r2d2_atari",
    "impala_atari",
    "d4pg",
    "d4pg_pixels",
    "ppo",
    "a2c",
    "pets",
)

_SEED = tf.TensorSpec([2], tf.int32)


class Program(NamedTuple):
    """What a device is to run.

    Attributes:
      name: `update`, `act` or `transform`, Reanalyze's search say.
      function: of tensors.
      arguments: their specs, a nest each, all dimensions known.
      why_not: it runs on the host instead; None: it does not.
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    why_not: str | None = None


class Lowered(NamedTuple):
    """A program in HLO.

    Attributes:
      traced_seconds, lowered_seconds: of the processor, all threads together: TensorFlow's part and
        XLA's.
      hlo: serialized HloModuleProto.
    """

    traced_seconds: float
    lowered_seconds: float
    hlo: bytes


def programs(who: Subject, batch: int) -> Iterator[Program]:
    """Those of an agent, stage by stage; `batch` environments act."""
    networks, stages = who.parts.networks(who.spec), who.parts.stages
    for stage in stages:
        of_stage = "" if len(stages) == 1 else f"{stage.name} "
        for program in _learning(who, stage, networks):
            yield program._replace(name=of_stage + program.name)
    maker = stages[-1] if stages else who.builder
    policy = maker.make_policy(networks, who.spec, make_role(who.environment))
    why_not = policy.native_alone or None
    if not isinstance(policy.step, tf.types.experimental.PolymorphicFunction):
        why_not = "its planner is on the host"
    if why_not is not None:
        yield Program("act", policy.step, why_not=why_not)
        return
    seen = tf.nest.map_structure(
        lambda spec: tf.TensorSpec([batch, *spec.shape], spec.dtype), policy.observation_spec
    )
    state = specs_of(policy.initial_state(batch))
    act = lambda *inputs: policy.step.python_function(*inputs)  # noqa: E731 (it keeps the policy)
    yield Program("act", act, (seen, state, _SEED))


def _learning(who: Subject, stage: Stage, networks: Any) -> Iterator[Program]:
    try:
        learner = stage.make_learner(networks, seed=0)
    except ValueError as error:  # Experts' games that are not there.
        yield Program("update", stage.make_learner, why_not=first_line(error))
        return
    transform = stage.make_transform(networks, seed=0)
    if learner.varying:
        yield Program("update", learner.update, why_not="its batches differ in size")
        return
    batch = measured.batch_specs(stage, who.spec, who.num_environments)
    yield Program("update", learner.update, (batch, _SEED))
    if transform is not None:
        yield Program("transform", transform, (batch, tf.TensorSpec([], tf.int64)))


def specs_of(values: Any) -> Any:
    """The specs of a nest of tensors."""
    return tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), values)


def lower(program: Program) -> Lowered:
    """Traces and lowers it.

    Raises:
      tf.errors.OpError, ValueError: XLA does not know an op, or a shape.
    """
    specs = tf.nest.flatten(program.arguments)  # Nests of them are not taken.

    @tf.function(autograph=False, jit_compile=True)
    def function(*flat: tf.Tensor) -> Any:
        return program.function(*tf.nest.pack_sequence_as(program.arguments, flat))

    with loader.compilable():
        start = time.process_time()
        function.get_concrete_function(*specs)
        traced = time.process_time()
        hlo = function.experimental_get_compiler_ir(*specs)(stage="hlo_serialized")
    return Lowered(traced - start, time.process_time() - traced, hlo)


def run(settings: Settings) -> Iterator[Result]:
    """Figures of each program of the agent."""
    who = measured.subject(settings.agent, settings.bindings, settings.batch)
    for program in programs(who, settings.batch):
        yield {"benchmark": "lower", "agent": settings.agent, **figures(program)[0]}


def figures(program: Program) -> tuple[Result, bytes | None]:
    """What is to be said of a program, and its HLO; None: there is none."""
    if program.why_not is not None:
        return {"program": program.name, "host": program.why_not}, None
    try:
        lowered = lower(program)
    except (tf.errors.OpError, ValueError) as error:
        if native := re.search(r"Lookahead\w+", str(error)):
            return {"program": program.name, "host": f"{native[0]} is a native op alone"}, None
        return {"program": program.name, "refused": first_line(error)}, None
    seconds = {"traced": lowered.traced_seconds, "lowered": lowered.lowered_seconds}
    return {"program": program.name, **seconds, "hlo_mb": len(lowered.hlo) / 1e6}, lowered.hlo
