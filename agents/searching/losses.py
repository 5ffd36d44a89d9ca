"""What policies are fitted to the search's visits by."""

from __future__ import annotations

import tensorflow as tf

from agents.shapes import check_same_shape


def cross_entropy(target: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """−Σ target · log softmax(logits), for policies and categories [..., n]."""
    check_same_shape(target=target, logits=logits)
    return -tf.reduce_sum(target * tf.nn.log_softmax(logits), axis=-1)
