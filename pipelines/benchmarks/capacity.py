"""`bench.py capacity`: a collector, a learner, their bytes, and how many go together.

What is measured may be smaller than the file, by bindings; what is said is of the file as it is,
in proportion: a learner's time to the items of its batch, a search's to its simulations.

Without a GPU seconds are the processor's, of all threads, so that rates are those of one core,
however many others share it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
import tree

from agents.policy import Policy, SearchingPolicy
from pipelines.acting.environment_loop import EnvironmentLoop
from pipelines.benchmarks import measured
from pipelines.benchmarks.measured import Result, Settings, Subject
from pipelines.launch.distributed.capacity import Machines, System, actors_fed, predict
from pipelines.launch.parts import make_role
from pipelines.replay.server import Replay
from pipelines.system.errors import UserError

_ROWS = 8
_ACTORS = (1, 10, 100)


def run(settings: Settings) -> Iterator[Result]:
    """Measures, then says what so many collectors come to."""
    whole = measured.subject(settings.agent, ())
    if not whole.parts.stages or not whole.stage.schedule.collects:
        raise UserError(f"{whole.builder.name} has no learner that collectors feed")
    networks = whole.parts.networks(whole.spec)
    acting = whole.stage.make_policy(networks, whole.spec, make_role(whole.environment))
    timed = measured.subject(settings.agent, settings.bindings, settings.batch)
    step = _seconds_of_a_step(timed, settings.batch, _work(acting, 1), settings.repeats)
    update, size = _update(timed, settings.repeats)
    share = _items(timed) / _items(whole)
    system = System(
        actor_steps=1 / step,
        updates=share / update,
        updates_per_step=_updates_per_step(whole),
        written_bytes=_step_bytes(whole),
        read_bytes=size / share,
        variable_bytes=sum(v.dtype.size * math.prod(v.shape) for v in acting.variables),
    )
    machines = Machines()
    fed, first = actors_fed(system, machines)
    about = {"benchmark": "capacity", "agent": whole.builder.name, "batch": settings.batch}
    yield {**about, **system._asdict(), "actors_fed": fed, "limit": first}
    for count in _ACTORS:
        yield {**about, "num_actors": count, **predict(system, machines, count)._asdict()}


def _work(policy: Policy, batch: int) -> float:
    """What the time of a row's action is in proportion to; 1: nothing that bindings change."""
    if isinstance(policy, SearchingPolicy):
        return policy.num_simulations
    return sum(policy.work(batch).values()) / batch or 1.0


def _seconds_of_a_step(who: Subject, batch: int, work: float, repeats: int) -> float:
    """Of one environment among so many: policy, environment, replay."""
    replay = Replay(who.parts.tables(who.spec))
    role = make_role(who.environment)
    networks = who.parts.networks(who.spec)
    _, actor = who.parts.actors(who.stage, networks, who.spec, role, replay.client)
    loop, found = EnvironmentLoop(who.environment), []
    rows = who.stage.schedule.rollout or _ROWS
    loop.rollout(actor, rows)
    for _ in range(repeats):
        before, steps = dict(loop.seconds), []
        seconds = _seconds(lambda steps=steps: steps.append(loop.rollout(actor, rows)[1]))
        spent = {part: total - before[part] for part, total in loop.seconds.items()}
        scaled = {**spent, "policy": spent["policy"] * work / _work(actor.policy, batch)}
        found.append(seconds * sum(scaled.values()) / sum(spent.values()) / steps[0])
    replay.close()
    return min(found)


def _items(who: Subject) -> int:
    """Of an update's batch; whole tables and queues count as one."""
    return who.stage.dataset_options.batch_size or 1


def _update(who: Subject, repeats: int) -> tuple[float, float]:
    """Seconds of an update, and the bytes of its batch."""
    learner = who.stage.make_learner(who.parts.networks(who.spec), seed=0)
    batch = measured.random_batch(who.stage, who.spec, who.num_environments)
    step = lambda: tree.map_structure(lambda x: x.numpy(), learner.step(batch).metrics)  # noqa: E731
    step()
    size = sum(leaf.dtype.size * math.prod(leaf.shape) for leaf in tree.flatten(batch))
    return min(_seconds(step) for _ in range(repeats)), float(size)


def _seconds(call: Callable[[], object]) -> float:
    clock = time.perf_counter if tf.config.list_physical_devices("GPU") else time.process_time
    start = clock()
    call()
    return clock() - start


def _step_bytes(who: Subject) -> float:
    """What the environment shows, and 16 bytes for action, reward, discount and beginning."""
    shown = tree.flatten(who.spec.observations)
    return float(sum(np.dtype(spec.dtype).itemsize * math.prod(spec.shape) for spec in shown)) + 16


def _updates_per_step(who: Subject) -> float:
    schedule = who.stage.schedule
    ratio = schedule.updates_per_step
    if schedule.updates_per_episode:
        ratio += schedule.updates_per_episode / _episode_length(who)
    rows = who.num_environments * (schedule.rollout or 0)
    if schedule.updates_per_round:
        ratio += schedule.updates_per_round / (rows or _episode_length(who))
    if schedule.rollouts_per_update is not None:
        ratio += 1 / (schedule.rollouts_per_update * schedule.rollout)
    return ratio


def _episode_length(who: Subject) -> int:
    """Of one episode of random actions."""
    environment, seed_policy = who.environment, who.stage.make_seed_policy(who.spec)
    timestep, length = environment.reset()[0], 0
    while not timestep.last():
        shown = tree.map_structure(lambda leaf: tf.constant(leaf)[None], timestep.observation)
        action, _, _ = seed_policy.step(shown, seed_policy.initial_state(1), [0, length])
        (timestep,), length = environment.step(action.numpy()), length + 1
    return length
