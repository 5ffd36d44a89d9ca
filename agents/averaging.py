"""Who acts has the average of the last updates' weights, so that no single update shakes it."""

from __future__ import annotations

import copy

import sonnet as snt
import tensorflow as tf


class OnlineAndActing(snt.Module):
    """The network that learns and the one that acts.

    Attributes:
      online: the learner's; its `training_step`, if it has one, is counted behind an update.
      acting: its average over the last updates; without a decay the same network.
    """

    def __init__(self, online: snt.Module, average_decay: float | None) -> None:
        """Makes the second network, a copy of the first, whose variables are there.

        Args:
          online: learns.
          average_decay: what the average keeps of itself at an update, and less at first:
            (1 + updates) / (10 + updates); None: there is no average.
        """
        super().__init__(name="networks")
        self.online = online
        self.acting = online if average_decay is None else copy.deepcopy(online)
        self._decay = average_decay

    def follow(self, updates: tf.Tensor) -> None:
        """Lets `acting` follow an update, the `updates`th; what is no float is the same in both."""
        if self._decay is None:
            return
        share = averaging_share(updates, self._decay)
        counter = getattr(self.online, "training_step", None)
        for average, variable in zip(self.acting.variables, self.online.variables, strict=True):
            if variable is counter:
                average.assign(updates)
            elif variable.dtype.is_floating:
                average.assign_add(share * (variable - average))
            else:
                average.assign(variable)


def averaging_share(updates: tf.Tensor, decay: float) -> tf.Tensor:
    """What an average of the weights takes over at an update: 1 − decay, and more at first."""
    updates = tf.cast(updates, tf.float32)
    return 1.0 - tf.minimum(decay, (1.0 + updates) / (10.0 + updates))
