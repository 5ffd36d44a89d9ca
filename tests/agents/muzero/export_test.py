"""A saved MuZero searches by itself, as deeply as whoever is served asks for."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from pipelines.serving.export import Exporter, SavedPolicy
from pipelines.system.errors import UserError
from tests.agents.muzero import tiny

B, ROOM = 5, 12
STACKED_BOARD = dataclasses.replace(tiny.BOARD, frame_stack=2, served_simulations=ROOM)

# Only TensorFlow is imported here: no library of ours is loaded.
SERVE = """
import json, sys
import numpy as np, tensorflow as tf

policy = tf.saved_model.load(sys.argv[1])
inputs = {name: tf.constant(values) for name, values in np.load(sys.argv[2]).items()}
step, served = policy.signatures["step_with_options"], {}
for simulations in map(int, sys.argv[3:]):
    outputs = step(**inputs, num_simulations=tf.constant(simulations))
    names = ("action", "info_search_policy")
    served[simulations] = {name: outputs[name].numpy().tolist() for name in names}
assert not [name for name in sys.modules if name.split(".")[0] in ("agents", "ops", "pipelines")]
print(json.dumps(served))
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A policy, and the folder that it was saved in."""
    policy = tiny.policy(STACKED_BOARD, evaluation=True, seed=2)
    observation = tiny.batch_of(STACKED_BOARD, np.random.RandomState(0), B)
    policy.step(
        observation, policy.initial_state(B), [0, 0]
    )  # With native ops, which must not go along.
    folder = tmp_path_factory.mktemp("muzero") / "policy"
    Exporter(policy).save(folder)
    return policy, observation, folder


def test_the_saved_search_is_the_policys_own(saved):
    policy, observation, folder = saved
    loaded = SavedPolicy(folder)
    state = ours = policy.initial_state(B)
    for t in range(3):
        action, ours, info = policy.step(observation, ours, tf.constant([1, t]))
        found, state, saved_info = loaded.step(observation, state, tf.constant([1, t]))
        np.testing.assert_array_equal(found, action)
        np.testing.assert_array_equal(saved_info["search_policy"], info["search_policy"])
        np.testing.assert_allclose(saved_info["search_value"], info["search_value"], atol=2e-5)


def test_a_server_with_nothing_but_tensorflow_searches_as_deeply_as_it_is_asked_to(saved, tmp_path):
    policy, observation, folder = saved
    flat = {f"observation_{name}": values for name, values in observation.items()}
    flat |= {f"state_{name}": values for name, values in policy.initial_state(B).items()}
    np.savez(tmp_path / "inputs.npz", seed=np.array([1, 2], np.int32), **flat)
    depths = [1, 5, ROOM]
    arguments = [str(folder), str(tmp_path / "inputs.npz"), *map(str, depths)]
    process = subprocess.run(
        [sys.executable, "-c", SERVE, *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr[-3000:]
    served = json.loads(process.stdout)
    inputs = observation, policy.initial_state(B), tf.constant([1, 2])
    for simulations in depths:
        action, _, info = policy.step(*inputs, tf.constant(simulations))
        found = served[str(simulations)]
        np.testing.assert_array_equal(found["action"], action)
        np.testing.assert_allclose(found["info_search_policy"], info["search_policy"], atol=1e-6)
        visits = simulations * np.array(found["info_search_policy"])
        np.testing.assert_allclose(visits, np.round(visits), atol=1e-4)


def test_a_saved_policy_takes_its_options_by_name(saved):
    policy, observation, folder = saved
    inputs = observation, policy.initial_state(B), tf.constant([3, 4])
    deep = SavedPolicy(folder, num_simulations=ROOM)
    _, _, expected = policy.step(*inputs, tf.constant(ROOM))
    np.testing.assert_array_equal(deep.step(*inputs)[2]["search_policy"], expected["search_policy"])
    with pytest.raises(UserError, match="no option 'simulations'; expected one of num_simulations"):
        SavedPolicy(folder, simulations=3)
    with pytest.raises(UserError, match=f"cannot act: simulations is not 1 to {ROOM}"):
        SavedPolicy(folder, num_simulations=ROOM + 1).step(*inputs)
    described = tf.saved_model.load(str(folder)).describe().numpy().decode()
    assert f"| simulations of the search, 1 to {ROOM}; by default 6 |" in described


def test_native_ops_go_along_only_when_asked_for(saved, tmp_path):
    policy, observation, folder = saved
    assert b"Lookahead" not in (folder / "saved_model.pb").read_bytes()
    Exporter(policy, native=True).save(tmp_path / "native")
    assert b"Lookahead" in (tmp_path / "native" / "saved_model.pb").read_bytes()
    inputs = observation, policy.initial_state(B), tf.constant([3, 4])
    action, _, info = SavedPolicy(tmp_path / "native").step(*inputs)
    expected, _, expected_info = policy.step(*inputs)
    np.testing.assert_array_equal(action, expected)
    np.testing.assert_array_equal(info["search_policy"], expected_info["search_policy"])


def test_xla_compiles_a_saved_policys_step_when_asked(saved, tmp_path):
    policy, observation, _ = saved
    Exporter(policy, compiled=True).save(tmp_path / "compiled")
    inputs = observation, policy.initial_state(B), tf.constant([3, 4])
    action, state, info = SavedPolicy(tmp_path / "compiled").step(*inputs)
    _, expected_state, expected_info = policy.step(*inputs)
    np.testing.assert_array_equal(state["moves"], expected_state["moves"])
    shares = info["search_policy"].numpy()
    np.testing.assert_allclose(shares, expected_info["search_policy"], atol=1e-6)
    # XLA draws other numbers: of several that are visited most, it may choose another one.
    np.testing.assert_array_equal(shares[range(B), action], shares.max(axis=1))


def test_a_row_with_its_own_seed_is_searched_as_if_alone(saved):
    """Two simulations leave ties, which the seed decides."""
    policy, observation, folder = saved
    loaded = tf.saved_model.load(str(folder))
    step = loaded.step_with_seeds
    seeds = tf.constant([[i, 7 - i] for i in range(B)])
    state, two = policy.initial_state(B), tf.constant(2)
    action, _, info = step(observation, state, seeds, two)
    for i in range(B):
        one = tf.nest.map_structure(lambda x, i=i: x[i : i + 1], (observation, state, seeds))
        alone, _, alone_info = step(*one, two)
        assert action[i] == alone[0]
        for name, value in alone_info.items():
            np.testing.assert_array_equal(info[name][i], value[0])
