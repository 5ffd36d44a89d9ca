"""Protects the box of the actions: where a search in it starts, and what is no box."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ops import cem
from ops.cem.bounds import initial_fit, make_bounds

BACKENDS = ("native", "tensorflow")
INF = float("inf")
SIZES = dict(
    batch_size=2, horizon=3, action_size=2, num_iterations=8, num_candidates=60, num_elites=10
)


def towards(target):
    return lambda actions: -tf.reduce_sum(tf.square(actions - target), axis=[2, 3])


def search(target, **options) -> cem.CEMResult:
    return cem.optimize(towards(target), **{**SIZES, "seed": [1, 2], **options})


@pytest.mark.parametrize(
    ("low", "high", "mean", "stddev"),
    [
        (-1.0, 1.0, 0.0, 1.0),
        (100.0, 200.0, 150.0, 50.0),
        (-0.5, 1.5, 0.5, 1.0),
        (0.1, 0.1, 0.1, 0.0),
        (-3e38, 3e38, 0.0, 3e38),
        (-INF, INF, 0.0, 1.0),
        (-1.0, INF, 0.0, 1.0),
        (-INF, 1.0, 0.0, 1.0),
        (0.0, INF, 1.0, 1.0),
        (100.0, INF, 150.0, 50.0),
        (-INF, -100.0, -150.0, 50.0),
    ],
)
def test_a_search_starts_in_the_middle_with_half_the_width(low, high, mean, stddev):
    fit = initial_fit(None, None, [2, 3, 2], make_bounds(low, high, 2))
    for values, expected in zip(fit, (mean, stddev), strict=True):
        np.testing.assert_array_equal(values, np.full([2, 3, 2], expected, np.float32))


@pytest.mark.parametrize("backend", BACKENDS)
def test_between_minus_one_and_one_it_starts_from_zeros_and_ones_bit_for_bit(backend: str):
    given = dict(initial_mean=tf.zeros([2, 3, 2]), initial_stddev=tf.ones([2, 3, 2]))
    for ours, theirs in zip(
        search(0.3, backend=backend), search(0.3, backend=backend, **given), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("low", "high", "target"),
    [
        (100.0, 200.0, 130.0),
        ([100.0, -2.0], [200.0, -1.0], [170.0, -1.2]),
        (-INF, INF, 0.8),
        (100.0, INF, 180.0),
        ([0.0, -INF], [INF, -5.0], [0.5, -7.0]),
    ],
)
def test_each_box_is_searched_by_its_own_size(backend: str, low, high, target):
    result = search(target, action_min=low, action_max=high, backend=backend)
    size = np.abs(target).max()
    np.testing.assert_allclose(result.mean, np.broadcast_to(target, [2, 3, 2]), atol=0.1 * size)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_given_outranks_the_box(backend: str):
    options = dict(action_min=100.0, action_max=200.0, num_iterations=1, backend=backend)
    result = search(0.0, initial_mean=101.0, initial_stddev=0.0, **options)
    np.testing.assert_array_equal(result.mean, np.full([2, 3, 2], 101.0))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int64])
def test_numbers_of_any_type_are_taken(backend: str, dtype):
    low, high = np.array([-2, 1], dtype), np.array([3, 4], dtype)
    noise = np.random.RandomState(0).standard_normal([8, 2, 60, 3, 2])
    options = dict(initial_mean=np.ones([3, 2], dtype), noise=noise, backend=backend)
    objective = lambda actions: tf.cast(towards(0.5)(actions), tf.float64)  # noqa: E731
    actual = cem.optimize(objective, **SIZES, action_min=low, action_max=high, **options)
    expected = search(
        0.5, action_min=[-2.0, 1.0], action_max=[3.0, 4.0], **{**options, "initial_mean": 1.0}
    )
    assert actual.mean.dtype == tf.float32
    np.testing.assert_array_equal(actual.mean, expected.mean)


BAD = [
    ({"action_min": 2.0}, "action_min is 2 where action_max is 1; expected action_min ≤ "),
    ({"action_min": [0.0, 1.5]}, "action_min is 1.5 where action_max is 1; expected action_min"),
    ({"action_max": [np.nan, 1.0]}, "action_min is -1 where action_max is nan; expected "),
    ({"action_min": np.float64("nan")}, "action_min is nan where action_max is 1; expected "),
    ({"action_min": INF, "action_max": INF}, "action_min is inf where action_max is inf; exp"),
    ({"action_max": -INF, "action_min": -INF}, "action_min is -inf where action_max is -inf"),
    ({"action_min": np.zeros(3)}, r"action_min has shape \(3,\); expected a number or \[2\]$"),
    ({"action_max": np.ones([3, 2])}, r"action_max has shape \(3, 2\); expected a number or \[2\]"),
    ({"action_max": "high"}, "action_max is of type string; expected numbers"),
    ({"action_min": None}, "action_min is None; expected numbers"),
    ({"initial_mean": np.zeros([4, 2])}, r"initial_mean has shape \(4, 2\); expected one that br"),
    ({"initial_stddev": np.zeros([5, 3, 2])}, r"initial_stddev has shape \(5, 3, 2\); expected "),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("options", "message"), BAD)
def test_what_is_no_box_is_one_line_on_both_backends(options, message: str, backend: str):
    with pytest.raises(ValueError, match=f"^{message}") as error:
        search(0.3, **options, backend=backend)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("backend", BACKENDS)
def test_bounds_that_are_known_when_the_graph_runs_are_checked_there(backend: str):
    @tf.function(input_signature=[tf.TensorSpec([2]), tf.TensorSpec([2])])
    def plan(low, high):
        return search(130.0, action_min=low, action_max=high, backend=backend).mean

    found = plan([100.0, 100.0], [200.0, 200.0])
    np.testing.assert_allclose(found, np.full([2, 3, 2], 130.0), atol=2)
    for low, high in (
        ([0.0, 2.0], [1.0, 1.0]),
        ([0.0, np.nan], [1.0, 1.0]),
        ([INF] * 2, [INF] * 2),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match="expected action_min ≤ action_m"):
            plan(low, high)


def test_compiled_by_xla_a_box_is_searched_by_its_size():
    plan = tf.function(
        lambda: search(130.0, action_min=100.0, action_max=200.0).mean, jit_compile=True
    )
    np.testing.assert_allclose(plan(), np.full([2, 3, 2], 130.0), atol=2)
