"""Records the CPU's latent plans for the CUDA kernels to be compared with: one file a problem.

python -m tests.gpu.record_cem
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from ops import loader
from tests.gpu import cem_harness as harness
from tests.ops.cem import latents as make

SIZES = dict(num_candidates=37, num_elites=5, num_iterations=3)
PROBLEMS = {
    "rssm_sample": dict(),
    "rssm_given_noise": dict(noise=True),
    "rssm_mean_absolute_deviation": dict(
        stddev_estimator="mean_absolute_deviation", momentum=0.3, min_stddev=0.2, activation="relu"
    ),
    "ssm_swish": dict(kind="ssm", activation="swish"),
    "rnn_deep": dict(kind="rnn", input_layers=(9, 17), prior_layers=(6, 5), reward_layers=(4, 3)),
    "mean_latents": dict(latents="mean", reward_layers=()),
    "shortage": dict(kind="ssm", reward_layers=(), noise=True, poisoned=True),
}


def make_problem(
    seed: int,
    kind: str = "rssm",
    noise: bool = False,
    poisoned: bool = False,
    latents: str = "sample",
    activation: str = "elu",
    stddev_estimator: str = "std",
    momentum: float = 0.0,
    min_stddev: float = 0.0,
    **layers,
) -> tuple[dict, dict]:
    """The native op's arguments, and the same problem as flat arrays."""
    rng = np.random.RandomState(seed)
    model = make.make_model(rng, kind, activation=activation, **layers)
    deterministic, stochastic = make.make_belief(rng, model, batch_size=2)
    sizes = (SIZES["num_iterations"], 2, SIZES["num_candidates"], 4, 2)
    drawn = rng.standard_normal(sizes).astype(np.float32)
    latent = rng.standard_normal([sizes[0], 4, *sizes[1:3], 5]).astype(np.float32)
    if poisoned:  # The second row has too few finite returns in the second iteration.
        latent[1, :, 1, 4:] = np.nan
    tensors = dict(
        deterministic=deterministic,
        stochastic=stochastic,
        initial_mean=np.float32(0.1) * rng.standard_normal([2, 4, 2]).astype(np.float32),
        initial_stddev=np.full([2, 4, 2], 0.9, np.float32),
        action_min=np.float32([-1, -0.5]),
        action_max=np.float32([1, 0.6]),
        seed=np.int32([7, -8]),
        action_weights=model.action_weights,
    )
    numbers = dict(
        activation=activation, model_min_stddev=model.min_stddev, momentum=momentum,
        min_stddev=min_stddev, **SIZES,
    )  # fmt: skip
    arguments = {**tensors, **numbers, "latents": latents, "stddev_estimator": stddev_estimator}
    arguments["noise"], arguments["latent_noise"] = ([drawn], [latent]) if noise else ([], [])
    flat = {name: np.asarray(values) for name, values in {**tensors, **numbers}.items()}
    flat["sample"] = np.asarray(latents == "sample")
    flat["mean_absolute_deviation"] = np.asarray(stddev_estimator == "mean_absolute_deviation")
    if noise:
        flat.update(noise=drawn, latent_noise=latent)
    for part in harness.PARTS:
        layers = getattr(model, part)
        flat[f"{part}_count"] = np.asarray(len(layers))
        for i, layer in enumerate(layers):
            flat[f"{part}_weights_{i}"], flat[f"{part}_bias_{i}"] = map(np.asarray, layer)
        arguments[f"{part}_weights"] = [layer.weights for layer in layers]
        arguments[f"{part}_biases"] = [layer.bias for layer in layers]
    return arguments, flat


def record(name: str, seed: int) -> None:
    """Plans on the CPU and writes problem and plan; a row that ends in an error is marked."""
    arguments, flat = make_problem(seed, **PROBLEMS[name])
    shortage = np.zeros(2, np.int32)
    try:
        plan = loader.load("cem").lookahead_cem_plan_latent(**arguments)
        mean, stddev, returns = (values.numpy() for values in plan)
    except tf.errors.InvalidArgumentError:
        shortage[1] = 2
        healthy = [np.nan_to_num(values) for values in arguments["latent_noise"]]
        plan = loader.load("cem").lookahead_cem_plan_latent(
            **{**arguments, "latent_noise": healthy}
        )
        mean, stddev, returns = (values.numpy() for values in plan)
    harness.RECORDINGS.mkdir(parents=True, exist_ok=True)
    plan = dict(mean=mean, stddev=stddev, returns=returns, shortage=shortage)
    np.savez_compressed(harness.RECORDINGS / f"{name}.npz", **flat, **plan)


if __name__ == "__main__":
    for number, problem in enumerate(PROBLEMS):
        record(problem, number)
        print(problem)
