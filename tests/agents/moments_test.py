"""Protects what inputs are divided by: their spread, and nothing that is only rounding."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents.moments import mean_and_scale

ROWS = 150


def of(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, scale = mean_and_scale(tf.constant(values, tf.float32))
    return mean.numpy(), scale.numpy()


@pytest.mark.parametrize("size", [0.0, 0.3, -0.3, 1e-6, 1e5, -123456.7, 1e-30, 1e30, 16777217.0])
@pytest.mark.parametrize("rows", [1, 3, ROWS, 100_003])
def test_what_never_moves_has_its_value_as_mean_and_a_scale_of_1(size: float, rows: int):
    mean, scale = of(np.full([rows, 2], size))
    np.testing.assert_array_equal(mean, np.full(2, size, np.float32))
    np.testing.assert_array_equal(scale, [1, 1])


@pytest.mark.parametrize("size", [0.3, 1e5, 1e-6, -7.0])
def test_what_moves_by_its_last_bits_alone_is_not_blown_up(size: float):
    seed = 3
    print("seed", seed)
    ulp = np.spacing(np.float32(size))
    wobble = np.random.RandomState(seed).randint(-2, 3, [ROWS, 1]) * ulp
    assert np.ptp(wobble) > 0
    np.testing.assert_array_equal(of(np.float32(size) + wobble)[1], [1])


@pytest.mark.parametrize(
    ("offset", "stddev"), [(0, 1e-6), (0, 1e-20), (0.3, 1e-5), (1e5, 1.0), (0, 1e20), (-2.0, 3.0)]
)
def test_what_moves_is_divided_by_its_deviation_however_small(offset: float, stddev: float):
    seed = 4
    print("seed", seed)
    values = np.random.RandomState(seed).normal(offset, stddev, [ROWS, 3]).astype(np.float32)
    exact = values.astype(np.float64)
    mean, scale = of(values)
    np.testing.assert_allclose(scale, exact.std(axis=0), rtol=1e-6)
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=1e-6, atol=1e-6 * stddev)


def test_one_outlier_is_a_spread():
    values = np.full([ROWS, 1], 0.3, np.float32)
    values[70] = 0.31
    np.testing.assert_allclose(of(values)[1], values.astype(np.float64).std(axis=0), rtol=1e-6)
