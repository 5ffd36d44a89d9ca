"""Features → distributions over actions, for policies that draw from them."""

from __future__ import annotations

import numpy as np
import sonnet as snt
import tensorflow as tf
import tensorflow_probability as tfp
from dm_env import specs

tfd = tfp.distributions


class CategoricalHead(snt.Module):
    """Features [..., F] → a distribution over the numbers of discrete actions [...]."""

    def __init__(self, actions: specs.DiscreteArray) -> None:
        super().__init__(name="categorical_head")
        # At first all actions are equally likely.
        self._logits = snt.Linear(actions.num_values, w_init=tf.zeros_initializer())
        self._dtype = actions.dtype

    def __call__(self, features: tf.Tensor) -> tfd.Distribution:
        """Returns the distribution."""
        return tfd.Categorical(self._logits(features), dtype=self._dtype)


class TruncatedGaussianHead(snt.Module):
    """Features [..., F] → a Gaussian over continuous actions [..., A], cut off at their bounds.

    Its densities are exact, and so are the gradients, for every action that it can choose; its
    centre, the mode, lies within the bounds, and its spread is the same everywhere.
    """

    def __init__(self, actions: specs.BoundedArray, stddev: float) -> None:
        super().__init__(name="truncated_gaussian_head")
        self._low, self._high = (
            np.broadcast_to(x, actions.shape) for x in (actions.minimum, actions.maximum)
        )
        self._centre = snt.Linear(actions.shape[0], w_init=tf.zeros_initializer())
        self._log_stddev = tf.Variable(tf.fill(actions.shape, tf.math.log(stddev)), name="stddev")

    def __call__(self, features: tf.Tensor) -> tfd.Distribution:
        """Returns the distribution."""
        middle, reach = (self._low + self._high) / 2, (self._high - self._low) / 2
        centre = middle + reach * tf.tanh(self._centre(features))
        stddev = reach * tf.exp(self._log_stddev)
        return tfd.Independent(tfd.TruncatedNormal(centre, stddev, self._low, self._high), 1)


def policy_head(actions: specs.Array, stddev: float, agent: str) -> snt.Module:
    """Makes the head that fits the actions.

    Args:
      actions: discrete, or float32 [A] between finite bounds.
      stddev: that continuous actions begin with, where a bound lies 1 from the middle.
      agent: for the error's text.

    Raises:
      ValueError: the actions are neither.
    """
    if isinstance(actions, specs.DiscreteArray) and actions.shape == ():
        return CategoricalHead(actions)
    if _between_bounds(actions):
        return TruncatedGaussianHead(actions, stddev)
    raise ValueError(
        f"{agent} needs one discrete action, or float32 [A] between finite bounds, got {actions}"
    )


def _between_bounds(actions: specs.Array) -> bool:
    if not isinstance(actions, specs.BoundedArray) or actions.dtype != np.float32:
        return False
    bounds = (actions.minimum, actions.maximum)
    return len(actions.shape) == 1 and all(np.all(np.isfinite(bound)) for bound in bounds)
