"""Every agent's update on several replicas is the one on the whole batch, by which it is defined.

Logical devices must be made before TensorFlow starts: one process does all cases for both, and
each test reads what it has found. What is dear, and a second case of an agent, is compared by hand:

    python -m tests.agents.replicas_test muzero_batch_normalised:2 muzero:4
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from agents import replicas
from agents.learner import Learner
from tests.agents.muzero import tiny as muzero
from tests.agents.updates import BATCH, CASES, Case, muzero_case

ROOT = Path(__file__).resolve().parents[2]
UPDATES = 2
BY_HAND = (
    "muzero_batch_normalised",
    "muzero_averaged",
    "muzero_compiled",
    "ppo_penalty",
    "dqn_distributional",
)
CHOSEN = [*(f"{name}:2" for name in CASES if name not in BY_HAND), "ppo:4"]


def learned(case: Case) -> tuple[Learner, list[dict[str, np.ndarray]], list[Any]]:
    """A learner behind some updates, with their metrics and priorities."""
    builder, networks, batch = case
    learner = builder.make_learner(networks, seed=3)
    updates = [learner.step(batch) for _ in range(UPDATES)]
    metrics = [{k: v.numpy() for k, v in update.metrics.items()} for update in updates]
    return learner, metrics, [update.priorities for update in updates]


def compare(name: str, devices: list[str]) -> str:
    """What differs between one device and several; nothing is well."""
    alone, metrics, priorities = learned(CASES[name]())
    strategy = tf.distribute.MirroredStrategy(devices, tf.distribute.ReductionToOneDevice())
    with strategy.scope():
        case = CASES[name]()
        shared, shared_metrics, shared_priorities = learned(case)
    assert shared.indivisible is None
    try:
        for mine, theirs in zip(shared.variables, alone.variables, strict=True):
            for value in strategy.experimental_local_results(mine):
                np.testing.assert_allclose(value, theirs, rtol=1e-5, atol=1e-5, err_msg=theirs.name)
        for mine, theirs in zip(shared_metrics, metrics, strict=True):
            assert mine.keys() == theirs.keys()
            for key, value in theirs.items():
                np.testing.assert_allclose(mine[key], value, rtol=1e-4, atol=1e-5, err_msg=key)
        for mine, theirs in zip(shared_priorities, priorities, strict=True):
            if theirs is not None:
                np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)
    except AssertionError as difference:
        return str(difference)
    return ""


def compare_fed(devices: list[str]) -> str:
    """As `compare`, where each replica's part was on its device before the update; several in one.

    The case has priorities, whose keys are to come back whole.
    """
    builder, networks, batch = CASES["d4pg"]()
    alone = builder.make_learner(networks, seed=3)
    batches = [batch._replace(key=batch.key + i) for i in range(4)]
    strategy = tf.distribute.MirroredStrategy(devices, tf.distribute.ReductionToOneDevice())
    with strategy.scope():
        builder, networks, _ = CASES["d4pg"]()
        shared = builder.make_learner(networks, seed=3)
    dataset = tf.data.Dataset.from_tensor_slices(
        tf.nest.map_structure(lambda *leaves: tf.stack(leaves), *batches)
    )
    fed = iter(shared.feed(dataset))
    first, *others = (next(fed) for _ in batches)
    try:
        for part, device in zip(
            strategy.experimental_local_results(first.key), devices, strict=True
        ):
            assert part.device.endswith(device) and part.shape == [BATCH // len(devices)]
        for each, given in zip([first, *others], batches, strict=True):
            np.testing.assert_array_equal(shared.whole(each.key), given.key)
        made = [shared.step(first).priorities, shared.steps(others).priorities]
        expected = [alone.step(given).priorities for given in batches]
        np.testing.assert_allclose(np.concatenate(made), np.concatenate(expected), rtol=1e-4)
        for mine, theirs in zip(shared.variables, alone.variables, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5, err_msg=theirs.name)
    except AssertionError as difference:
        return str(difference)
    return ""


def refusal_of_xla(devices: list[str]) -> str:
    """What is said where XLA is to compile the gradients of batch-normalised replicas."""
    strategy = tf.distribute.MirroredStrategy(devices, tf.distribute.ReductionToOneDevice())
    with strategy.scope(), pytest.raises(ValueError) as refused:
        options = {"normalisation": "batch", "jit_compile": True}
        builder, networks, _ = muzero_case(muzero.VECTORS, **options)
        builder.make_learner(networks, seed=3)
    return str(refused.value)


def main() -> None:
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 4)
    for case in sys.argv[1:] or CHOSEN:
        name, _, count = case.partition(":")
        found = compare(name, [f"CPU:{i}" for i in range(int(count))])
        print(json.dumps([case, found]), flush=True)
    if not sys.argv[1:]:
        print(json.dumps(["fed", compare_fed(["CPU:0", "CPU:1"])]), flush=True)
        print(json.dumps(["xla", refusal_of_xla(["CPU:0", "CPU:1"])]), flush=True)


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, str]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.agents.replicas_test"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    yield dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.mark.parametrize("case", CHOSEN)
def test_an_update_on_replicas_is_that_of_the_whole_batch(found: dict[str, str], case: str):
    assert found[case] == ""


def test_batches_come_to_their_replicas_before_they_are_asked_for(found: dict[str, str]):
    assert found["fed"] == ""


def test_replicas_that_meet_in_batch_normalisation_are_not_compiled(found: dict[str, str]):
    assert found["xla"].startswith("MuZeroConfig.jit_compile is True, but replicas of 'mirrored'")


def test_elsewhere_everything_is_whole():
    values = tf.constant([1.0, 2.0, 3.0])
    for function in (replicas.total, replicas.mean, replicas.share, replicas.gathered):
        assert function(values) is values
    assert replicas.count() == 1
    np.testing.assert_array_equal(replicas.drawn(tf.ones, [2, 3]), np.ones([2, 3]))


def test_a_batch_that_does_not_divide_is_refused():
    builder, networks, batch = CASES["dqn"]()
    learner = builder.make_learner(networks, seed=0)
    with pytest.raises(replicas.Misfit, match="8 items do not divide among 3 replicas; expected"):
        learner.divide(batch, 3)
    builder, networks, batch = CASES["reinforce"]()
    learner = builder.make_learner(networks, seed=0)
    with pytest.raises(replicas.Misfit, match="6 episodes for 7 replicas; expected at least one"):
        learner.divide(batch, 7)


if __name__ == "__main__":
    main()
