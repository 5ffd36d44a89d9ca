"""Protects plans whose products are of bfloat16: close to float32's, or refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ops import cem
from tests.ops.cem import latents as make

HERE = "avx512_bf16" in Path("/proc/cpuinfo").read_text()
needs_bfloat16 = pytest.mark.skipif(not HERE, reason="this processor has no AVX512_BF16")


def plan(problem, precision: str, sizes: tuple[int, int, int, int], **options) -> cem.CEMResult:
    options = {"seed": [5, 6], "backend": "native", **options}
    return cem.plan_latent(*problem, *sizes, precision=precision, **options)


def problem(seed: int, batch_size: int, **options):
    rng = np.random.RandomState(seed)
    print("seed", seed)
    model = make.make_model(rng, **options)
    return *make.make_belief(rng, model, batch_size), model


PRECISIONS = ("float32", "bfloat16")


@needs_bfloat16
def test_planets_plan_is_within_two_hundredths_of_float32s():
    # On average: where returns are close, rounding swaps elites, which moves a number or two more.
    given = problem(0, 2, **make.PLANET, scale=0.07)
    exact, rounded = (plan(given, precision, (12, 10, 1000, 100)).mean for precision in PRECISIONS)
    difference = np.abs(exact - rounded)
    print("difference", difference.mean(), "at most", difference.max())
    assert 0 < difference.mean() < 0.02
    assert difference.max() < 0.05


@needs_bfloat16
@pytest.mark.parametrize("latents", ["sample", "mean"])
@pytest.mark.parametrize("kind", make.KINDS)
@pytest.mark.parametrize("activation", ["relu", "elu", "swish"])
def test_candidates_are_judged_as_in_float32(kind: str, activation: str, latents: str):
    # All candidates are elites, so that every return is seen; widths that halve to fractions.
    given = problem(2, 3, kind=kind, activation=activation)
    exact, rounded = (
        plan(given, precision, (4, 1, 50, 50), latents=latents).returns for precision in PRECISIONS
    )
    assert np.abs(exact - rounded).max() < 0.02 * np.std(exact) + 0.02 * np.abs(exact).max()


@needs_bfloat16
def test_a_belief_plans_the_same_beside_others():
    deterministic, stochastic, model = problem(3, 3)
    noise = np.random.RandomState(3).standard_normal([2, 3, 70, 4, 2]).astype(np.float32)
    options = dict(latents="mean", seed=None)
    together = plan(
        (deterministic, stochastic, model), "bfloat16", (4, 2, 70, 9), noise=noise, **options
    )
    for b in range(3):
        row = slice(b, b + 1)
        given = (deterministic[row], stochastic[row], model)
        alone = plan(given, "bfloat16", (4, 2, 70, 9), noise=noise[:, row], **options)
        np.testing.assert_array_equal(alone.mean, together.mean[row])
        np.testing.assert_array_equal(alone.returns, together.returns[row])


@pytest.mark.skipif(HERE, reason="this processor has AVX512_BF16")
def test_a_processor_without_it_is_named():
    message = "precision is bfloat16, which takes a processor with AVX512_BF16"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        plan(problem(4, 2), "bfloat16", (4, 2, 20, 5))


def test_plain_tensorflow_has_no_bfloat16():
    message = "precision is 'bfloat16', which the tensorflow backend does not have; expected"
    with pytest.raises(ValueError, match=f"^{message}"):
        plan(problem(5, 2), "bfloat16", (4, 2, 20, 5), backend="tensorflow")
