"""One way to refuse bad input: the same error class that the native ops raise."""

from __future__ import annotations

import tensorflow as tf


def require(condition: bool, message: str) -> None:
    """Raises InvalidArgumentError with `message` unless the condition holds."""
    if not condition:
        raise tf.errors.InvalidArgumentError(None, None, message)
