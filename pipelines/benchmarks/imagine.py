"""`bench.py imagine`: steps of an agent's learned world, wholly in one graph."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from agents.learner import products_of
from agents.world import World
from pipelines.benchmarks import measured
from pipelines.benchmarks.measured import Result, Settings
from pipelines.system.errors import UserError

# Steps of a rollout.
_LENGTH = 10


def run(settings: Settings) -> Iterator[Result]:
    """Times rollouts of `--batch` rows whose actions are all 0, and counts their products."""
    who = measured.subject(settings.agent, settings.bindings)
    world = who.builder.make_world(who.parts.networks(who.spec))
    if world is None:
        raise UserError(f"{who.builder.name} learns no world to step in; simple does")
    start = tf.zeros([settings.batch, *world.observation_spec.shape], world.observation_spec.dtype)
    state = world.reset(start)
    roll = tf.function(lambda state: _rolled(world, state, settings.batch), autograph=False)
    seconds = measured.timed(lambda: roll(state).numpy(), settings.repeats)
    median, steps = statistics.median(seconds), settings.batch * _LENGTH
    gigaflop = _flop(world, state, settings.batch) * _LENGTH / 1e9
    yield {
        "benchmark": "imagine",
        "agent": who.builder.name,
        "batch": settings.batch,
        "length": _LENGTH,
        **measured.spread("milliseconds", [1e3 * s for s in seconds]),
        "imagined_steps_per_second": steps / median,
        "gigaflop": gigaflop,
        "gflops": gigaflop / median,
        "convolution_gflops": measured.convolution_gflops(settings.repeats),
        "matmul_gflops": measured.matmul_gflops(settings.repeats),
        "peak_memory_gib": measured.peak_memory_gib(),
    }


def _rolled(world: World, state: Any, batch: int) -> tf.Tensor:
    """The sum of all rewards of a rollout."""
    action = tf.zeros([batch], world.action_spec.dtype)

    def body(t: tf.Tensor, total: tf.Tensor, state: Any) -> tuple[tf.Tensor, tf.Tensor, Any]:
        answer = world.step(state, action, tf.stack([tf.constant(0), t]))
        return t + 1, total + tf.reduce_sum(answer.reward), answer.state

    start = (tf.constant(0), tf.constant(0.0), state)
    return tf.while_loop(lambda t, *_: t < _LENGTH, body, start, parallel_iterations=1)[1]


def _flop(world: World, state: Any, batch: int) -> int:
    """Floating-point operations of a step's products."""
    action = tf.zeros([batch], world.action_spec.dtype)
    step = tf.function(lambda state: tuple(world.step(state, action, [0, 0])), autograph=False)
    return products_of(step.get_concrete_function(state))
