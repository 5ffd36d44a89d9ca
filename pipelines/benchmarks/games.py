"""`bench.py games`: the rules of board games, on positions of random games.

`microseconds` is what a search asks of a position: a step, what is legal after it, and the planes.
It is CPU time of one core, without TensorFlow (`ops.games.host`); `graph_microseconds` is the time
that passes for the same as ops of a graph, on the device's threads. Rollouts are from the same
positions; those of a linear policy (`go_rollouts_per_second`) too.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from ops import games
from ops.games import go
from ops.games.host import HostRules
from pipelines.benchmarks import measured
from pipelines.benchmarks.measured import Result, Settings

GAMES = (
    ("tic_tac_toe", {}),
    ("connect_four", {}),
    ("othello", {"size": 6}),
    ("othello", {"size": 8}),
    ("go", {"size": 9}),
    ("go", {"size": 19}),
)
BATCH = 64
MIN_SECONDS = 0.1  # of one repeat


def positions(host: HostRules, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """States [count, S] in which games go on, and a legal action of each, of random games."""
    random = np.random.default_rng(seed)
    states, actions = [], []
    state = host.initial(count)
    legal = host.legal(state)
    while legal.any():
        action = (random.random(legal.shape) * legal).argmax(axis=1).astype(np.int32)
        going = legal.any(axis=1)
        states.append(state[going])
        actions.append(action[going])
        state, _, _, legal = host.step(state, action)
    all_states, all_actions = np.concatenate(states), np.concatenate(actions)
    chosen = random.choice(len(all_states), count)
    return all_states[chosen], all_actions[chosen]


def microseconds(call: Callable[[], object], clock: Callable[[], float], repeats: int) -> list:
    """Of each repeat, for one of BATCH positions; a repeat is as many calls as take a while."""
    call()
    found, times = [], 1
    while len(found) < repeats:
        start = clock()
        for _ in range(times):
            call()
        seconds = clock() - start
        if seconds < MIN_SECONDS:
            times *= 2
        else:
            found.append(1e6 * seconds / times / BATCH)
    return found


def measure(name: str, options: dict, backend: str, repeats: int) -> Result:
    """One game's figures."""
    rules = games.make(name, backend=backend, **options)
    host = HostRules(rules)
    state, action = positions(host, BATCH)

    @tf.function
    def ask(state, action):
        step = rules.step(state, action)
        return step, rules.observe(step.state)

    tensors = tf.constant(state), tf.constant(action)
    calls = {
        "step": lambda: host.step(state, action),
        "planes": lambda: host.observe(state),
        "rollout": lambda: host.rollout(state, 0),
    }
    if name == "go":
        weights = np.zeros(go.NUM_FEATURES, np.float32)
        calls |= {
            "go_planes": lambda: host.go_planes(state, 0),
            "go_planes_with_ladders": lambda: host.go_planes(state),
            "go_rollout": lambda: host.rollout(state, 0, weights),
        }
    host_times = {k: microseconds(call, time.thread_time, repeats) for k, call in calls.items()}
    whole = [sum(parts) for parts in zip(host_times["step"], host_times["planes"], strict=True)]
    in_graph = microseconds(lambda: ask(*tensors)[1].numpy(), time.perf_counter, repeats)
    return {
        **measured.spread("microseconds", whole),
        "step_microseconds": statistics.median(host_times["step"]),
        "planes_microseconds": statistics.median(host_times["planes"]),
        **measured.spread("graph_microseconds", in_graph),
        "rollouts_per_second": 1e6 / statistics.median(host_times["rollout"]),
        "state_bytes": rules.state_size,
        **({} if name != "go" else _of_go(host_times)),
    }


def _of_go(times: dict[str, list]) -> Result:
    """What AlphaGo asks of Go: planes, and rollouts by a linear policy whose weights are 0."""
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {
        "go_planes_microseconds": medians["go_planes"],
        "go_planes_with_ladders_microseconds": medians["go_planes_with_ladders"],
        "go_rollouts_per_second": 1e6 / medians["go_rollout"],
    }


def run(settings: Settings) -> Iterator[Result]:
    """Figures of each game; `backend` is that of the graph."""
    for name, options in GAMES:
        if settings.backend == "tensorflow" and name == "go":
            continue
        yield {
            "benchmark": "games",
            "game": name,
            "size": games.make(name, **options).options.height,
            "batch": BATCH,
            "backend": settings.backend,
            **measure(name, options, settings.backend, settings.repeats),
        }
