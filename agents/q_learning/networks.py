"""The network that learns and acts, and the one that its targets come from."""

from __future__ import annotations

import copy

import sonnet as snt
import tensorflow as tf


class TargetedNetworks(snt.Module):
    """Two networks of one kind.

    Attributes:
      online, target: the networks; the second begins as the first one.
      training_step: updates so far; the learner counts, exploration follows.
    """

    def __init__(self, online: snt.Module, name: str) -> None:
        super().__init__(name=name)
        self.training_step = tf.Variable(0, trainable=False, name="training_step")
        self.online, self.target = online, copy.deepcopy(online)

    def renew_target(self, due: tf.Tensor | bool) -> None:
        """Makes the target network the online one, where that is due."""
        for theirs, ours in zip(self.target.variables, self.online.variables, strict=True):
            theirs.assign(tf.where(due, ours, theirs))
