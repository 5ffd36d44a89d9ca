"""Random ensembles, and what they say in float64."""

from __future__ import annotations

import itertools

import numpy as np

NUMPY = {
    "relu": lambda x: np.maximum(x, 0.0),
    "elu": lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0.0)), x),
    "swish": lambda x: x / (1.0 + np.exp(-x)),
}


def problem(seed: int, members: int, rows: int, sizes: tuple[int, ...]):
    print("seed", seed)
    rng = np.random.RandomState(seed)
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)  # noqa: E731
    pairs = list(itertools.pairwise(sizes))
    weights = [normal(members, i, o) / np.float32(i**0.5) for i, o in pairs]
    biases = [normal(members, o) for _, o in pairs]
    return normal(members, rows, sizes[0]), weights, biases


def in_float64(inputs, weights, biases, activation: str) -> np.ndarray:
    hidden = inputs.astype(np.float64)
    for i, (layer, bias) in enumerate(zip(weights, biases, strict=True)):
        hidden = hidden @ layer.astype(np.float64) + bias[:, None]
        if i + 1 < len(weights):
            hidden = NUMPY[activation](hidden)
    return hidden
