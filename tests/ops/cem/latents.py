"""Random latent models and beliefs, for tests."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from ops import cem

KINDS = ("rssm", "ssm", "rnn")
PLANET = dict(
    deterministic_size=200,
    stochastic_size=30,
    action_size=1,
    input_layers=(200,),
    prior_layers=(200,),
    reward_layers=(200, 200),
)


def make_model(
    rng: np.random.RandomState,
    kind: str = "rssm",
    deterministic_size: int = 13,
    stochastic_size: int = 5,
    action_size: int = 2,
    input_layers: tuple[int, ...] = (17,),
    prior_layers: tuple[int, ...] = (19,),
    reward_layers: tuple[int, ...] = (11,),
    activation: str = "elu",
    scale: float = 0.4,
) -> cem.LatentModel:
    """Weights of any widths; large enough that rewards differ."""

    def draw(*shape: int) -> tf.Tensor:
        return tf.constant(scale * rng.standard_normal(shape), tf.float32)

    def stack(size: int, *widths: int) -> list[cem.Layer]:
        sizes = (size, *widths)
        return [cem.Layer(draw(i, o), draw(o)) for i, o in zip(sizes, widths, strict=False)]

    size = 0 if kind == "ssm" else deterministic_size
    hidden, gates = input_layers[-1], 3 * size
    outputs = stochastic_size * (1 if kind == "rnn" else 2)
    return cem.LatentModel(
        input=stack(stochastic_size, *input_layers),
        action_weights=draw(action_size, input_layers[0]),
        gru=[*stack(hidden, gates), *stack(size, gates)] if size else [],
        prior=stack(size or hidden, *prior_layers, outputs),
        reward=stack(size + stochastic_size, *reward_layers, 1),
        activation=activation,
        min_stddev=0.1,
    )


def make_belief(
    rng: np.random.RandomState, model: cem.LatentModel, batch_size: int = 3
) -> tuple[tf.Tensor, tf.Tensor]:
    """Deterministic [B, D] and stochastic [B, S] that fit the model."""
    size = model.gru[1].weights.shape[0] if model.gru else 0
    shapes = ([batch_size, size], [batch_size, model.input[0].weights.shape[0]])
    deterministic, stochastic = (
        tf.constant(rng.standard_normal(shape), tf.float32) for shape in shapes
    )
    return deterministic, stochastic
