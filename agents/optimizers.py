"""Optimisers that pipelines can save and that cost little."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


class FusedAdam(tf.Module):
    """Adam (Kingma and Ba 2015), one op a variable.

    Sonnet's takes a dozen, each a pass over memory: for networks of some million weights and small
    batches that is half of an update. All state exists from the start, so a checkpoint restores it.
    """

    def __init__(
        self,
        variables: Sequence[tf.Variable],
        learning_rate: float,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(name="adam")
        self._variables = list(variables)
        self._learning_rate, self._epsilon = learning_rate, epsilon
        self._beta1, self._beta2 = beta1, beta2
        self.updates = tf.Variable(0, dtype=tf.int64, trainable=False, name="updates")
        zeros = lambda: [tf.Variable(tf.zeros_like(v), trainable=False) for v in variables]  # noqa: E731
        self.first_moments, self.second_moments = zeros(), zeros()

    def apply(
        self, gradients: Sequence[tf.Tensor], learning_rate: tf.Tensor | float | None = None
    ) -> None:
        """Does one update; `gradients` in the variables' order.

        `learning_rate`: of this update; None: the optimiser's own.
        """
        learning_rate = self._learning_rate if learning_rate is None else learning_rate
        count = tf.cast(self.updates.assign_add(1), tf.float32)
        moments = zip(self.first_moments, self.second_moments, strict=True)
        for variable, gradient, (m, v) in zip(self._variables, gradients, moments, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=self._beta1**count,
                beta2_power=self._beta2**count,
                lr=learning_rate,
                beta1=self._beta1,
                beta2=self._beta2,
                epsilon=self._epsilon,
                grad=gradient,
            )


class FusedMomentum(tf.Module):
    """Stochastic gradient descent with momentum, one op a variable: v ← μv + g, θ ← θ − αv."""

    def __init__(
        self, variables: Sequence[tf.Variable], learning_rate: float, momentum: float = 0.9
    ) -> None:
        super().__init__(name="momentum")
        self._variables = list(variables)
        self._learning_rate, self._momentum = learning_rate, momentum
        self.velocities = [tf.Variable(tf.zeros_like(v), trainable=False) for v in variables]

    def apply(
        self, gradients: Sequence[tf.Tensor], learning_rate: tf.Tensor | float | None = None
    ) -> None:
        """Does one update; arguments as `FusedAdam.apply` takes them."""
        learning_rate = self._learning_rate if learning_rate is None else learning_rate
        for variable, gradient, velocity in zip(
            self._variables, gradients, self.velocities, strict=True
        ):
            tf.raw_ops.ResourceApplyMomentum(
                var=variable.handle,
                accum=velocity.handle,
                lr=learning_rate,
                grad=gradient,
                momentum=self._momentum,
            )
