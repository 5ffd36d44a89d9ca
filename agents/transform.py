"""What stands between replay and learner, where an agent has it."""

from __future__ import annotations

import abc
from typing import Any

import tensorflow as tf


class Transform(tf.Module, abc.ABC):
    """A step between replay and learner, such as a search with fresh parameters, or imagination.

    It is applied in the dataset's threads, beside the learner, which writes its weights meanwhile:
    a transform reads none but its own, and everything that it remembers is in its variables.

    Attributes:
      period: updates after which `refresh` is called; None: never.
    """

    period: int | None = None

    @abc.abstractmethod
    def __call__(self, batch: Any, update: tf.Tensor) -> Any:
        """Returns a batch of the same nest; `update` int64 is the number of the update it is for.

        Randomness comes from `update` and the transform's seed alone.
        """

    def refresh(self) -> None:
        """Takes what it needs from the networks; nothing reads or writes them meanwhile."""
        raise NotImplementedError
