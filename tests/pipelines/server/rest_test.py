"""REST: both formats, what is left out, what is wrong, and answers of the direct call's bits."""

from __future__ import annotations

import base64
import concurrent.futures

import numpy as np
import pytest

from pipelines.server.loaded import ROWS

PREDICT = "/v1/models/small:predict"
ROW = {
    "observation_board": [1.0, 2.0, -1.0],
    "observation_legal_actions": [True, True, False, True],
}


def direct(policy, **changes):
    """The policy's own answer for one row."""
    inputs = {
        "observation_board": np.array([ROW["observation_board"]], np.float32),
        "observation_legal_actions": np.array([ROW["observation_legal_actions"]]),
        "state_moves": np.zeros([1], np.int32),
        "seed": np.array([[3, 4]], np.int32),
        "num_simulations": np.int32(5),
    }
    return policy.call(ROWS, {**inputs, **changes})


def test_rows_and_columns_give_the_direct_calls_answer(server, policy):
    expected = {name: value.tolist() for name, value in direct(policy).items()}
    row = {**ROW, "seed": [3, 4], "state_moves": 0}
    status, rows = server.ask(PREDICT, {"instances": [row]})
    assert status == 200
    assert rows["predictions"] == [{name: value[0] for name, value in expected.items()}]
    columns = {name: [value] for name, value in row.items()}
    status, found = server.ask(PREDICT, {"signature_name": ROWS, "inputs": columns})
    assert (status, found["outputs"]) == (200, expected)


def test_one_seed_for_several_rows_is_the_signature_step(server, policy):
    board = np.arange(6, dtype=np.float32).reshape(2, 3)
    legal, seed = np.ones([2, 4], bool), np.array([1, 2], np.int32)
    expected = policy.call(
        "step",
        {
            "observation_board": board,
            "observation_legal_actions": legal,
            "state_moves": np.zeros([2], np.int32),
            "seed": seed,
        },
    )
    columns = {
        "observation_board": board.tolist(),
        "observation_legal_actions": legal.tolist(),
        "seed": seed.tolist(),
    }
    status, found = server.ask(PREDICT, {"signature_name": "step", "inputs": columns})
    assert status == 200
    assert found["outputs"] == {name: value.tolist() for name, value in expected.items()}


def test_a_row_that_leaves_its_state_out_is_at_an_episodes_start(server):
    seed = {"seed": [1, 2]}
    rows = [{**ROW, **seed, "state_moves": 4}, {**ROW, **seed}, ROW]
    status, answer = server.ask(PREDICT, {"instances": rows})
    assert status == 200
    assert [row["state_moves"] for row in answer["predictions"]] == [5, 1, 1]
    first, second, third = (row["info_value"] for row in answer["predictions"])
    assert first == second != third  # Whose seed was drawn.


def test_bytes_are_the_same_numbers(server):
    board = np.array(ROW["observation_board"], np.float32)
    packed = {"b64": base64.b64encode(board.tobytes()).decode()}
    row = {**ROW, "seed": [3, 4]}
    _, expected = server.ask(PREDICT, {"instances": [row]})
    assert server.ask(PREDICT, {"instances": [{**row, "observation_board": packed}]}) == (
        200,
        expected,
    )
    columns = {"observation_board": packed, "observation_legal_actions": [[True] * 4]}
    assert server.ask(PREDICT, {"inputs": columns})[0] == 200


def test_an_only_input_and_an_only_output_need_no_name(server):
    body = {"signature_name": "initial_state", "inputs": 3}
    assert server.ask(PREDICT, body) == (200, {"outputs": [0, 0, 0]})


def test_many_at_once_each_get_their_own_answer(server, policy):
    rng = np.random.default_rng(5)
    boards, seeds = rng.normal(size=(48, 3)), rng.integers(0, 1 << 31, (48, 2))

    def ask(i):
        row = {**ROW, "observation_board": boards[i].tolist(), "seed": seeds[i].tolist()}
        return server.ask(PREDICT, {"instances": [row]})

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        found = list(pool.map(ask, range(48)))
    for i, (status, answer) in enumerate(found):
        board = boards[i : i + 1].astype(np.float32)
        seed = seeds[i : i + 1].astype(np.int32)
        expected = direct(policy, observation_board=board, seed=seed)
        assert status == 200
        assert answer["predictions"] == [{n: x[0].tolist() for n, x in expected.items()}]
    text = server.ask("/metrics")[1]
    batches = float(text.split('lookahead_batch_rows_count{model="small"} ')[1].split("\n")[0])
    rows = float(text.split('lookahead_batch_rows_sum{model="small"} ')[1].split("\n")[0])
    assert rows > batches  # Some were joined.


WRONG = [
    (b"{", "the body is no JSON"),
    (b"[" * 100_000, "expected a body of at most 65536 bytes"),
    (b"[" * 60_000, "the body is no JSON"),
    ([], "the body is no JSON object"),
    ({}, "expected 'instances' (rows) or 'inputs' (columns)"),
    ({"instance": []}, "there is no 'instance'; expected signature_name, instances, inputs;"),
    ({"instances": []}, "instances is no list of rows"),
    ({"instances": [[1, 2, 3]]}, "expected an object that names the inputs: observation_board,"),
    ({"instances": [ROW, {}]}, "observation_board is missing; expected float32 [B, 3]"),
    ({"instances": [ROW, 3]}, "row 1 of instances is no object"),
    ({"instances": [ROW, {**ROW, "time_limit_ms": 3}]}, "time_limit_ms is missing in a row"),
    ({"instances": [ROW], "signature_name": "stop"}, "there is no signature 'stop'; expected one"),
    ({"instances": [ROW], "signature_name": 3}, "signature_name is no string"),
    ({"instances": [ROW] * 17}, "observation_board has 17 rows; expected at most 16"),
    ({"instances": [{**ROW, "extra": 1}]}, "there is no input 'extra'"),
    ({"instances": [{"observation_board": [1, 2, 3]}]}, "observation_legal_actions is missing"),
    ({"signature_name": "initial_state", "inputs": 0}, "batch_size is 0; expected 1 to 16"),
    ({"signature_name": "initial_state", "inputs": 1 << 40}, "batch_size holds 1099511627776"),
]
CHANGED = [
    ({"observation_board": [1, 2]}, "observation_board is [1, 2]; expected float32 [B, 3]"),
    ({"observation_board": [1, 2, [3]]}, "observation_board is a ragged list; expected float32"),
    ({"observation_board": [1, 2, True]}, "observation_board holds true or false; expected"),
    ({"observation_board": "abc"}, "observation_board holds something else than numbers"),
    ({"observation_board": None}, "observation_board holds something else than numbers"),
    ({"observation_board": [1, 2, float("nan")]}, "expected finite numbers in row [0]"),
    ({"observation_board": [1, 2, 1e300]}, "expected finite numbers in row [0]"),
    ({"observation_board": {"b64": "AA="}}, "observation_board is no base64"),
    ({"observation_board": {"b64": "AAAA"}}, "observation_board has 3 bytes; expected {'b64': …}"),
    ({"observation_board": {"c": 1}}, "observation_board is an object; expected {'b64': …}"),
    ({"observation_legal_actions": [1, 0, 0, 1]}, "observation_legal_actions holds integers"),
    ({"observation_legal_actions": [False] * 4}, "is all false; expected a legal action in row"),
    ({"state_moves": 0.5}, "state_moves holds fractions; expected int32 [B]"),
    ({"state_moves": 1 << 31}, "state_moves holds 2147483648; expected int32 [B], -2147483648 to"),
    ({"state_moves": 10**30}, "state_moves holds something else than numbers"),
    ({"seed": [1]}, "seed is [1, 1]; expected int32 [B, 2]"),
    ({"num_simulations": 10}, "num_simulations is 10; expected 1 to 9"),
    ({"num_simulations": 0}, "num_simulations is 0; expected 1 to 9"),
    ({"num_simulations": 3, "time_limit_ms": 10}, "got time_limit_ms and num_simulations"),
    ({"time_limit_ms": 0}, "time_limit_ms is 0; expected 1 to 10000"),
]


@pytest.mark.parametrize(
    ("body", "says"), [*WRONG, *(({"instances": [{**ROW, **c}]}, says) for c, says in CHANGED)]
)
def test_what_is_wrong_is_said(server, body, says):
    status, answer = server.ask(PREDICT, body)
    assert status == (413 if "at most" in says else 400)
    assert says in answer["error"] and "\n" not in answer["error"]
    assert server.ask(PREDICT, {"instances": [ROW]})[0] == 200


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (
            "/v1/models/smal",
            "there is no model 'smal'; expected one of small; did you mean 'small'?",
        ),
        ("/v1/models/small/versions/7", "small has no version 7; it has "),
        ("/v1/models/..%2f..%2fetc", "there is no"),
        ("/v2", "there is nothing at this path"),
    ],
)
def test_what_is_not_there_is_said(server, path, says):
    status, answer = server.ask(path)
    assert status == 404 and says in answer["error"]


def test_a_wrong_method_is_said(server):
    status, answer = server.ask("/v1/models/small", method="PUT")
    assert status == 405 and answer["error"] == "this path does not take PUT; it takes GET"


def test_options_differ_between_rows_only_between_requests(server):
    rows = [{**ROW, "num_simulations": n} for n in (2, 3)]
    status, answer = server.ask(PREDICT, {"instances": rows})
    assert status == 400 and "num_simulations differs between instances" in answer["error"]


def test_a_time_limit_is_a_number_of_simulations(server):
    server.ask(PREDICT, {"instances": [ROW]})  # Its pace is known from now on.
    row = {**ROW, "seed": [3, 4]}
    _, most = server.ask(PREDICT, {"instances": [{**row, "num_simulations": 9}]})
    assert server.ask(PREDICT, {"instances": [{**row, "time_limit_ms": 9000}]}) == (200, most)


def test_status_and_metadata_are_tensorflow_servings(server):
    status, answer = server.ask("/v1/models/small")
    (version,) = answer["model_version_status"]
    assert (status, version["state"]) == (200, "AVAILABLE")
    assert version["status"] == {"error_code": "OK", "error_message": ""}
    path = f"/v1/models/small/versions/{version['version']}"
    assert server.ask(path) == (200, answer)
    assert server.ask(f"{path}:predict", {"instances": [ROW]})[0] == 200
    _, about = server.ask("/v1/models/small/metadata")
    assert about["model_spec"]["version"] == version["version"]
    step = about["metadata"]["signature_def"]["signature_def"]["step"]
    board = step["inputs"]["observation_board"]
    assert board["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in board["tensor_shape"]["dim"]] == ["-1", "3"]


def test_the_page_and_its_files_are_there(server):
    assert server.ask("/")[1].startswith("<!doctype html>")
    assert server.ask("/page.js")[0] == server.ask("/page.css")[0] == 200
    assert server.ask("/health") == (200, {"status": "serving"})
