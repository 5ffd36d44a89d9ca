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

    def apply(self, gradients: Sequence[tf.Tensor]) -> None:
        """Does one update; `gradients` in the variables' order."""
        count = tf.cast(self.updates.assign_add(1), tf.float32)
        moments = zip(self.first_moments, self.second_moments, strict=True)
        for variable, gradient, (m, v) in zip(self._variables, gradients, moments, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=self._beta1**count,
                beta2_power=self._beta2**count,
                lr=self._learning_rate,
                beta1=self._beta1,
                beta2=self._beta2,
                epsilon=self._epsilon,
                grad=gradient,
            )
