"""A policy of a board game's observations, and its spec, for tests of what takes nests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from agents.policy import Policy

SPEC = {
    "board": tf.TensorSpec([3, 3, 3], tf.float32),
    "legal_actions": tf.TensorSpec([9], tf.bool),
}


class BoardPolicy(Policy):
    """Scores the cells of what it sees, and takes the best of the legal ones.

    `info` has the `scores` [B, 9]; the state counts the moves.
    """

    meanings: Mapping[str, str] = {"info_scores": "how good each cell looks"}

    def __init__(self) -> None:
        super().__init__(name="board_policy")
        self.observation_spec, self.action_spec = SPEC, tf.TensorSpec([], tf.int32)
        self.weights = tf.Variable(tf.random.stateless_normal([27, 9], [3, 4]), name="weights")

    def initial_state(self, batch_size: int | tf.Tensor) -> Any:
        return {"moves": tf.zeros([batch_size], tf.int32)}

    @tf.function(autograph=False)
    def step(self, observation, state, seed):
        board, legal = observation["board"], observation["legal_actions"]
        scores = tf.reshape(board, [-1, 27]) @ self.weights
        noisy = scores + tf.random.stateless_normal(tf.shape(scores), seed)
        action = tf.argmax(tf.where(legal, noisy, -1e9), axis=1, output_type=tf.int32)
        return action, {"moves": state["moves"] + 1}, {"scores": scores}
