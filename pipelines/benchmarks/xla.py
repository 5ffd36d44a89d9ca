"""`bench.py xla`: an agent's update and decision by TensorFlow and by XLA, on this machine.

Both begin with equal variables and are given the same inputs and seeds. What comes of them is
compared, then their times, in turns.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from agents.builder import Stage
from agents.direct import direct
from agents.learner import Learner, Perhaps
from ops import loader
from pipelines.benchmarks import measured
from pipelines.benchmarks.act import observed
from pipelines.benchmarks.measured import Result, Settings, Subject
from pipelines.launch.parts import make_role

_SEED = 3


def run(settings: Settings) -> Iterator[Result]:
    """Each program of the agent; those that XLA does not compile are left out."""
    who = measured.subject(settings.agent, settings.bindings, settings.batch)
    for stage in who.parts.stages:
        learner = stage.make_learner(who.parts.networks(who.spec), _SEED)
        if not learner.varying:
            found = _updates(who, stage, learner, settings.repeats)
            yield {"benchmark": "xla", "agent": settings.agent, "stage": stage.name, **found}
    yield from (
        {"benchmark": "xla", "agent": settings.agent, **found} for found in _acts(who, settings)
    )


def _updates(who: Subject, stage: Stage, plain: Learner, repeats: int) -> Result:
    compiled = stage.make_learner(who.parts.networks(who.spec), _SEED)
    compiled.compile()
    batch = measured.random_batch(stage, who.spec, who.num_environments)
    learners = (plain, compiled)
    first = [_seconds(lambda each=each: _ran(each.step(batch))) for each in learners]
    apart = max(map(difference, plain.variables, compiled.variables))
    return {
        "program": "update",
        "variables_apart": apart,
        **_times(*(lambda each=each: _ran(each.step(batch)) for each in learners), repeats, first),
    }


def _acts(who: Subject, settings: Settings) -> Iterator[Result]:
    maker = who.stage if who.parts.stages else who.builder
    networks = who.parts.networks(who.spec)
    # That of evaluations: XLA draws Dirichlet's noise by another way from the same seed.
    role = make_role(who.environment, evaluation=True)
    for i, variable in enumerate(networks.trainable_variables):  # Heads of zeros would tie.
        noise = tf.random.stateless_normal(variable.shape, [_SEED, i])
        variable.assign_add(0.1 * tf.cast(noise, variable.dtype))
    with loader.compilable():  # Its planner's twin, on both sides.
        policy = maker.make_policy(networks, who.spec, role)
        step = policy.step
        compilable = isinstance(step, tf.types.experimental.PolymorphicFunction)
        if policy.native_alone or not compilable:
            return
        observation = observed(policy, who.environment.reset())
        state, seed = policy.initial_state(settings.batch), tf.constant([0, 0])
        calls = [
            direct(tf.function(step.python_function, autograph=False, jit_compile=how))
            for how in (False, True)
        ]
        said = [lambda call=call: call(observation, state, seed) for call in calls]
        first = [_seconds(lambda one=one: _ran(one())) for one in said]
        (action, *rest), (other, *others) = (one() for one in said)
        apart = map(difference, tf.nest.flatten(rest), tf.nest.flatten(others))
        yield {
            "program": "act",
            "batch": settings.batch,
            "action_apart": difference(action, other),
            "rest_apart": max(apart, default=0.0),
            **_times(*(lambda one=one: _ran(one()) for one in said), settings.repeats, first),
        }


def difference(ours: Any, theirs: Any) -> float:
    """The largest, against the largest number there is; against 1 where that is less."""
    ours, theirs = (np.asarray(value, np.float64) for value in (ours, theirs))
    if ours.size == 0:
        return 0.0
    return float(np.abs(ours - theirs).max() / max(1.0, np.abs(ours).max()))


def _times(
    plain: Callable[[], Any], compiled: Callable[[], Any], repeats: int, first: list[float]
) -> Result:
    """Medians of the processor's milliseconds, in turns; `first` are the first calls' seconds."""
    seconds = [[_seconds(call) for call in (plain, compiled)] for _ in range(repeats)]
    medians = [1e3 * statistics.median(column) for column in zip(*seconds, strict=True)]
    return {
        "plain_ms": medians[0],
        "xla_ms": medians[1],
        "xla_over_plain": medians[1] / medians[0],
        "plain_first_s": first[0],
        "xla_first_s": first[1],
    }


def _seconds(call: Callable[[], Any]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def _ran(values: Any) -> None:
    """Waits for what was asked for."""
    for value in tf.nest.flatten(values):
        if isinstance(value, Perhaps):
            value = value.values
        np.asarray(value)
