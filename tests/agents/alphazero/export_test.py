"""A saved AlphaZero searches by itself, rules and all, in plain TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from pipelines import run
from pipelines.serving.export import Exporter, SavedPolicy
from pipelines.system.errors import UserError
from tests.agents.alphazero import tiny
from tests.agents.alphazero.tiny import positions


def test_the_saved_search_is_the_policys_own(tmp_path):
    environment = tiny.spec("connect_four")
    policy = tiny.policy(tiny.CONFIG, evaluation=True, environment=environment)
    observation, state = positions(4, seed=0, game="connect_four"), policy.initial_state(4)
    action, _, info = policy.step(observation, state, tf.constant([1, 2]))  # By native ops.
    Exporter(policy).save(tmp_path / "policy")
    assert b"Lookahead" not in (tmp_path / "policy" / "saved_model.pb").read_bytes()
    saved = SavedPolicy(tmp_path / "policy")
    found, _, saved_info = saved.step(observation, state, tf.constant([1, 2]))
    np.testing.assert_array_equal(found, action)
    np.testing.assert_array_equal(saved_info["search_policy"], info["search_policy"])
    np.testing.assert_allclose(saved_info["search_value"], info["search_value"], atol=1e-5)
    over = {**observation, "legal_actions": tf.zeros_like(observation["legal_actions"])}
    saved.step(over, state, tf.constant([1, 2]))  # Whose actions nobody uses.
    garbage = {
        **observation,
        "state": tf.fill(observation["state"].shape, tf.constant(255, tf.uint8)),
    }
    with pytest.raises(UserError, match="state is not one of connect_four"):
        saved.step(garbage, state, tf.constant([1, 2]))


def test_go_has_native_rules_alone_and_says_so(tmp_path):
    policy = tiny.policy(tiny.CONFIG, True, environment=tiny.spec("go", size=5, history=1))
    line = "Experiment.export_native is False, but the rules of go are native ops alone; expected T"
    with pytest.raises(UserError, match=line):
        Exporter(policy)
    Exporter(policy, native=True).save(tmp_path / "policy")
    assert SavedPolicy(tmp_path / "policy", compiled=True).sliced


def test_a_run_says_so_before_anything_is_there(tmp_path, capsys):
    bindings = ["Experiment.export_native = False", "AlphaZeroConfig.num_simulations = 2"]
    flags = [f"--gin_bindings={binding}" for binding in bindings]
    logdir = tmp_path / "run"
    command = ["run.py", "--gin_file=gin/alphazero_go5_small.gin", f"--logdir={logdir}", *flags]
    assert run.main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert line.startswith("error: Experiment.export_native is False") and not logdir.exists()
