"""What a position is worth by the value network and by rollouts, against how the game has ended
(paper, figure 2b).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from agents.alphago.acting import played_out
from agents.alphago.config import AlphaGoConfig
from agents.alphago.networks import AlphaGoNetworks, PolicyNetwork
from agents.boards.observations import STATE
from agents.builder import FigureMaker
from ops.games import go

_ROLLOUTS = (1, 10, 100)
_BIN = 5  # Moves.


Value = Callable[[tf.Tensor], tf.Tensor]


def squared_errors(
    states: np.ndarray, outcome: float, values: Sequence[Value], turns: np.ndarray
) -> np.ndarray:
    """(z − v)² of each position of a game by each of `values`: [V, L].

    Args:
      states: uint8 [L, S].
      outcome: of the first player.
      values: states [L, S] → what they give to who is to move, [L].
      turns: who is to move, int [L], 0 the first player.
    """
    z = np.where(turns == 0, outcome, -outcome)
    return np.stack([np.square(z - value(tf.constant(states)).numpy()) for value in values])


def value_errors(config: AlphaGoConfig, networks: AlphaGoNetworks) -> FigureMaker:
    """Draws the mean squared error over the move's number: of v_θ, of rollouts by p_π, and of
    `figure_rollouts` by p_σ and by p_ρ.
    """
    rules = networks.rules
    states_of_any_game = [tf.TensorSpec([None, rules.state_size], tf.uint8)]
    traced = tf.function(autograph=False, input_signature=states_of_any_game)

    @traced
    def value(states: tf.Tensor) -> tf.Tensor:
        return networks.value(networks.with_colour(networks.planes(states), states))

    def rollouts(count: int) -> Value:
        @traced
        def mean(states: tf.Tensor) -> tf.Tensor:
            many = tf.repeat(states, count, axis=0)
            weights = networks.rollout.weights if config.rollout_policy == "linear" else None
            outcome = go.rollout(rules, many, weights, [0, count], config.nakade)
            return tf.reduce_mean(tf.reshape(outcome, [-1, count]), axis=1)

        return mean

    def network_rollouts(policy: PolicyNetwork, count: int) -> Value:
        @traced
        def mean(states: tf.Tensor) -> tf.Tensor:
            many = tf.repeat(states, count, axis=0)
            outcome = played_out(networks, policy, many, tf.constant([0, count]))
            return tf.reduce_mean(tf.reshape(outcome, [-1, count]), axis=1)

        return mean

    names = ["value network", *[f"{count} rollouts of p_π" for count in _ROLLOUTS]]
    values = [value, *map(rollouts, _ROLLOUTS)]
    if config.figure_rollouts > 0:
        count = config.figure_rollouts
        names += [f"{count} of p_σ", f"{count} of p_ρ"]
        policies = networks.supervised, networks.reinforced
        values += [network_rollouts(policy, count) for policy in policies]

    def draw(observations: Sequence[Any], actions: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """See `FigureMaker`."""
        numbers, errors = [], []
        for seen in observations:
            states = np.asarray(seen[STATE])
            if not bool(rules.over(states[-1:])[0]):
                continue
            outcome, played = float(rules.score(states[-1:])[0]), states[:-1]
            turns = rules.to_play(played).numpy()
            numbers.append(played[:, 0].astype(int) + 256 * played[:, 1])
            errors.append(squared_errors(played, outcome, values, turns))
        if not errors:
            return {}
        return {"value_error": _picture(names, np.concatenate(numbers), np.concatenate(errors, 1))}

    return draw


def binned(numbers: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of errors [V, P] over moves _BIN by _BIN: middles [M], [V, M], of bins with any."""
    bins = numbers // _BIN
    there = np.unique(bins)
    means = np.stack([errors[:, bins == one].mean(axis=1) for one in there], axis=1)
    return (there + 0.5) * _BIN, means


def _picture(names: Sequence[str], numbers: np.ndarray, errors: np.ndarray) -> np.ndarray:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.2), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    middles, means = binned(numbers, errors)
    for name, row in zip(names, means, strict=True):
        axes.plot(middles, row, label=name)
    axes.set(xlabel="move", ylabel="mean squared error of the outcome", ylim=(0, None))
    axes.legend(frameon=False)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()
