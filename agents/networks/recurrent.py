"""Recurrent cores."""

from __future__ import annotations

from typing import Any

import sonnet as snt
import tensorflow as tf

from agents.unrolling import unroll


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


class LSTM(snt.Module):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; forget gates biased by 1).

    c' = σ(f + 1) c + σ(i) tanh(g),  h' = σ(o) tanh(c'), where i, f, o, g are W x + U h + b.

    The inputs' product is made for all rows at once.
    """

    def __init__(self, hidden_size: int, name: str = "lstm") -> None:
        super().__init__(name=name)
        self.hidden_size = hidden_size
        self.input_gates = snt.Linear(4 * hidden_size, name="input_gates")
        self.recurrent_gates = snt.Linear(
            4 * hidden_size,
            with_bias=False,
            w_init=snt.initializers.Orthogonal(),
            name="recurrent_gates",
        )

    def __call__(
        self, inputs: tf.Tensor, hidden: tf.Tensor, cell: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The next hidden and cell state [N, hidden_size] from inputs [N, X]."""
        return self._step(self.input_gates(inputs), hidden, cell)

    def unroll(
        self,
        inputs: tf.Tensor,
        starts: tf.Tensor,
        hidden: tf.Tensor,
        cell: tf.Tensor,
        burn_in: int = 0,
    ) -> tf.Tensor:
        """Hidden states behind inputs [B, T, X], from state [B, hidden_size] on.

        Args:
          inputs: x.
          starts: bool [B, T], rows before which the state is set to zeros.
          hidden, cell: the state before the first row.
          burn_in: rows that no gradient goes back to.

        Returns:
          [B, T − burn_in, hidden_size], of the rows behind those.
        """

        def step(state: tuple[tf.Tensor, tf.Tensor], row: tuple[tf.Tensor, tf.Tensor]) -> Any:
            gates, keep = row
            state = self._step(gates, *(keep[:, None] * value for value in state))
            return state, state[0]

        state = (hidden, cell)
        rows = (self.input_gates(inputs), tf.cast(tf.logical_not(starts), inputs.dtype))
        if burn_in:
            state, _ = unroll(step, state, [values[:, :burn_in] for values in rows], hidden)
            state = tuple(tf.stop_gradient(value) for value in state)
        return unroll(step, state, [values[:, burn_in:] for values in rows], hidden)[1]

    def _step(
        self, gates: tf.Tensor, hidden: tf.Tensor, cell: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        i, f, o, g = tf.split(gates + self.recurrent_gates(hidden), 4, axis=-1)
        cell = tf.sigmoid(f + 1.0) * cell + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(cell), cell
