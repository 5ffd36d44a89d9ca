"""Protects the process: whatever an op is given, it answers with InvalidArgument and a name."""

from __future__ import annotations

import re

import numpy as np
import pytest
import tensorflow as tf

from ops import cem, loader
from tests.ops.cem import latents as make

PARTS = ("input", "gru", "prior", "reward")


def plan_arguments(kind: str = "rssm") -> dict:
    rng = np.random.RandomState(1)
    model = make.make_model(rng, kind)
    deterministic, stochastic = make.make_belief(rng, model)
    layers = {part: getattr(model, part) for part in PARTS}
    return dict(
        deterministic=deterministic,
        stochastic=stochastic,
        initial_mean=tf.zeros([3, 4, 2]),
        initial_stddev=tf.ones([3, 4, 2]),
        action_min=-tf.ones([2]),
        action_max=tf.ones([2]),
        seed=tf.constant([1, 2]),
        noise=[tf.zeros([2, 3, 20, 4, 2])],
        latent_noise=[tf.zeros([2, 4, 3, 20, 5])],
        action_weights=model.action_weights,
        **{f"{part}_weights": [layer.weights for layer in layers[part]] for part in PARTS},
        **{f"{part}_biases": [layer.bias for layer in layers[part]] for part in PARTS},
        activation="elu",
        latents="sample",
        model_min_stddev=0.1,
        num_iterations=2,
        num_candidates=20,
        num_elites=5,
        stddev_estimator="std",
        momentum=0.0,
        min_stddev=0.0,
    )


def sample_arguments() -> dict:
    return dict(
        mean=tf.zeros([3, 4, 2]),
        stddev=tf.ones([3, 4, 2]),
        action_min=-tf.ones([2]),
        action_max=tf.ones([2]),
        seed=tf.constant([1, 2]),
        noise=[tf.zeros([3, 20, 4, 2])],
        num_candidates=20,
    )


def refit_arguments() -> dict:
    return dict(
        mean=tf.zeros([3, 4, 2]),
        stddev=tf.ones([3, 4, 2]),
        actions=tf.zeros([3, 20, 4, 2]),
        returns=tf.zeros([3, 20]),
        num_elites=5,
        stddev_estimator="std",
        momentum=0.0,
        min_stddev=0.0,
    )


def pack_arguments() -> dict:
    return dict(
        weights=[tf.zeros([2, 3, 7]), tf.zeros([2, 7, 4])],
        biases=[tf.zeros([2, 7]), tf.zeros([2, 4])],
        instruction_set="baseline",
    )


def ensemble_arguments() -> dict:
    packed = call("pack_ensemble", pack_arguments())
    return dict(
        inputs=tf.zeros([2, 5, 3]),
        packed=packed,
        sizes=[3, 7, 4],
        activation="elu",
        instruction_set="baseline",
    )


OPS = {
    "plan_latent": plan_arguments,
    "sample": sample_arguments,
    "refit": refit_arguments,
    "pack_ensemble": pack_arguments,
    "ensemble": ensemble_arguments,
}


# Dimensions that may have any size.
FREE = {("pack_ensemble", "weights", 0): 1, ("ensemble", "inputs", None): 1}


def call(op: str, arguments: dict):
    return getattr(loader.load("cem"), f"lookahead_cem_{op}")(**arguments)


def wrong_shapes(shape: list[int], free: int | None) -> list[list[int]]:
    """Other ranks, sizes one off but in the dimension that is free, nothing at all."""
    others = [[], [*shape, 1], [1, *shape], shape[1:], [0] * len(shape)]
    for i in set(range(len(shape))) - {free}:
        for size in (0, shape[i] + 1, max(shape[i] - 1, 0)):
            others.append([*shape[:i], size, *shape[i + 1 :]])
    return [other for other in others if other != shape]


def tensors_of(arguments: dict) -> list[tuple[str, int | None]]:
    """Each tensor's name, and its index where the argument is a list."""
    found = []
    for name, value in arguments.items():
        if isinstance(value, list):
            found += [(name, i) for i in range(len(value)) if tf.is_tensor(value[i])]
        elif tf.is_tensor(value):
            found.append((name, None))
    return found


@pytest.mark.parametrize("op", OPS)
def test_any_wrong_shape_is_refused_by_the_name_of_an_argument(op: str):
    names = sorted(OPS[op](), key=len, reverse=True)
    tried = 0
    for name, index in tensors_of(OPS[op]()):
        arguments = OPS[op]()
        right = arguments[name] if index is None else arguments[name][index]
        for shape in wrong_shapes(right.shape.as_list(), FREE.get((op, name, index))):
            wrong = tf.zeros(shape, right.dtype)
            arguments[name] = wrong
            if index is not None:
                arguments[name] = [*OPS[op]()[name]]
                arguments[name][index] = wrong
            with pytest.raises((tf.errors.InvalidArgumentError, ValueError)) as error:
                call(op, arguments)
            said = re.sub(r"\{\{.*?\}\}", "", str(error.value))
            assert any(other in said for other in names), (name, index, shape, said)
            tried += 1
    print("tried", tried)
    assert tried > 15


@pytest.mark.parametrize(
    ("op", "change", "message"),
    [
        ("plan_latent", {"num_elites": 21}, "num_elites is 21"),
        ("plan_latent", {"momentum": 1.0}, "momentum is 1"),
        ("plan_latent", {"momentum": float("nan")}, "momentum is nan"),
        ("plan_latent", {"min_stddev": -1.0}, "min_stddev is -1"),
        ("plan_latent", {"num_candidates": 2**25}, "num_candidates is 33554432"),
        ("plan_latent", {"action_min": [0.0, 2.0]}, "action_min is 2 where action_max is 1"),
        ("plan_latent", {"action_max": [np.nan, 1.0]}, "action_min is -1 where action_max is nan"),
        ("plan_latent", {"noise": [tf.zeros([2, 3, 20, 4, 2])] * 2}, "noise has 2 tensors"),
        ("plan_latent", {"gru_weights": [], "gru_biases": []}, "deterministic has 13 columns"),
        ("plan_latent", {"instruction_set": "avx1024"}, "instruction_set"),
        ("plan_latent", {"precision": "float16"}, "precision"),
        (
            "plan_latent",
            {"precision": "bfloat16", "instruction_set": "baseline"},
            "precision is bfloat16, which takes a processor with AVX512_BF16",
        ),
        ("sample", {"num_candidates": 0}, "num_candidates"),
        ("ensemble", {"sizes": [3]}, "sizes"),
        ("ensemble", {"sizes": [3, 0, 4]}, "sizes holds 0"),
        ("ensemble", {"sizes": [3, 2**30, 4]}, "sizes holds 1073741824"),
        ("ensemble", {"sizes": [3] * 18}, "sizes has 18 entries"),
        ("ensemble", {"sizes": [3, 8, 5]}, "packed has shape"),
        ("pack_ensemble", {"weights": [tf.zeros([2, 3, 7])] * 2}, r"weights\[1\] has shape"),
        ("refit", {"num_elites": 21}, "num_elites is 21"),
        ("refit", {"returns": tf.fill([3, 20], np.nan)}, "returns: fewer finite returns"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(op: str, change: dict, message: str):
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError), match=message):
        call(op, {**OPS[op](), **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latents": "median"}, "latents is 'median'; expected one of"),
        ({"backend": "cuda"}, "backend is 'cuda'; expected one of"),
        ({"precision": "half"}, "precision is 'half'; expected one of"),
        ({"seed": None}, "seed is None; expected an int32"),
        ({"noise": np.zeros([3, 3, 20, 4, 1])}, r"noise has shape \[3, 3, 20, 4, 1\]; expected"),
        ({"latent_noise": np.zeros([3])}, r"latent_noise has shape \[3\]; expected"),
        ({"num_elites": 51}, "num_elites is 51; expected 1 to num_candidates"),
        ({"horizon": 0}, "horizon is 0; expected an integer of at least 1"),
        ({"deterministic": tf.zeros([3, 12])}, r"model.gru has shape \(17, 39\); expected"),
        ({"deterministic": tf.zeros([2, 13])}, r"deterministic has shape \(2, 13\); expected as"),
        ({"stochastic": tf.zeros([3])}, r"stochastic has shape \(3,\); expected \[B, size\]"),
        ({"activation": "tanh"}, "model.activation is 'tanh'; expected one of"),
        ({"action_weights": tf.zeros([0, 17])}, "model.action_weights has no rows"),
        ({"prior": []}, "model.prior has 0 layers; expected 1 to 16"),
        ({"reward": [cem.Layer(tf.zeros([18, 2]), tf.zeros([2]))]}, "model.reward ends in 2"),
        ({"prior": [cem.Layer(tf.zeros([13, 6]), tf.zeros([6]))]}, "model.prior ends in 6"),
    ],
)
@pytest.mark.parametrize("backend", ["native", "tensorflow"])
def test_plan_latent_names_a_bad_argument_in_one_line(change: dict, message: str, backend: str):
    rng = np.random.RandomState(1)
    model = make.make_model(rng)
    deterministic, stochastic = make.make_belief(rng, model)
    fields = {key: change[key] for key in change if key in cem.LatentModel._fields}
    arguments = {
        **dict(deterministic=deterministic, stochastic=stochastic, horizon=4, num_iterations=3),
        **dict(num_candidates=50, num_elites=5, seed=[1, 2], backend=backend),
        **{key: change[key] for key in change if key not in fields},
    }
    with pytest.raises(ValueError, match=f"^{message}") as error:
        cem.plan_latent(model=model._replace(**fields), **arguments)
    assert "\n" not in str(error.value)
