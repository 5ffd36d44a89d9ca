"""Protects the learning rate's two ways down."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from agents.searching.config import SearchingConfig
from agents.searching.descent import learning_rate


def rates(config: SearchingConfig, steps: list[int]) -> list[float]:
    return [float(learning_rate(tf.constant(step), config)) for step in steps]


def test_the_learning_rate_decays_exponentially():
    config = SearchingConfig(learning_rate=0.05, decay_rate=0.1, decay_steps=100)
    np.testing.assert_allclose(
        rates(config, [0, 50, 100]), [0.05, 0.05 * 0.1**0.5, 0.005], rtol=1e-6
    )


def test_or_drops_at_the_updates_that_are_named():
    config = SearchingConfig(learning_rate=0.2, decay_rate=0.1, learning_rate_drops=(100, 300, 500))
    steps = [0, 99, 100, 299, 300, 500, 9999]
    np.testing.assert_allclose(
        rates(config, steps), [0.2, 0.2, 0.02, 0.02, 0.002, 0.0002, 0.0002], rtol=1e-5
    )
