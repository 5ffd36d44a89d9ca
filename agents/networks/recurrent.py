"""Recurrent cores."""

from __future__ import annotations

import sonnet as snt
import tensorflow as tf


class GRU(snt.Module):
    """Gated recurrent unit with the reset gate applied behind the recurrent product (as cuDNN).

    z = σ(W_z x + U_z h + b_z),  r = σ(W_r x + U_r h + b_r)
    c = tanh(W_c x + b_c + r · (U_c h + d_c)),  h' = (1 − z) c + z h

    That form needs one product with [x] and one with [h] a step. Sonnet's own GRU slices its
    weights at each call, which an unrolled graph pays for at every step and again in the gradient.
    """

    def __init__(self, hidden_size: int, name: str = "gru") -> None:
        super().__init__(name=name)
        self.hidden_size = hidden_size
        self.input_gates = snt.Linear(3 * hidden_size, name="input_gates")
        self.recurrent_gates = snt.Linear(
            3 * hidden_size, w_init=snt.initializers.Orthogonal(), name="recurrent_gates"
        )

    def __call__(self, inputs: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        """Returns the next state [N, hidden_size] from inputs [N, X] and state [N, hidden_size]."""
        x_z, x_r, x_c = tf.split(self.input_gates(inputs), 3, axis=-1)
        h_z, h_r, h_c = tf.split(self.recurrent_gates(state), 3, axis=-1)
        update, reset = tf.sigmoid(x_z + h_z), tf.sigmoid(x_r + h_r)
        candidate = tf.tanh(x_c + reset * h_c)
        return candidate + update * (state - candidate)
