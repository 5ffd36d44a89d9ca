"""PETS' loss, pure functions of a prediction and the model's variables (paper, section 4)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf
import tensorflow_probability as tfp

from agents.shapes import check_same_shape

tfd = tfp.distributions


def prediction_loss(prediction: tfd.Distribution, targets: tf.Tensor) -> tf.Tensor:
    """Each network's mean loss [E] on targets [E, N, O].

    For Gaussians (y − μ)² / σ² + log σ², which is −2 log p up to a constant (equation 1); for
    deterministic networks the squared error.
    """
    check_same_shape(prediction=prediction.mean(), targets=targets)
    if isinstance(prediction, tfd.Deterministic):
        losses = tf.square(prediction.mean() - targets)
    else:
        losses = -2.0 * prediction.log_prob(targets) - math.log(2.0 * math.pi)
    return tf.reduce_mean(losses, axis=[1, 2])


def weight_penalty(weights: Sequence[tf.Tensor], decays: Sequence[float]) -> tf.Tensor:
    """Σ_layers decay · ‖W‖² / 2, over all networks."""
    terms = [decay * tf.nn.l2_loss(w) for w, decay in zip(weights, decays, strict=True)]
    return tf.add_n(terms)


def bound_penalty(max_log_variance: tf.Tensor, min_log_variance: tf.Tensor) -> tf.Tensor:
    """Σ max − Σ min of the learned bounds [O]: pulls them together around the data."""
    return tf.reduce_sum(max_log_variance) - tf.reduce_sum(min_log_variance)


def mixture_log_prob(prediction: tfd.Normal, targets: tf.Tensor) -> tf.Tensor:
    """log 1/E Σ_e p_e(y) [N]: what the ensemble as a whole says of targets [N, O]."""
    check_same_shape(prediction_of_one=prediction.mean()[0], targets=targets)
    members = tf.reduce_sum(prediction.log_prob(targets), axis=-1)  # [E, N]
    return tf.reduce_logsumexp(members, axis=0) - math.log(members.shape[0])


def mixture_quantile(prediction: tfd.Normal, targets: tf.Tensor) -> tf.Tensor:
    """Where targets [N, O] lie in the ensemble's marginals, 0 to 1; uniform if it is calibrated."""
    check_same_shape(prediction_of_one=prediction.mean()[0], targets=targets)
    return tf.reduce_mean(prediction.cdf(targets), axis=0)
