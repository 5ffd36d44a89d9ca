"""A run goes on with another number of replicas, to weights that differ by rounding alone.

In a process of its own: logical devices must be made before TensorFlow starts.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from pipelines.configuration import experiment
from pipelines.environments import make_environment_spec
from pipelines.launch.local import LocalRun
from pipelines.launch.parts import Parts
from pipelines.logdir.checkpointing import find_latest
from pipelines.system.errors import UserError

ROOT = pathlib.Path(__file__).parents[3]
SMALL = str(ROOT / "gin" / "dqn_cartpole_small.gin")
TINY = (
    "Experiment.num_environments = 1",
    "Experiment.evaluation_interval = 1000",
    "Experiment.evaluation_episodes = 1",
    "Experiment.evaluation_videos = 0",
    "DQNConfig.hidden_layers = (8,)",
    "DQNConfig.batch_size = 8",
    "DQNConfig.updates_per_step = 0.5",
    "DQNConfig.seed_steps = 60",
    "DQNConfig.target_period = 7",
    "DQNConfig.replay_sampler = 'fifo'",
)
LEGS = (100, 140, 180)
REPLICAS = (1, 2, 1)


def run(logdir: pathlib.Path, steps: int, replicas: int, *more: str) -> None:
    bindings = [*TINY, f"Experiment.num_steps = {steps}", *more]
    if replicas > 1:
        bindings += ["Experiment.strategy = 'mirrored'", f"Experiment.replicas = {replicas}"]
    assert LocalRun(experiment.parse([SMALL], bindings), logdir, 3, str).run()


def saved(logdir: pathlib.Path) -> dict[str, np.ndarray]:
    """Everything that a run's last checkpoint holds, by name."""
    reader = tf.train.load_checkpoint(str(find_latest(logdir).path / "weights"))
    names = [name for name in reader.get_variable_to_shape_map() if "CHECKPOINTABLE" not in name]
    return {name: reader.get_tensor(name) for name in names}


def main(folder: pathlib.Path) -> None:
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    for steps, replicas in zip(LEGS, REPLICAS, strict=True):
        run(folder / "changing", steps, replicas)
        run(folder / "alone", steps, 1)
    changing, alone = saved(folder / "changing"), saved(folder / "alone")
    assert changing.keys() == alone.keys(), changing.keys() ^ alone.keys()
    assert any("optimizer" in name for name in alone)
    for name, value in alone.items():
        np.testing.assert_allclose(changing[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
    with pytest.raises(UserError, match="7 items do not divide among 2 replicas"):
        run(folder / "odd", 100, 2, "DQNConfig.batch_size = 7")
    print("equal")


def test_a_run_goes_from_one_replica_to_two_and_back(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.pipelines.launch.strategies_test", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    assert done.stdout.splitlines()[-1:] == ["equal"], done.stderr[-3000:]


@pytest.mark.parametrize(
    "file, bindings, line",
    [
        (
            "pets_small",
            ["strategy = 'mirrored'"],
            "pets learns on one device: each of",
        ),
        ("dqn_cartpole_small", ["strategy = 'mirrored'", "replicas = 5"], "begun with 1 CPU"),
        (
            "dqn_cartpole_small",
            ["replicas = 2"],
            "replicas is 2, but Experiment.strategy is",
        ),
        ("simulator_cem", ["strategy = 'mirrored'"], "learns nothing; expected 'none'"),
        ("dqn_cartpole_small", ["strategy = 'tpu'"], "no TPU at Experiment.tpu_address"),
    ],
)
def test_what_cannot_be_is_one_line(file: str, bindings: list[str], line: str, tmp_path):
    with pytest.raises(UserError, match=line) as refused:
        described = experiment.parse(
            [str(ROOT / "gin" / f"{file}.gin")], [f"Experiment.{b}" for b in bindings]
        )
        LocalRun(described, tmp_path / "log", 0, str)
    assert "\n" not in str(refused.value) and not (tmp_path / "log").exists()


def test_without_a_strategy_variables_are_plain():
    parts = Parts(experiment.parse([SMALL], TINY), seed=0)
    (variable, *_) = parts.networks(make_environment_spec(parts.environments())).variables
    assert not isinstance(variable, tf.distribute.DistributedValues)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
