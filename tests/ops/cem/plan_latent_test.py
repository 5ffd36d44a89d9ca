from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ops import cem, loader
from ops.cem import latent_reference, native
from ops.cem.bounds import initial_fit, make_bounds
from tests.ops.cem import latents as make

SIZES = dict(horizon=4, num_iterations=3, num_candidates=50, num_elites=7)


def problem(seed: int, batch_size: int = 3, **options):
    rng = np.random.RandomState(seed)
    print("seed", seed)
    model = make.make_model(rng, **options)
    return *make.make_belief(rng, model, batch_size), model


def plan(beliefs_and_model, backend: str = "native", **options) -> cem.CEMResult:
    return cem.plan_latent(
        *beliefs_and_model, **{**SIZES, "seed": [3, -4], **options}, backend=backend
    )


def assert_equal(actual: cem.CEMResult, expected: cem.CEMResult) -> None:
    for name in ("mean", "stddev", "action"):
        np.testing.assert_allclose(
            getattr(actual, name), getattr(expected, name), atol=1e-3, err_msg=name
        )
    np.testing.assert_allclose(actual.returns, expected.returns, rtol=1e-3, atol=1e-4)


def assert_same(actual: cem.CEMResult, expected: cem.CEMResult) -> None:
    for ours, theirs in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_native_op_is_built():
    assert loader.load("cem") is not None, loader.why_missing("cem")


@pytest.mark.parametrize("latents", ["sample", "mean"])
@pytest.mark.parametrize("kind", make.KINDS)
@pytest.mark.parametrize("activation", ["relu", "elu", "swish"])
def test_both_backends_plan_the_same_for_every_model(kind: str, activation: str, latents: str):
    given = problem(1, kind=kind, activation=activation)
    actual, expected = (plan(given, backend, latents=latents) for backend in BOTH)
    assert_equal(actual, expected)


BOTH = ("native", "tensorflow")


@pytest.mark.parametrize(
    "options",
    [
        {"input_layers": (9, 8, 7), "prior_layers": (6, 5), "reward_layers": (4, 3, 2)},
        {"prior_layers": (), "reward_layers": ()},
        {"deterministic_size": 1, "stochastic_size": 1, "action_size": 1, "input_layers": (1,)},
        {"deterministic_size": 40, "stochastic_size": 8, "action_size": 6, "input_layers": (64,)},
    ],
)
def test_both_backends_plan_the_same_for_layers_of_any_number_and_width(options):
    given = problem(2, **options)
    assert_equal(*(plan(given, backend) for backend in BOTH))


@pytest.mark.parametrize(
    "options",
    [
        {"stddev_estimator": "mean_absolute_deviation", "momentum": 0.3, "min_stddev": 0.4},
        {"horizon": 1},
        {"num_elites": 50, "num_candidates": 50},
        {"num_elites": 1, "num_candidates": 1},
        {"num_iterations": 1, "num_candidates": 24},
        {"action_min": -0.2, "action_max": tf.constant([0.1, 0.3])},
    ],
)
def test_both_backends_plan_the_same_under_every_setting(options):
    given = problem(3)
    assert_equal(*(plan(given, backend, **options) for backend in BOTH))


@pytest.mark.parametrize("batch_size", [1, 2, 9])
def test_both_backends_plan_the_same_for_any_batch(batch_size: int):
    given = problem(4, batch_size)
    assert_equal(*(plan(given, backend) for backend in BOTH))


def test_both_backends_start_from_the_last_plan():
    given, rng = problem(5), np.random.RandomState(5)
    warm = {
        "initial_mean": rng.uniform(-1, 1, [3, 4, 2]).astype(np.float32),
        "initial_stddev": tf.constant(0.3),
        "num_iterations": 1,
    }
    actual, expected = (plan(given, backend, **warm) for backend in BOTH)
    assert_equal(actual, expected)
    assert np.abs(actual.mean - plan(given, num_iterations=1).mean).max() > 0.1


def test_both_backends_take_the_noise_that_is_given():
    given, rng = problem(6), np.random.RandomState(6)
    noise = {
        "noise": rng.standard_normal([3, 3, 50, 4, 2]).astype(np.float32),
        "latent_noise": rng.standard_normal([3, 4, 3, 50, 5]).astype(np.float32),
        "seed": None,
    }
    actual, expected = (plan(given, backend, **noise) for backend in BOTH)
    assert_equal(actual, expected)
    half = {**noise, "latent_noise": None, "seed": [1, 2]}
    assert_equal(*(plan(given, backend, **half) for backend in BOTH))
    assert np.abs(plan(given, **half).mean - actual.mean).max() > 1e-3


def test_rows_never_mix():
    deterministic, stochastic, model = problem(7)
    rng = np.random.RandomState(7)
    noise = rng.standard_normal([3, 3, 50, 4, 2]).astype(np.float32)
    latent_noise = rng.standard_normal([3, 4, 3, 50, 5]).astype(np.float32)
    together = plan(
        (deterministic, stochastic, model), noise=noise, latent_noise=latent_noise, seed=None
    )
    for b in range(3):
        row = slice(b, b + 1)
        alone = plan(
            (deterministic[row], stochastic[row], model),
            noise=noise[:, row],
            latent_noise=latent_noise[:, :, row],
            seed=None,
        )
        assert_same(alone, cem.CEMResult(*(values[row] for values in together)))


def test_the_plan_is_what_optimize_finds_with_the_models_own_steps():
    deterministic, stochastic, model = problem(8)

    def objective(actions):
        returns = 0.0
        h, s = (tf.repeat(x, actions.shape[1], axis=0) for x in (deterministic, stochastic))
        for t in range(actions.shape[2]):
            flat = tf.reshape(actions[:, :, t], [-1, actions.shape[3]])
            h, s = latent_reference.imagined_step(model, h, s, flat, None)
            x = tf.concat([h, s], axis=1)
            returns += (tf.nn.elu(x @ model.reward[0].weights + model.reward[0].bias)) @ (
                model.reward[1].weights
            )
        return tf.reshape(returns, actions.shape[:2])

    expected = cem.optimize(
        objective, 3, action_size=2, **SIZES, seed=[3, -4], backend="tensorflow"
    )
    actual = plan((deterministic, stochastic, model), latents="mean")
    np.testing.assert_allclose(actual.mean, expected.mean, atol=1e-3)


def raw_plan(given, instruction_set: str):
    bounds = make_bounds(-1.0, 1.0, action_size=2)
    mean, stddev = initial_fit(None, None, [3, 4, 2], bounds)
    options = {key: SIZES[key] for key in ("num_iterations", "num_candidates", "num_elites")}
    return native.plan_latent(
        *given,
        mean=mean,
        stddev=stddev,
        bounds=bounds,
        noise=None,
        latent_noise=None,
        seed=tf.constant([3, -4]),
        latents="sample",
        stddev_estimator="std",
        momentum=0.0,
        min_stddev=0.0,
        instruction_set=instruction_set,
        **options,
    )


def test_a_processor_without_vector_units_makes_the_same_plan():
    given = problem(9)
    mean, stddev, returns = raw_plan(given, "baseline")
    expected = plan(given, "tensorflow")
    assert_equal(cem.CEMResult(mean, stddev, mean[:, 0], returns), expected)


def poisoned_noise(bad: float, poisoned: slice) -> dict[str, np.ndarray]:
    """Noise that makes some of the 50 candidates' latents `bad`."""
    rng = np.random.RandomState(10)
    noise = {
        "noise": rng.standard_normal([3, 3, 50, 4, 2]).astype(np.float32),
        "latent_noise": rng.standard_normal([3, 4, 3, 50, 5]).astype(np.float32),
    }
    noise["latent_noise"][:, :, :, poisoned] = bad
    return noise


@pytest.mark.parametrize("backend", BOTH)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_candidates_without_a_finite_return_are_never_elites(bad: float, backend: str):
    given = problem(10, kind="ssm", reward_layers=())
    noise = poisoned_noise(bad, slice(0, None, 2))
    healthy = {
        "noise": noise["noise"][:, :, 1::2],
        "latent_noise": noise["latent_noise"][:, :, :, 1::2],
    }
    actual = plan(given, backend, seed=None, **noise)
    expected = plan(given, backend, seed=None, num_candidates=25, **healthy)
    assert_equal(actual, expected)


@pytest.mark.parametrize("backend", BOTH)
def test_too_few_finite_returns_are_an_error_that_names_them(backend: str):
    given = problem(10, kind="ssm", reward_layers=())
    noise = poisoned_noise(np.nan, slice(6, None))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"fewer finite returns .*num_elites"):
        plan(given, backend, seed=None, **noise)


def test_the_seed_alone_decides_the_plan():
    given = problem(11)
    assert_same(plan(given), plan(given))
    assert np.abs(plan(given).mean - plan(given, seed=[3, -5]).mean).max() > 1e-3


def test_a_traced_plan_takes_any_batch():
    deterministic, stochastic, model = problem(12, 9)

    @tf.function(autograph=False)
    def traced(deterministic, stochastic):
        return plan((deterministic, stochastic, model))

    concrete = traced.get_concrete_function(
        tf.TensorSpec([None, deterministic.shape[1]]), tf.TensorSpec([None, stochastic.shape[1]])
    )
    for batch_size in (1, 4):
        beliefs = deterministic[:batch_size], stochastic[:batch_size]
        assert_same(concrete(*beliefs), plan((*beliefs, model)))


def test_auto_is_plain_tensorflow_where_the_graph_must_run_elsewhere():
    given = problem(13)

    def operations() -> set[str]:
        graph = tf.function(lambda: plan(given, "auto").mean).get_concrete_function().graph
        return {op.type for op in graph.get_operations()}

    assert "LookaheadCemPlanLatent" in operations()
    with loader.portable():
        assert "LookaheadCemPlanLatent" not in operations()


def test_xla_compiles_the_twin():
    deterministic, stochastic, model = problem(14)
    rng = np.random.RandomState(14)
    noise = rng.standard_normal([3, 3, 50, 4, 2]).astype(np.float32)
    compiled = tf.function(
        lambda: plan((deterministic, stochastic, model), "auto", noise=noise, latents="mean"),
        jit_compile=True,
    )
    assert_equal(compiled(), plan((deterministic, stochastic, model), noise=noise, latents="mean"))
