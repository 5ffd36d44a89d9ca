"""`bench.py act`: a step of the policy that collects, for a batch of environments."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from agents.direct import direct
from agents.policy import Policy, SearchingPolicy
from pipelines.benchmarks import mcts, measured
from pipelines.benchmarks.measured import Result, Settings
from pipelines.launch.parts import make_role


def run(settings: Settings) -> Iterator[Result]:
    """Times `Policy.step`; planners say what they have done meanwhile."""
    who = measured.subject(settings.agent, settings.bindings, settings.batch)
    timesteps = who.environment.reset()
    networks, role = who.parts.networks(who.spec), make_role(who.environment)
    maker = who.stage if who.parts.stages else who.builder
    policy = maker.make_policy(networks, who.spec, role)
    state = policy.initial_state(settings.batch)
    observation = observed(policy, timesteps)
    called = direct(policy.step)  # As the actor does.
    step = lambda: called(observation, state, tf.constant([0, 0]))[0].numpy()  # noqa: E731
    seconds = measured.timed(step, settings.repeats)
    median = statistics.median(seconds)
    work = policy.work(settings.batch)
    yield {
        "benchmark": "act",
        "agent": who.builder.name,
        "batch": settings.batch,
        **measured.spread("milliseconds", [1e3 * s for s in seconds]),
        "actions_per_second": settings.batch / median,
        **work,
        **{f"{name}_per_second": count / median for name, count in work.items()},
        **_measured(policy, observation, state, settings.repeats),
    }


def _measured(policy: Policy, observation: Any, state: Any, repeats: int) -> Result:
    """What it says of its steps; of a tree search also where their time goes, without warm-up."""
    if not isinstance(policy, SearchingPolicy):
        return dict(policy.measurements())

    def seconds(calls: Sequence[Callable[[], Any]]) -> list[float]:
        return [median for median, _ in mcts.median_seconds(calls, repeats)]

    return dict(policy.speed(observation, state, seconds))


def observed(policy: Policy, timesteps: Sequence[Any]) -> Any:
    """What the environments show at their beginning [B, …]."""
    rows = [timestep.observation for timestep in timesteps]
    return tf.nest.map_structure(
        lambda leaf, *values: tf.constant(np.stack(values), leaf.dtype),
        policy.observation_spec,
        *rows,
    )
