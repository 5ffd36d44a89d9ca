"""Actions as planes of an image or a board, so that convolutions see where they are."""

from __future__ import annotations

from typing import Literal

import tensorflow as tf

ActionPlanes = Literal["tiled", "index", "cells", "columns"]


def action_planes(
    action: tf.Tensor, kind: ActionPlanes, num_actions: int, height: int, width: int
) -> tf.Tensor:
    """Actions int32 [B] as planes [B, height, width, P].

    Args:
      action: of each row.
      kind: `tiled`, one plane for each action; `index`, one plane of a / A; `cells`, the plane's
        cell for actions that are cells (more planes where a cell has several, none for a pass);
        `columns`, a column for each action.
      num_actions: A.
      height, width: of the planes.
    """
    if kind == "index":
        planes = tf.cast(action, tf.float32)[:, None, None, None] / num_actions
        return tf.tile(planes, [1, height, width, 1])
    one_hot = tf.one_hot(action, num_actions)
    if kind == "tiled":
        return tf.tile(one_hot[:, None, None, :], [1, height, width, 1])
    if kind == "columns":
        return tf.tile(one_hot[:, None, :, None], [1, height, 1, 1])
    planes = num_actions // (height * width)
    return tf.reshape(one_hot[:, : height * width * planes], [-1, height, width, planes])
