"""`bench.py act`: a step of the policy that collects, for a batch of environments."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from agents.policy import Policy, SearchingPolicy
from pipelines.benchmarks import mcts, measured
from pipelines.benchmarks.measured import Result, Settings
from pipelines.launch.parts import make_role


def run(settings: Settings) -> Iterator[Result]:
    """Times `Policy.step`; planners say what they have done meanwhile."""
    who = measured.subject(settings.agent, settings.bindings, settings.batch)
    who.environment.reset()
    networks, role = who.parts.networks(who.spec), make_role(who.environment)
    maker = who.stage if who.parts.stages else who.builder
    policy = maker.make_policy(networks, who.spec, role)
    state = policy.initial_state(settings.batch)
    observation = measured.shown(policy.observation_spec, settings.batch)
    step = lambda: policy.step(observation, state, tf.constant([0, 0]))[0].numpy()  # noqa: E731
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
        **policy.measurements(),
        **_tree(policy, step, observation, state, settings),
    }


def _tree(
    policy: Policy, step: Callable[[], Any], observation: Any, state: Any, settings: Settings
) -> Result:
    """Of policies that search a tree: simulations a second, and where a step's time goes.

    `tree_share` is spent in the tree's own ops, the executor's work on them included; `move_share`
    once a move on noise and the action's choice; the rest in the network.
    """
    if not isinstance(policy, SearchingPolicy):
        return {}

    @tf.function(autograph=False)
    def search_alone() -> tf.Tensor:
        return policy.bare_search(observation, state)

    @tf.function(autograph=False)
    def model_alone() -> tf.Tensor:
        return mcts.without_tree(*policy.searched(observation, state), policy.num_simulations)

    calls = (step, lambda: search_alone().numpy(), lambda: model_alone().numpy())
    times = mcts.median_seconds(calls, settings.repeats)
    whole, searching, network = (seconds for seconds, _ in times)
    return {
        "simulations_per_second": settings.batch * policy.num_simulations / whole,
        "tree_share": max(0.0, searching - network) / whole,
        "move_share": max(0.0, whole - searching) / whole,
    }
