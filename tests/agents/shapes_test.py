"""Protects losses from broadcasting: another shape than the target's ends in one line."""

from __future__ import annotations

import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from agents import returns
from agents.muzero import losses as muzero
from agents.pets import losses as pets
from agents.planet import losses as planet
from agents.planet.networks import LatentState
from agents.shapes import check_same_shape

tfd = tfp.distributions


def zeros(*shape: int) -> tf.Tensor:
    return tf.zeros(shape)


def latent(*shape: int) -> LatentState:
    return LatentState(*[tf.ones(shape)] * 4)


def normal(*shape: int) -> tfd.Normal:
    return tfd.Normal(zeros(*shape), tf.ones(shape))


def test_unknown_sizes_pass_and_known_ones_are_compared():
    @tf.function(input_signature=[tf.TensorSpec([None, 3]), tf.TensorSpec([2, None])])
    def compare(first, second):
        check_same_shape(first=first, second=second)
        return first

    compare(zeros(2, 3), zeros(2, 3))
    with pytest.raises(ValueError) as error:
        check_same_shape(image=zeros(2, 3), mean=zeros(2, 1), known=zeros(2, 3))
    assert str(error.value) == "expected one shape, got image (2, 3), mean (2, 1), known (2, 3)"


# Every pair here would broadcast.
@pytest.mark.parametrize(
    "loss",
    [
        lambda: planet.image_log_likelihood(zeros(6, 8, 8, 1), zeros(6, 8, 8, 3)),
        lambda: planet.image_log_likelihood(zeros(6, 8, 8, 3), zeros(1, 8, 8, 3)),
        lambda: planet.reward_log_likelihood(zeros(4, 4), zeros(4), tf.ones([4, 4], tf.bool)),
        lambda: planet.reward_log_likelihood(zeros(4, 4), zeros(4, 4), tf.ones([4, 1], tf.bool)),
        lambda: planet.divergence(latent(2, 5, 3), latent(2, 1, 3), 0.0),
        lambda: muzero.cross_entropy(zeros(3, 4), zeros(1, 4)),
        lambda: muzero.cross_entropy(zeros(3, 1), zeros(3, 4)),
        lambda: muzero.number_loss(zeros(3), zeros(3, 1)),
        lambda: muzero.number_loss(zeros(3, 1), zeros(3, 21)),
        lambda: pets.prediction_loss(normal(3, 5, 2), zeros(3, 5, 1)),
        lambda: pets.prediction_loss(tfd.Deterministic(zeros(3, 5, 2)), zeros(5, 2)),
        lambda: pets.mixture_log_prob(normal(3, 5, 2), zeros(1, 2)),
        lambda: pets.mixture_quantile(normal(3, 5, 2), zeros(3, 5, 2)),
        lambda: returns.n_step_returns(zeros(3, 4), zeros(1, 4), zeros(3, 5), 2),
        lambda: returns.n_step_returns(zeros(3, 4), zeros(3, 4), zeros(1, 5), 2),
    ],
)
def test_no_loss_broadcasts(loss):
    with pytest.raises(ValueError, match=r"^expected one shape, got ") as error:
        loss()
    assert "\n" not in str(error.value)
