"""Protects ensembles in one op: equal to plain TensorFlow and to NumPy, row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ops import cem, loader
from tests.ops.cem.ensembles import NUMPY, in_float64, problem

# Widths of less and more than a panel, odd depths, one layer; rows of less and more than a tile.
SIZES = [(6, 500, 500, 8), (3, 7, 2), (1, 1), (5, 33, 17, 9, 1)]
HAS_BFLOAT16 = "avx512_bf16" in Path("/proc/cpuinfo").read_text()


@pytest.mark.parametrize("backend", ["native", "tensorflow"])
@pytest.mark.parametrize("activation", NUMPY)
@pytest.mark.parametrize("sizes", SIZES)
def test_outputs_are_those_of_float64(sizes, activation: str, backend: str):
    for seed, rows in enumerate([1, 15, 49, 200]):
        inputs, *layers = problem(seed, 3, rows, sizes)
        found = cem.ensemble_forward(*layers, activation, backend=backend)(inputs)
        expected = in_float64(inputs, *layers, activation)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("name", ["avx512", "avx2", "baseline"])
def test_every_instruction_set_gives_the_same_numbers(name: str):
    inputs, weights, biases = problem(5, 2, 101, SIZES[3])
    ops, expected = loader.load("cem"), in_float64(inputs, weights, biases, "swish")
    options = {"instruction_set": name}
    try:
        packed = ops.lookahead_cem_pack_ensemble(weights=weights, biases=biases, **options)
    except tf.errors.InvalidArgumentError as error:
        assert f"instruction_set is {name}, which this processor does not have" in str(error)
        return
    options |= {"sizes": SIZES[3], "activation": "swish"}
    found = ops.lookahead_cem_ensemble(inputs=inputs, packed=packed, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-5)


def test_a_row_is_the_same_alone_and_among_others():
    inputs, *layers = problem(6, 4, 130, SIZES[0])
    forward = cem.ensemble_forward(*layers, "elu", backend="native")
    together = forward(inputs).numpy()
    for rows in (slice(0, 1), slice(17, 18), slice(60, 130)):
        np.testing.assert_array_equal(forward(inputs[:, rows]), together[:, rows])
    alone = cem.ensemble_forward(*[[x[2:3] for x in part] for part in layers], "elu")
    np.testing.assert_array_equal(alone(inputs[2:3]), together[2:3])


def test_no_rows_give_no_outputs():
    _, *layers = problem(7, 2, 1, SIZES[1])
    for backend in ("native", "tensorflow"):
        forward = cem.ensemble_forward(*layers, "relu", backend=backend)
        assert forward(np.zeros([2, 0, 3], np.float32)).shape == (2, 0, 2)


def test_a_nan_stays_in_its_row():
    inputs, *layers = problem(8, 2, 40, SIZES[1])
    inputs[1, 7, 2] = np.nan
    found = cem.ensemble_forward(*layers, "swish", backend="native")(inputs).numpy()
    bad = np.isnan(found).any(axis=2)
    assert bad[1, 7] and bad.sum() == 1


@pytest.mark.skipif(not HAS_BFLOAT16, reason="this processor has no AVX512_BF16")
@pytest.mark.parametrize("sizes", SIZES)
def test_bfloat16_is_close_to_float32(sizes):
    inputs, *layers = problem(9, 3, 70, sizes)
    found = cem.ensemble_forward(*layers, "swish", precision="bfloat16")(inputs)
    expected = in_float64(inputs, *layers, "swish")
    difference = np.abs(found - expected)
    print("difference", difference.max(), "of", np.std(expected))
    assert 0 < difference.max() < 0.05 * max(np.std(expected), 1.0)


@pytest.mark.skipif(HAS_BFLOAT16, reason="this processor has AVX512_BF16")
def test_a_processor_without_bfloat16_is_named():
    _, *layers = problem(9, 3, 70, SIZES[1])
    with pytest.raises(tf.errors.InvalidArgumentError, match="takes a processor with AVX512_BF16"):
        cem.ensemble_forward(*layers, "swish", precision="bfloat16")


def test_a_portable_graph_has_no_native_op():
    inputs, *layers = problem(10, 2, 5, SIZES[1])
    with loader.portable():
        function = tf.function(lambda x: cem.ensemble_forward(*layers, "swish")(x), autograph=False)
        graph = function.get_concrete_function(tf.TensorSpec(inputs.shape)).graph
    assert not [node for node in graph.get_operations() if "Lookahead" in node.type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation": "tanh"}, "activation is 'tanh'; expected one of"),
        ({"backend": "cuda"}, "backend is 'cuda'; expected one of"),
        ({"precision": "half"}, "precision is 'half'; expected one of"),
        ({"precision": "bfloat16", "backend": "tensorflow"}, "precision is 'bfloat16', which"),
        ({"weights": []}, "weights has 0 layers and biases 2; expected as many"),
        ({"weights": [tf.zeros([2, 3, 7]), tf.zeros([2, 6, 2])]}, r"weights\[1\] has shape"),
        ({"weights": [tf.zeros([2, 3, 7]), tf.zeros([1, 7, 2])]}, r"weights\[1\] has shape"),
        ({"biases": [tf.zeros([2, 7]), tf.zeros([2, 1])]}, r"biases\[1\] has shape \(2, 1\)"),
    ],
)
def test_a_bad_argument_is_named_in_one_line(change: dict, message: str):
    _, weights, biases = problem(11, 2, 1, SIZES[1])
    arguments = {"weights": weights, "biases": biases, "activation": "elu", **change}
    with pytest.raises(ValueError, match=f"^{message}") as error:
        cem.ensemble_forward(**arguments)
    assert "\n" not in str(error.value)
