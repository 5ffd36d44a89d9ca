"""Ends a trial's learning when held-out data say so, at the best weights."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

# An epoch is better when it lowers the best loss by this share of its size.
_IMPROVEMENT = 0.01


class EarlyStopping(tf.Module):
    """Remembers a trial's best weights; all of it is state, so that a resume goes on.

    Attributes:
      stopped: whether the trial's learning is over.
    """

    def __init__(self, variables: Sequence[tf.Variable], patience: int) -> None:
        super().__init__(name="early_stopping")
        self._variables, self._patience = list(variables), patience
        self._best = [tf.Variable(v, trainable=False) for v in variables]
        self._best_loss = tf.Variable(float("inf"), trainable=False)
        self._waited = tf.Variable(0, trainable=False)
        self.stopped = tf.Variable(False, trainable=False)

    def begin(self) -> None:
        """Begins a trial."""
        self._best_loss.assign(float("inf"))
        self._waited.assign(0)
        self.stopped.assign(False)

    def judge(self, loss: tf.Tensor, last: tf.Tensor) -> None:
        """Takes an epoch's held-out loss; after the last epoch the best weights come back."""
        best = self._best_loss.read_value()
        size = tf.where(tf.math.is_finite(best), tf.abs(best), 0.0)
        better = loss < best - _IMPROVEMENT * size
        for saved, variable in zip(self._best, self._variables, strict=True):
            saved.assign(tf.where(better, variable, saved))
        self._best_loss.assign(tf.where(better, loss, best))
        self._waited.assign(tf.where(better, 0, self._waited + 1))
        self.stopped.assign(self._waited >= self._patience)
        over = tf.logical_or(last, self.stopped)
        for saved, variable in zip(self._best, self._variables, strict=True):
            variable.assign(tf.where(over, saved, variable))
