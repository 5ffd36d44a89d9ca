"""Cross-entropy method over action sequences, batched (PlaNet, Algorithm 2).

    q ← Normal(mean, stddev)
    repeat num_iterations times:
        actions  ~ q, clipped to the bounds          [B, J, H, A]
        returns  = objective_fn(actions)             [B, J]
        elites   = the num_elites best of each row   [B, K, H, A]
        q        ← refit(elites)

B beliefs are planned for side by side and never mix: row b of every result depends on row b of
the inputs alone.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from ops import loader
from ops.cem import backends, native
from ops.cem.bounds import as_float32, initial_fit, make_bounds

STDDEV_ESTIMATORS = ("std", "mean_absolute_deviation")
TIES = ("keep", "drop")
MOST_CANDIDATES = 2**24


class CEMResult(NamedTuple):
    """What a search ends with.

    Attributes:
      mean: [B, H, A] mean of the last fit.
      stddev: [B, H, A] standard deviation of the last fit.
      action: [B, A] first action of `mean`, the one to execute.
      returns: [B, K] returns of the last iteration's elites, best first.
    """

    mean: tf.Tensor
    stddev: tf.Tensor
    action: tf.Tensor
    returns: tf.Tensor


def optimize(
    objective_fn: Callable[..., tf.Tensor],
    batch_size: int | tf.Tensor,
    horizon: int,
    action_size: int,
    num_iterations: int,
    num_candidates: int,
    num_elites: int,
    action_min: float | tf.Tensor = -1.0,
    action_max: float | tf.Tensor = 1.0,
    initial_mean: tf.Tensor | None = None,
    initial_stddev: tf.Tensor | None = None,
    noise: tf.Tensor | None = None,
    seed: tf.Tensor | None = None,
    stddev_estimator: str = "std",
    momentum: float = 0.0,
    min_stddev: float = 0.0,
    backend: str = "auto",
    seeded_objective: bool = False,
    ties: str = "keep",
) -> CEMResult:
    """Searches for the action sequences of highest return (PlaNet, Algorithm 2).

    Args:
      objective_fn: `actions [B, J, H, A] → returns [B, J]`. A candidate whose return is NaN or
        infinite is never an elite.
      batch_size: B, number of independent searches; may be a scalar tensor.
      horizon: H, steps of a plan.
      action_size: A, size of an action.
      num_iterations: I, rounds of sampling and refitting.
      num_candidates: J, sequences judged a round.
      num_elites: K, best sequences the distribution is refitted to, 1 ≤ K ≤ J.
      action_min, action_max: bounds, numbers or [A], which may be infinite. Candidates are clipped
        before they are judged and before they are refitted.
      initial_mean, initial_stddev: broadcast to [B, H, A]. By default the middle of the bounds and
        half of their distance: zeros and ones (Algorithm 2, line 1) in [−1, 1] and without bounds.
        `bounds.initial_fit` says how a single infinite bound counts.
      noise: [I, B, J, H, A] standard normal draws. Without it they come from `seed`.
      seed: int32 [2] for `tf.random.stateless_normal`; needed when `noise` is not given.
      stddev_estimator: `std`, the root mean squared deviation (divides by K; the released PlaNet
        code), or `mean_absolute_deviation`, 1/(K−1) Σ|a − μ| (the paper's Algorithm 2, line 8).
      momentum: share of the last mean and stddev kept at a refit, in [0, 1).
      min_stddev: lower bound of the fitted stddev.
      backend: `native` (sampling, elites and refit as ops of ours), `tensorflow` (plain ops, static
        shapes, XLA compiles it) or `auto`.
      seeded_objective: calls `objective_fn(actions, seed)` with an int32 [2] seed, fresh for each
        iteration, for objectives that draw numbers of their own. Needs `seed`.
      ties: whether elites no better than the worst of them count. `keep`: yes, all K do, of equal
        candidates those of lower index. `drop`: no, unless all K are equal. Where returns are
        counts, a few good candidates are otherwise lost among many that are all the same.

    Returns:
      A `CEMResult`.

    Raises:
      ValueError: an argument is out of its range; the message names it.
      tf.errors.InvalidArgumentError: a row has fewer finite returns than `num_elites`, or bounds
        that are not known before the graph runs do not fit.
    """
    if seed is None and (noise is None or seeded_objective):
        raise ValueError("seed is None; expected an int32 [2] seed, or noise [I, B, J, H, A]")

    def judge(actions, iteration, seed):
        return objective_fn(actions, seed) if seeded_objective else objective_fn(actions)

    return search(
        judge,
        batch_size=batch_size,
        horizon=horizon,
        action_size=action_size,
        num_iterations=num_iterations,
        num_candidates=num_candidates,
        num_elites=num_elites,
        action_min=action_min,
        action_max=action_max,
        initial_mean=initial_mean,
        initial_stddev=initial_stddev,
        noise=noise,
        seed=seed,
        stddev_estimator=stddev_estimator,
        momentum=momentum,
        min_stddev=min_stddev,
        backend=backend,
        ties=ties,
    )


def search(
    judge: Callable[[tf.Tensor, tf.Tensor, tf.Tensor | None], tf.Tensor],
    *,
    batch_size: int | tf.Tensor,
    horizon: int,
    action_size: int,
    num_iterations: int,
    num_candidates: int,
    num_elites: int,
    action_min: float | tf.Tensor,
    action_max: float | tf.Tensor,
    initial_mean: tf.Tensor | None,
    initial_stddev: tf.Tensor | None,
    noise: tf.Tensor | None,
    seed: tf.Tensor | None,
    stddev_estimator: str,
    momentum: float,
    min_stddev: float,
    backend: str,
    ties: str = "keep",
) -> CEMResult:
    """`optimize` for `judge(actions [B, J, H, A], iteration, seed or None) → returns [B, J]`."""
    check_arguments(
        # A tensor's value is not known here.
        **({} if tf.is_tensor(batch_size) else {"batch_size": batch_size}),
        horizon=horizon,
        action_size=action_size,
        num_iterations=num_iterations,
        num_candidates=num_candidates,
        num_elites=num_elites,
        stddev_estimator=stddev_estimator,
        momentum=momentum,
        min_stddev=min_stddev,
    )
    if ties not in TIES:
        raise ValueError(f"ties is {ties!r}; expected one of {TIES}")
    bounds = make_bounds(action_min, action_max, action_size)
    shape = [batch_size, horizon, action_size]
    mean, stddev = initial_fit(initial_mean, initial_stddev, shape, bounds)
    candidates_shape = [batch_size, num_candidates, horizon, action_size]  # [B, J, H, A]
    if noise is not None:
        noise = as_float32("noise", noise)
        check_shape("noise has", noise, [num_iterations, *candidates_shape])
    seed = None if seed is None else as_seed(seed)
    backend = backends.resolve(backend)
    rule = dict(
        num_elites=num_elites,
        stddev_estimator=stddev_estimator,
        momentum=momentum,
        min_stddev=min_stddev,
        ties=ties,
    )
    # The native ones have no kernels for GPUs: plain ops stay where everything else is.
    on_host = backend == "native" and not loader.has_gpu()
    sample, fit = (native.sample, native.refit) if on_host else (_sample, _fit)

    def iterate(i, mean, stddev, _):
        seeds = (None, None) if seed is None else iteration_seeds(seed, i)
        eps = None if noise is None else noise[i]
        actions = sample(mean, stddev, num_candidates, bounds, eps, seeds[0])
        returns = as_float32("objective_fn's result", judge(actions, i, seeds[1]))
        check_shape("objective_fn gave", returns, candidates_shape[:2])
        return i + 1, *fit(mean, stddev, actions, returns, **rule)

    _, mean, stddev, returns = tf.while_loop(
        lambda i, *_: i < num_iterations,
        iterate,
        (tf.constant(0), mean, stddev, tf.zeros([batch_size, num_elites])),
        maximum_iterations=num_iterations,
        parallel_iterations=1,
    )
    return CEMResult(mean, stddev, mean[:, 0], returns)


def _sample(mean, stddev, num_candidates, bounds, noise, seed):
    """Draws actions [B, J, H, A]; see `native.sample`."""
    if noise is None:
        shape = tf.unstack(tf.shape(mean))
        noise = tf.random.stateless_normal([shape[0], num_candidates, *mean.shape[1:]], seed)
    return tf.clip_by_value(mean[:, None] + stddev[:, None] * noise, *bounds)


def _fit(
    mean, stddev, actions, returns, *, num_elites, stddev_estimator, momentum, min_stddev, ties
):
    """The next mean and stddev, and the elites' returns; see `native.refit`."""
    elites, elite_returns = select_elites(actions, returns, num_elites)
    counting = better_than_the_worst(elite_returns) if ties == "drop" else None
    new_mean, new_stddev = refit(elites, stddev_estimator, counting)
    mean = momentum * mean + (1.0 - momentum) * new_mean
    stddev = tf.maximum(momentum * stddev + (1.0 - momentum) * new_stddev, min_stddev)
    return mean, stddev, elite_returns


def iteration_seeds(seed: tf.Tensor, iteration: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns an iteration's own two int32 [2] seeds: the candidates', the objective's."""
    folded = tf.random.experimental.stateless_fold_in(seed, iteration)
    first, second = tf.unstack(tf.random.experimental.stateless_split(folded, 2))
    return first, second


def rank(
    actions: tf.Tensor, returns: tf.Tensor, num_elites: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Picks each row's best candidates (Algorithm 2, line 7); ties go to the lower index.

    Args:
      actions: [B, J, H, A].
      returns: [B, J]; candidates with a NaN or infinite one are behind all others.
      num_elites: K.

    Returns:
      elites [B, K, H, A], their returns [B, K], best first, and which of those are finite, bool
      [B, K]: others are no elites, and stand there where a row has no more.
    """
    judged = tf.where(tf.math.is_finite(returns), returns, -float("inf"))
    elite_returns, indices = tf.math.top_k(judged, num_elites)
    finite = tf.math.is_finite(elite_returns)
    return tf.gather(actions, indices, axis=1, batch_dims=1), elite_returns, finite


def select_elites(
    actions: tf.Tensor, returns: tf.Tensor, num_elites: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """`rank` where each row must have K elites: they [B, K, H, A] and their returns [B, K].

    Raises:
      tf.errors.InvalidArgumentError: fewer than K finite returns in a row.
    """
    elites, elite_returns, finite = rank(actions, returns, num_elites)
    enough = tf.debugging.assert_equal(
        tf.reduce_all(finite), True, "returns: fewer finite returns in a row than num_elites"
    )
    with tf.control_dependencies([enough] if enough is not None else []):
        return tf.identity(elites), tf.identity(elite_returns)


def better_than_the_worst(elite_returns: tf.Tensor) -> tf.Tensor:
    """Which of a row's elites count when ties do not: bool [B, K] of returns [B, K], best first."""
    better = elite_returns > elite_returns[:, -1:]
    return better | ~tf.reduce_any(better, axis=1, keepdims=True)


def refit(
    elites: tf.Tensor, stddev_estimator: str = "std", counting: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Fits mean and stddev [B, H, A] to elites [B, K, H, A] (Algorithm 2, line 8).

    With `counting`, bool [B, K], to those alone; at least one of a row does.
    """
    if counting is None:
        counting = tf.ones(tf.shape(elites)[:2], tf.bool)
    weights = tf.cast(counting, elites.dtype)[..., None, None]  # [B, K, 1, 1]
    count = tf.reduce_sum(weights, axis=1)
    mean = tf.reduce_sum(weights * elites, axis=1) / count
    apart = elites - mean[:, None]
    if stddev_estimator == "std":
        return mean, tf.sqrt(tf.reduce_sum(weights * tf.square(apart), axis=1) / count)
    # A single elite has no spread; the paper's K − 1 would divide by zero.
    return mean, tf.reduce_sum(weights * tf.abs(apart), axis=1) / tf.maximum(count - 1.0, 1.0)


def check_arguments(
    *,
    num_candidates: int,
    num_elites: int,
    stddev_estimator: str,
    momentum: float,
    min_stddev: float,
    **at_least_one: int,
) -> None:
    """Raises a ValueError that names the argument which is out of its range."""
    for name, value in {**at_least_one, "num_candidates": num_candidates}.items():
        if not isinstance(value, numbers.Integral) or value < 1:
            raise ValueError(f"{name} is {value}; expected an integer of at least 1")
    if num_candidates > MOST_CANDIDATES:
        raise ValueError(f"num_candidates is {num_candidates}; expected at most {MOST_CANDIDATES}")
    if not 1 <= num_elites <= num_candidates:
        raise ValueError(
            f"num_elites is {num_elites}; expected 1 to num_candidates, which is {num_candidates}"
        )
    if stddev_estimator not in STDDEV_ESTIMATORS:
        raise ValueError(
            f"stddev_estimator is {stddev_estimator!r}; expected one of {STDDEV_ESTIMATORS}"
        )
    if not 0.0 <= momentum < 1.0:
        raise ValueError(f"momentum is {momentum}; expected 0 ≤ momentum < 1")
    if not 0.0 <= min_stddev < math.inf:
        raise ValueError(f"min_stddev is {min_stddev}; expected at least 0, and finite")


def as_seed(seed: Any) -> tf.Tensor:
    """A seed as int32 [2]; a ValueError where it is none."""
    seed = tf.convert_to_tensor(seed)
    if not seed.dtype.is_integer or not seed.shape.is_compatible_with([2]):
        raise ValueError(f"seed is {seed.dtype.name} {seed.shape}; expected int32 [2]")
    return tf.cast(seed, tf.int32)


def check_shape(what: str, values: tf.Tensor, expected: list[Any]) -> None:
    """Checks the sizes known by now; `expected` may hold scalar tensors, which fit any size."""
    known = [None if tf.is_tensor(size) else size for size in expected]
    if not values.shape.is_compatible_with(known):
        raise ValueError(f"{what} shape {values.shape.as_list()}; expected {known}")
