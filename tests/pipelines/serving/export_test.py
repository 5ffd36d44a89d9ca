from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs

from agents.builder import Role
from agents.policy import RandomPolicy
from pipelines.serving.export import Exporter, SavedPolicy
from pipelines.system.errors import UserError
from tests.agents import board
from tests.agents.planet import tiny
from tests.agents.policy_contract import observe

BATCH_SIZES = (1, 4)
STEPS = 2

# Plays in a process where nothing but TensorFlow (and what it needs) can be imported.
SERVE = f"""
import sys

OURS = ("agents", "ops", "pipelines")
BLOCKED = (*OURS, "sonnet", "tensorflow_probability", "acme", "reverb", "gin")

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocker())
import numpy as np
import tensorflow as tf

observations, outputs = np.load(sys.argv[1]), {{}}
for directory in sys.argv[3:]:
    policy = tf.saved_model.load(directory)
    start, step = policy.signatures["initial_state"], policy.signatures["step"]
    for batch_size in {BATCH_SIZES}:
        nest = policy.initial_state(tf.constant(batch_size))
        flat = start(batch_size=tf.constant(batch_size))
        for t in range({STEPS}):
            observation = tf.constant(observations[f"{{batch_size}}_{{t}}"])
            seed = tf.constant([5, t])
            action, nest, info = policy.step(observation, nest, seed)
            results = step(observation=observation, seed=seed, **flat)
            flat = {{name: x for name, x in results.items() if name.startswith("state_")}}
            key = f"{{directory}}_{{batch_size}}_{{t}}"
            outputs["nest_" + key] = action
            outputs["flat_" + key] = results["action"]
            outputs["info_" + key] = results["info_predicted_return"]
assert not [name for name in sys.modules if name.split(".")[0] in BLOCKED]
np.savez(sys.argv[2], **outputs)
"""


def play(policy, observations) -> dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]:
    """Actions and predicted returns of the policy in this process, by batch size and step."""
    results = {}
    for batch_size in BATCH_SIZES:
        state = policy.initial_state(batch_size)
        for t in range(STEPS):
            observation = tf.constant(observations[f"{batch_size}_{t}"])
            action, state, info = policy.step(observation, state, tf.constant([5, t]))
            results[batch_size, t] = action.numpy(), info["predicted_return"].numpy()
    return results


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """What two exports of one Exporter do elsewhere, and what the policy did here at that time."""
    folder = tmp_path_factory.mktemp("export")
    builder, networks = tiny.builder_and_networks(seed=2)
    policy = builder.make_policy(networks, tiny.SPEC, Role(evaluation=True))
    observations = {
        f"{batch_size}_{t}": observe(policy, batch_size, seed=t).numpy()
        for batch_size in BATCH_SIZES
        for t in range(STEPS)
    }
    exporter, expected = Exporter(policy), {}
    for seed, kept in enumerate(("first", "second")):
        rng = np.random.RandomState(seed)
        for variable in networks.trainable_variables:
            variable.assign(0.5 * rng.normal(size=variable.shape))
        exporter.save(folder / "policy")
        shutil.copytree(folder / "policy", folder / kept)
        (folder / "policy" / "stale").touch()
        expected[kept] = play(policy, observations)
    exporter.save(folder / "policy")
    np.savez(folder / "observations.npz", **observations)
    directories = [str(folder / kept) for kept in expected]
    files = [str(folder / name) for name in ("observations.npz", "actions.npz")]
    process = subprocess.run(
        [sys.executable, "-c", SERVE, *files, *directories],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return folder, np.load(folder / "actions.npz"), expected


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
@pytest.mark.parametrize("way", ["nest", "flat"])
def test_an_export_acts_as_the_policy_where_nothing_of_ours_is(served, way, batch_size):
    folder, outputs, expected = served
    for kept, results in expected.items():
        for t in range(STEPS):
            action, predicted_return = results[batch_size, t]
            key = f"{folder / kept}_{batch_size}_{t}"
            np.testing.assert_allclose(outputs[f"{way}_{key}"], action, atol=1e-4)
            np.testing.assert_allclose(outputs[f"info_{key}"], predicted_return, rtol=1e-3)


def test_an_export_holds_no_op_of_ours_though_the_policy_acted_with_them(served):
    folder, _, _ = served
    for kept in ("first", "second", "policy"):
        assert b"Lookahead" not in (folder / kept / "saved_model.pb").read_bytes()


def test_saving_again_serves_the_new_weights(served):
    _, _, expected = served
    first, second = (results[4, 0][0] for results in expected.values())
    assert np.abs(first - second).max() > 0.1  # Which the test above found served.


def test_an_older_export_is_replaced_whole(served):
    folder, _, _ = served
    assert not (folder / "policy" / "stale").exists()
    assert (folder / "policy" / "saved_model.pb").is_file()
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_a_policy_without_state_can_be_exported(tmp_path):
    spec = tf.TensorSpec([2], tf.float32)
    policy = RandomPolicy(spec, specs.BoundedArray([2], np.float32, -1.0, 1.0))
    Exporter(policy).save(tmp_path / "policy")
    loaded = tf.saved_model.load(str(tmp_path / "policy"))
    observation, seed = tf.zeros([3, 2]), tf.constant([1, 2])
    expected, _, _ = policy.step(observation, {}, seed)
    action, _, _ = loaded.step(observation, loaded.initial_state(tf.constant(3)), seed)
    flat = loaded.signatures["step"](observation=observation, seed=seed)
    np.testing.assert_array_equal(action, expected)
    np.testing.assert_array_equal(flat["action"], expected)


def test_a_policy_of_nests_is_served_by_nest_and_by_flat_names(tmp_path):
    policy = board.BoardPolicy()
    Exporter(policy).save(tmp_path / "policy")
    saved = SavedPolicy(tmp_path / "policy")
    assert tf.nest.map_structure(lambda x: (x.shape, x.dtype), saved.observation_spec) == {
        "board": ([3, 3, 3], tf.float32),
        "legal_actions": ([9], tf.bool),
    }
    observation, seed = observe(policy, 4), tf.constant([1, 2])
    expected, _, info = policy.step(observation, policy.initial_state(4), seed)
    action, state, saved_info = saved.step(observation, saved.initial_state(4), seed)
    np.testing.assert_array_equal(action, expected)
    np.testing.assert_array_equal(state["moves"], [1] * 4)
    np.testing.assert_allclose(saved_info["scores"], info["scores"], rtol=1e-5)
    flat = {f"observation_{name}": values for name, values in observation.items()}
    served = tf.saved_model.load(str(tmp_path / "policy")).signatures["step"]
    outputs = served(**flat, seed=seed, state_moves=tf.zeros([4], tf.int32))
    np.testing.assert_array_equal(outputs["action"], expected)
    np.testing.assert_array_equal(outputs["state_moves"], [1] * 4)


@pytest.fixture(scope="module")
def saved_board(tmp_path_factory):
    folder = tmp_path_factory.mktemp("board") / "policy"
    Exporter(board.BoardPolicy()).save(folder)
    return folder


@pytest.fixture(scope="module")
def loaded_board(saved_board):
    return tf.saved_model.load(str(saved_board))


def board_inputs(rows: int = 2) -> dict[str, tf.Tensor]:
    """What the board's signature takes, and what it answers."""
    return {
        "observation_board": tf.zeros([rows, 3, 3, 3]),
        "observation_legal_actions": tf.ones([rows, 9], tf.bool),
        "state_moves": tf.zeros([rows], tf.int32),
        "seed": tf.constant([1, 2]),
    }


def in_row_1(bad: float | bool, good: tf.Tensor) -> tf.Tensor:
    values = np.array(good)
    values[1] = bad
    return tf.constant(values)


NAN = in_row_1(np.nan, board_inputs()["observation_board"])
WRONG = {
    "one row for two boards": (
        {"observation_legal_actions": tf.ones([1, 9], tf.bool)},
        "observation_legal_actions is bool [1 9]; expected bool [B, 9], B = 2 as in "
        "observation_board",
    ),
    "another rank": (
        {"observation_board": tf.zeros([2, 27])},
        "observation_board is float32 [2 27]; expected float32 [B, 3, 3, 3]",
    ),
    "another size": (
        {"observation_board": tf.zeros([2, 4, 4, 3])},
        "observation_board is float32 [2 4 4 3]; expected float32 [B, 3, 3, 3]",
    ),
    "a scalar": (
        {"observation_board": tf.zeros([])},
        "observation_board is float32 []; expected float32 [B, 3, 3, 3]",
    ),
    "sizes that would fit in a row, ranks that do not": (
        {
            "observation_board": tf.zeros([2, 3, 3]),
            "observation_legal_actions": tf.ones([3, 2, 9], tf.bool),
        },
        "observation_board is float32 [2 3 3]; expected float32 [B, 3, 3, 3]",
    ),
    "a state of another rank": (
        {"state_moves": tf.zeros([2, 1], tf.int32)},
        "state_moves is int32 [2 1]; expected int32 [B], B = 2 as in observation_board",
    ),
    "a state of more rows": (
        {"state_moves": tf.zeros([3], tf.int32)},
        "state_moves is int32 [3]; expected int32 [B], B = 2 as in observation_board",
    ),
    "a longer seed": (
        {"seed": tf.constant([1, 2, 3])},
        "seed is int32 [3]; expected int32 [2]",
    ),
    "not a number": (
        {"observation_board": NAN},
        "observation_board is NaN or infinite; expected finite numbers in row [1]",
    ),
    "nothing legal": (
        {"observation_legal_actions": in_row_1(False, board_inputs()["observation_legal_actions"])},
        "observation_legal_actions is all false; expected a legal action in row [1]",
    ),
}


@pytest.mark.parametrize("way", ["signature", "function"])
@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_refused_by_the_inputs_name(loaded_board, case, way):
    change, complaint = WRONG[case]
    inputs = {**board_inputs(), **change}
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        if way == "signature":
            loaded_board.signatures["serving_default"](**inputs)
        else:
            observation = {
                name: inputs[f"observation_{name}"] for name in ("board", "legal_actions")
            }
            loaded_board.step(observation, {"moves": inputs["state_moves"]}, inputs["seed"])
    assert f"[{complaint}]" in str(caught.value)


def test_what_fits_is_answered_whatever_the_batch(loaded_board):
    for rows in (1, 2, 5):
        inputs = board_inputs(rows)
        by_default = loaded_board.signatures["serving_default"](**inputs)
        np.testing.assert_array_equal(
            by_default["action"], loaded_board.signatures["step"](**inputs)["action"]
        )
        assert by_default["action"].shape == (rows,)


@pytest.mark.parametrize("size", [7, 9])
def test_frames_of_another_size_are_refused(served, size):
    step = tf.saved_model.load(str(served[0] / "first")).signatures["step"]
    specs = step.structured_input_signature[1]
    inputs = {
        name: tf.zeros([2 if n is None else n for n in spec.shape], spec.dtype)
        for name, spec in specs.items()
    }
    step(**inputs)
    inputs["observation"] = tf.zeros([2, size, size, 3], tf.uint8)
    wanted = rf"observation is uint8 \[2 {size} {size} 3\]; expected uint8 \[B, 8, 8, 3\]"
    with pytest.raises(tf.errors.InvalidArgumentError, match=wanted):
        step(**inputs)


def test_a_batch_has_a_row(loaded_board):
    with pytest.raises(tf.errors.InvalidArgumentError, match="batch_size is 0; expected at least"):
        loaded_board.initial_state(0)


def test_rows_behind_a_games_end_are_played_with_here(saved_board):
    policy = SavedPolicy(saved_board)
    observation = {"board": tf.zeros([2, 3, 3, 3]), "legal_actions": np.zeros([2, 9], bool)}
    observation["legal_actions"][0, 4] = True
    action, _, _ = policy.step(observation, policy.initial_state(2), tf.constant([1, 2]))
    assert action[0] == 4


def test_an_observation_that_is_no_number_is_one_line(saved_board):
    policy = SavedPolicy(saved_board)
    observation = {"board": NAN, "legal_actions": tf.ones([2, 9], tf.bool)}
    with pytest.raises(UserError, match=r"^the policy cannot act: .*board is NaN .* in row \[1\]$"):
        policy.step(observation, policy.initial_state(2), tf.constant([1, 2]))


def test_an_export_says_what_everything_means(saved_board, loaded_board):
    text = loaded_board.describe().numpy().decode()
    assert (saved_board / "assets.extra" / "README.md").read_text() == text
    for name, signature in loaded_board.signatures.items():
        assert name in text
        inputs = signature.structured_input_signature[1]
        for key in (*inputs, *signature.structured_outputs):
            assert f"| `{key}` |" in text
    assert "| in | `observation_board` | float32 [B, 3, 3, 3] |" in text
    assert "| out | `info_scores` | float32 [B, 9] | how good each cell looks |" in text


def test_a_row_with_its_own_seed_is_answered_as_if_alone(served):
    """Of a planner, which is asked row by row."""
    folder, _, _ = served
    signatures = tf.saved_model.load(str(folder / "second")).signatures
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (3, *tiny.SPEC.observations.shape), np.uint8)
    seeds, start = np.array([[1, 2], [3, 4], [1, 2]], np.int32), signatures["initial_state"]
    state = {name: x.numpy() for name, x in start(batch_size=tf.constant(3)).items()}
    inputs = {"observation": pixels, "seed": seeds, **state}
    together = signatures["step_with_seeds"](**_tensors(inputs))
    for i in range(3):
        one = _tensors({name: x[i : i + 1] for name, x in inputs.items()})
        alone = signatures["step_with_seeds"](**one)
        step = signatures["step"](**{**one, "seed": tf.constant(seeds[i])})
        for name, value in alone.items():
            np.testing.assert_array_equal(together[name][i], value[0])
            # Another graph, in which products may be fused otherwise.
            np.testing.assert_allclose(step[name][0], value[0], rtol=1e-4, atol=1e-5)


def _tensors(arrays):
    return {name: tf.constant(array) for name, array in arrays.items()}
