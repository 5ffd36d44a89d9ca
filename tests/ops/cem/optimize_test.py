from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ops import cem
from ops.cem.optimize import select_elites
from tests.ops.cem import numpy_twin

SMALL = dict(
    batch_size=2, horizon=3, action_size=2, num_iterations=4, num_candidates=20, num_elites=5
)


def towards(target):
    """Returns fall with the squared distance from `target`, [H, A] or [B, 1, H, A]."""
    return lambda actions: -tf.reduce_sum(tf.square(actions - target), axis=[2, 3])


def search(objective=None, **options) -> cem.CEMResult:
    objective = objective or towards(0.3)
    options = {**SMALL, "seed": [1, 2], **options}
    return cem.optimize(objective, **options)


def draw_noise(seed: int, batch_size: int = 2) -> np.ndarray:
    shape = [SMALL["num_iterations"], batch_size, SMALL["num_candidates"], 3, 2]
    return np.random.RandomState(seed).standard_normal(shape).astype(np.float32)


def assert_equal(actual: cem.CEMResult, expected: cem.CEMResult, tolerance: float = 1e-6) -> None:
    for ours, theirs, name in zip(actual, expected, cem.CEMResult._fields, strict=True):
        np.testing.assert_allclose(ours, theirs, tolerance, tolerance, err_msg=name)


@pytest.mark.parametrize("estimator", ["std", "mean_absolute_deviation"])
@pytest.mark.parametrize("case", range(3))
def test_equals_its_float64_twin(estimator: str, case: int):
    seed = 100 * case + len(estimator)
    print("seed", seed)
    rng = np.random.RandomState(seed)
    b, h, a, i, j, k = (rng.randint(low, high) for low, high in zip(*_SIZES, strict=True))
    noise = rng.standard_normal([i, b, j, h, a]).astype(np.float32)
    target = rng.uniform(-1.5, 1.5, [b, h, a]).astype(np.float32)
    low, high = rng.uniform(-1, -0.5, a), rng.uniform(0.5, 1, a)
    low, high = low.astype(np.float32), high.astype(np.float32)
    options = {
        "initial_mean": rng.uniform(-0.5, 0.5, [b, h, a]).astype(np.float32),
        "initial_stddev": rng.uniform(0.5, 1.5, [b, h, a]).astype(np.float32),
        "stddev_estimator": estimator,
        "momentum": [0.0, 0.1, 0.5][case],
        "min_stddev": [0.0, 0.2, 0.05][case],
    }
    actual = cem.optimize(
        towards(target[:, None]),
        batch_size=b,
        horizon=h,
        action_size=a,
        num_iterations=i,
        num_candidates=j,
        num_elites=k,
        action_min=tf.constant(low),
        action_max=tf.constant(high),
        noise=noise,
        **options,
    )
    mean, stddev, returns = numpy_twin.optimize(
        lambda row, actions: -np.sum(np.square(actions - target[row])),
        noise,
        num_elites=k,
        action_min=low,
        action_max=high,
        **options,
    )
    assert_equal(actual, cem.CEMResult(mean, stddev, mean[:, 0], returns), tolerance=1e-4)


# B, H, A, I, J, K: lowest, and one more than the highest.
_SIZES = ((2, 1, 1, 2, 12, 2), (5, 5, 4, 6, 40, 12))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"noise": draw_noise(seed=3)},
        {"stddev_estimator": "mean_absolute_deviation", "momentum": 0.3, "min_stddev": 0.2},
        {"num_elites": 20, "horizon": 1, "action_min": -0.1, "action_max": tf.constant([0.2, 2.0])},
        {"num_candidates": 1, "num_elites": 1, "batch_size": 5},
    ],
)
def test_both_backends_search_alike(options):
    options = {"objective": lambda a: -tf.reduce_sum(tf.square(a - 0.3), axis=[2, 3]), **options}
    native, twin = (search(**options, backend=backend) for backend in ("native", "tensorflow"))
    assert_equal(native, twin, tolerance=1e-5)


@pytest.mark.parametrize("backend", ["native", "tensorflow"])
@pytest.mark.parametrize("estimator", ["std", "mean_absolute_deviation"])
@pytest.mark.parametrize("ties", ["keep", "drop"])
def test_with_few_different_returns_it_equals_its_float64_twin(backend, estimator, ties):
    noise = draw_noise(seed=12)
    options = dict(stddev_estimator=estimator, momentum=0.1, min_stddev=0.05, ties=ties)

    def count(actions):  # How many actions lie in a small box: 0 to 3, mostly 0.
        near = tf.abs(actions - 0.4) < [0.5, 0.3]
        return tf.reduce_sum(tf.cast(tf.reduce_all(near, axis=3), tf.float32), axis=2)

    actual = search(count, noise=noise, backend=backend, **options)
    mean, stddev, returns = numpy_twin.optimize(
        lambda _, actions: (np.abs(actions - 0.4) < [0.5, 0.3]).all(axis=1).sum(),
        noise,
        num_elites=SMALL["num_elites"],
        action_min=-1.0,
        action_max=1.0,
        initial_mean=np.zeros([2, 3, 2]),
        initial_stddev=np.ones([2, 3, 2]),
        **options,
    )
    assert_equal(actual, cem.CEMResult(mean, stddev, mean[:, 0], returns), tolerance=1e-5)


@pytest.mark.parametrize("backend", ["native", "tensorflow"])
def test_dropped_ties_leave_the_few_better_candidates(backend):
    noise = draw_noise(seed=13)[:1]
    draws = np.clip(noise[0], -1, 1)

    def objective(actions):  # 2 for the third candidate of row 0, else 1.
        return tf.ones(actions.shape[:2]) + tf.one_hot(tf.constant([2, 20]), 20)

    options = dict(num_iterations=1, noise=noise, ties="drop", backend=backend)
    result = search(objective, **options)
    np.testing.assert_allclose(result.mean[0], draws[0, 2], atol=1e-6)
    np.testing.assert_allclose(result.stddev[0], np.zeros([3, 2]), atol=1e-6)
    # All equal: as many as ever, the first.
    np.testing.assert_allclose(result.mean[1], draws[1, :5].mean(axis=0), atol=1e-6)
    np.testing.assert_array_equal(result.returns, [[2, 1, 1, 1, 1], [1] * 5])


def test_rows_never_mix():
    target = np.random.RandomState(5).uniform(-1, 1, [3, 1, 3, 2]).astype(np.float32)
    noise = draw_noise(seed=6, batch_size=3)
    together = search(towards(target), batch_size=3, noise=noise)
    alone = [
        search(towards(target[b : b + 1]), batch_size=1, noise=noise[:, b : b + 1])
        for b in range(3)
    ]
    rows = (np.concatenate(values) for values in zip(*alone, strict=True))
    assert_equal(together, cem.CEMResult(*rows))


def test_finds_each_rows_optimum_of_a_quadratic():
    target = np.random.RandomState(7).uniform(-1, 1, [3, 1, 4, 2]).astype(np.float32)
    result = search(
        towards(target),
        batch_size=3,
        horizon=4,
        num_iterations=15,
        num_candidates=200,
        num_elites=20,
    )
    np.testing.assert_allclose(result.mean, target[:, 0], atol=0.01)
    np.testing.assert_allclose(result.action, target[:, 0, 0], atol=0.01)
    assert np.all(np.diff(result.returns) <= 0) and np.all(result.returns > -1e-3)


def test_an_optimum_outside_the_bounds_is_met_at_the_bound():
    result = search(
        towards(3.0),
        num_iterations=12,
        num_candidates=200,
        num_elites=20,
        action_min=-0.5,
        action_max=tf.constant([0.25, 0.5]),
    )
    np.testing.assert_allclose(result.mean, np.broadcast_to([0.25, 0.5], [2, 3, 2]), atol=1e-3)


def test_solves_linear_quadratic_control_as_riccati_does():
    a, b = np.array([[1.0, 0.2], [0.0, 1.0]]), np.array([[0.0], [0.2]])
    q, r, horizon = np.diag([1.0, 0.1]), np.array([[0.1]]), 5
    starts = np.array([[1.0, 0.0], [-0.5, 1.5]])
    value = q  # Backwards in time: cost-to-go x'Px and the gain of the first step.
    for _ in range(horizon):
        gain = np.linalg.solve(r + b.T @ value @ b, b.T @ value @ a)
        value = q + a.T @ value @ (a - b @ gain)

    def objective(actions):
        as_32 = lambda x: tf.constant(x, tf.float32)  # noqa: E731
        x = tf.broadcast_to(as_32(starts)[:, None], [2, actions.shape[1], 2])
        cost = tf.zeros(actions.shape[:2])
        for t in range(horizon):
            u = actions[:, :, t]
            cost += tf.einsum("bji,ik,bjk->bj", x, as_32(q), x) + r[0, 0] * u[..., 0] ** 2
            x = x @ as_32(a.T) + u @ as_32(b.T)
        return -cost - tf.einsum("bji,ik,bjk->bj", x, as_32(q), x)

    result = search(
        objective,
        horizon=horizon,
        action_size=1,
        num_iterations=20,
        num_candidates=400,
        num_elites=40,
        action_min=-5.0,
        action_max=5.0,
        initial_stddev=2.0,
    )
    optimal_cost = np.einsum("bi,ik,bk->b", starts, value, starts)
    np.testing.assert_allclose(result.action, -starts @ gain.T, atol=0.02)
    np.testing.assert_allclose(-result.returns[:, 0], optimal_cost, rtol=1e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_returns_that_are_not_finite_are_never_elites(bad: float):
    def objective(actions):
        returns = towards(0.3)(actions)
        return tf.where(actions[:, :, 0, 0] > 0, bad, returns)

    result = search(objective)
    assert np.all(np.isfinite(result.returns)) and np.all(np.isfinite(result.stddev))
    assert np.all(result.action[:, 0] <= 0)


def test_too_few_finite_returns_are_an_error_that_names_them():
    def objective(actions):
        numbers = tf.range(20.0)[None] + tf.zeros([2, 1])
        return tf.where(numbers < [[20.0], [4.0]], numbers, np.nan)

    with pytest.raises(tf.errors.InvalidArgumentError, match=r"fewer finite returns .*num_elites"):
        search(objective)


def test_ties_go_to_the_lower_index():
    actions = tf.reshape(tf.range(4.0), [1, 4, 1, 1])
    elites, _ = select_elites(actions, tf.ones([1, 4]), 2)
    np.testing.assert_array_equal(elites[0, :, 0, 0], [0, 1])


def test_with_all_candidates_elite_the_fit_is_that_of_the_draws():
    noise = draw_noise(seed=8)[:1]
    options = dict(action_min=-9.0, action_max=9.0, initial_mean=0.0, initial_stddev=1.0)
    result = search(num_iterations=1, num_elites=20, noise=noise, **options)
    np.testing.assert_allclose(result.mean, noise[0].mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(result.stddev, noise[0].std(axis=1), atol=1e-6)


@pytest.mark.parametrize("estimator", ["std", "mean_absolute_deviation"])
def test_one_elite_is_the_best_draw_without_spread(estimator: str):
    noise = draw_noise(seed=9)[:1]
    result = search(
        num_iterations=1, num_elites=1, noise=noise, stddev_estimator=estimator, min_stddev=0.1
    )
    draws = np.clip(noise[0], -1, 1)
    best = np.argmax(towards(0.3)(tf.constant(draws)), axis=1)
    np.testing.assert_allclose(result.mean, draws[np.arange(2), best], atol=1e-6)
    np.testing.assert_allclose(result.stddev, np.full([2, 3, 2], 0.1), atol=1e-6)


def test_a_horizon_of_one_plans_its_only_action():
    result = search(horizon=1)
    assert result.mean.shape == (2, 1, 2)
    np.testing.assert_array_equal(result.action, result.mean[:, 0])


@pytest.mark.parametrize("backend", ["native", "tensorflow"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0; expected an integer of at least 1"),
        ({"action_size": 0}, "action_size is 0; expected an integer of at least 1"),
        ({"horizon": -2}, "horizon is -2; expected an integer of at least 1"),
        ({"horizon": 2.5}, "horizon is 2.5; expected an integer of at least 1"),
        ({"num_iterations": 0}, "num_iterations is 0; expected an integer of at least 1"),
        ({"num_candidates": 0}, "num_candidates is 0; expected an integer of at least 1"),
        ({"num_elites": 21}, "num_elites is 21; expected 1 to num_candidates, which is 20"),
        ({"num_elites": 0}, "num_elites is 0; expected 1 to num_candidates, which is 20"),
        ({"stddev_estimator": "mad"}, "stddev_estimator is 'mad'; expected one of .*'std'"),
        ({"ties": "first"}, "ties is 'first'; expected one of .*'keep'"),
        ({"backend": "cuda"}, "backend is 'cuda'; expected one of .*'tensorflow'"),
        ({"momentum": 1.0}, "momentum is 1.0; expected 0 ≤ momentum < 1"),
        ({"min_stddev": -0.1}, "min_stddev is -0.1; expected at least 0"),
        ({"min_stddev": np.nan}, "min_stddev is nan; expected at least 0, and finite"),
        ({"min_stddev": np.inf}, "min_stddev is inf; expected at least 0, and finite"),
        ({"num_candidates": 2**24 + 1}, "num_candidates is 16777217; expected at most 16777216"),
        ({"seed": None}, r"seed is None; expected an int32 \[2\] seed, or noise"),
        ({"seed": [1, 2, 3]}, r"seed is int32 \(3,\); expected int32 \[2\]"),
        ({"seed": [1.0, 2.0]}, r"seed is float32 \(2,\); expected int32 \[2\]"),
        (
            {"seed": None, "noise": draw_noise(1), "seeded_objective": True},
            r"seed is None; expected an int32 \[2\] seed",
        ),
        (
            {"noise": draw_noise(1, batch_size=1)},
            r"noise has shape \[4, 1, 20, 3, 2\]; expected \[4, 2, 20, 3, 2\]",
        ),
        ({"noise": np.zeros([4, 2])}, r"noise has shape \[4, 2\]; expected \[4, 2, 20, 3, 2\]"),
    ],
)
def test_a_bad_argument_is_named_in_one_line(options, message: str, backend: str):
    with pytest.raises(ValueError, match=f"^{message}") as error:
        search(**{"backend": backend, **options})
    assert "\n" not in str(error.value)


def test_an_objective_of_the_wrong_shape_is_named_in_one_line():
    with pytest.raises(ValueError, match=r"^objective_fn gave shape \[40\]; expected \[2, 20\]"):
        search(lambda actions: tf.zeros([40]))


def test_the_batch_size_may_be_a_tensor():
    @tf.function
    def plan(target):
        return search(towards(target), batch_size=tf.shape(target)[0], noise=None)

    shape = [None, 1, 3, 2]
    concrete = plan.get_concrete_function(tf.TensorSpec(shape))
    for batch_size in (1, 3):
        target = tf.random.stateless_uniform([batch_size, 1, 3, 2], [3, 4])
        assert_equal(concrete(target), search(towards(target), batch_size=batch_size))


def test_the_seed_alone_decides_the_plan():
    assert_equal(search(seed=[1, 2]), search(seed=tf.constant([1, 2])), tolerance=0)
    plans = [search(seed=seed).mean for seed in ([1, 2], [1, 3], [2, 2])]
    assert not np.allclose(plans[0], plans[1]) and not np.allclose(plans[0], plans[2])


def test_compiled_by_xla_it_gives_the_same_plan_from_the_same_noise():
    noise = draw_noise(seed=11)
    plan = lambda: search(noise=noise, momentum=0.1)  # noqa: E731
    assert_equal(tf.function(plan, jit_compile=True)(), plan(), tolerance=1e-5)


def test_compiled_by_xla_it_plans_from_a_seed_too():
    # XLA makes other numbers of a seed, so the plan is another, as good and as repeatable.
    plan = tf.function(
        lambda seed: search(seed=seed, num_iterations=12, num_candidates=200, num_elites=20),
        jit_compile=True,
    )
    result = plan(tf.constant([1, 2]))
    np.testing.assert_allclose(result.mean, np.full([2, 3, 2], 0.3), atol=0.01)
    assert_equal(plan(tf.constant([1, 2])), result, tolerance=0)


def test_a_seeded_objective_gets_another_seed_each_iteration():
    seen = []

    def objective(actions, seed):
        seen.append(tuple(seed.numpy()))
        return towards(0.3)(actions)

    unseeded, seeded = search(), search(objective, seeded_objective=True)
    assert len(set(seen)) == len(seen) == SMALL["num_iterations"]
    assert_equal(seeded, unseeded, tolerance=0)
    search(objective, seeded_objective=True)
    assert seen[:4] == seen[4:]
