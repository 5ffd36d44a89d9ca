"""Finds the best of many action sequences without simulating all of each.

A sequence whose rewards so far, and the highest possible from there on, would not put it among the
K best need not be looked at further. So sequences are simulated an action at a time, always those
that promise most: A* (Hart, Nilsson and Raphael 1968) with the highest reward as its heuristic. It
saves much where good sequences earn nearly the highest reward (a caught ball, a balanced pole), and
nothing where none does.

    bound[n] = Σ rewards so far + reward_bound · rewards to come          never below the return
"""

from __future__ import annotations

import numpy as np

from agents.simulators import RolloutPool, Rollouts, Simulator, as_rollouts, controls

# Enough for a call that the work outside MuJoCo does not show.
_STEPS_A_CALL = 4000
# On a bound, for what rounding may add to a sum; far less than a float32 resolves.
_SLACK = 1e-9


def elite_returns(
    pool: RolloutPool, simulator: Simulator, actions: np.ndarray, num_elites: int
) -> np.ndarray:
    """Returns of the `num_elites` best action sequences, bit for bit those of simulating them all.

    Only a simulation that diverges (a warning of MuJoCo's) may go on otherwise than in one go.

    Args:
      pool: whose threads simulate.
      simulator: the environment, in the state to start from; it has a `reward_bound`.
      actions: [N, H, A].
      num_elites: K. Of equal returns (float32) the first count as better, as with `tf.math.top_k`.

    Returns:
      Σ rewards, float32 [N]; -inf for sequences that are not among the K best and were dropped.

    Raises:
      ValueError: a reward exceeds the simulator's bound.
    """
    prefixes = _Prefixes(pool, simulator, actions)
    size = max(1, _STEPS_A_CALL // simulator.steps_per_action)
    while True:
        bounds = prefixes.bounds()
        order = np.argsort(-bounds, kind="stable")
        finished = prefixes.depth[order] == actions.shape[1]
        # With K finished ones before it, a sequence cannot be among the K best.
        contends = np.cumsum(finished) < num_elites
        chosen = order[contends & ~finished][:size]
        if not len(chosen):
            break
        prefixes.extend(np.sort(chosen))
    return np.where(prefixes.depth == actions.shape[1], bounds, -np.inf).astype(np.float32)


class _Prefixes:
    """N action sequences, each simulated for its first `depth` [N] actions."""

    def __init__(self, pool: RolloutPool, simulator: Simulator, actions: np.ndarray) -> None:
        self._pool, self._simulator = pool, simulator
        size, self._horizon, _ = actions.shape
        self.depth = np.zeros(size, int)
        self._returns = np.zeros(size)  # Of the prefixes.
        self._control = controls(simulator, actions)  # [N, L H + 1, nu]
        self._batch, initial = pool.start(simulator, size)
        # A state's sensors come with the step that starts from it: all are one step ahead.
        states, sensordata = pool.advance(self._batch, np.arange(size), self._control[:, :1])
        self._ahead = states[:, 0]  # [N, …]
        # Where the last action ended.
        self._states, self._sensordata = np.tile(initial, (size, 1)), sensordata[:, 0]

    def bounds(self) -> np.ndarray:
        """What no return will exceed, float32 [N]; of a finished sequence the return itself."""
        to_come = (self._horizon - self.depth) * self._simulator.rewards_per_action
        slack = np.where(to_come > 0, _SLACK, 0.0)
        bounds = self._returns + self._simulator.reward_bound * to_come + slack
        return bounds.astype(np.float32)

    def extend(self, rows: np.ndarray) -> None:
        """Simulates one action more of sequences `rows` [n], in ascending order."""
        simulator, stride = self._simulator, self._simulator.steps_per_reward
        length = simulator.steps_per_action
        steps = length * self.depth[rows, None] + np.arange(length + 1)
        control = self._control[rows[:, None], steps]  # [n, L + 1, nu]
        states, sensordata = self._pool.advance(self._batch, rows, control[:, 1:])
        ahead, self._ahead[rows] = self._ahead[rows, None], states[:, -1]
        states = np.concatenate([ahead, states[:, :-1]], axis=1)
        # [n, S + 1, …]: the moments of rewards, the first of them where the last action ended.
        moments = slice(stride - 1, None, stride)
        states = np.concatenate([self._states[rows, None], states[:, moments]], axis=1)
        sensordata = np.concatenate([self._sensordata[rows, None], sensordata[:, moments]], axis=1)
        self._states[rows], self._sensordata[rows] = states[:, -1], sensordata[:, -1]
        rewards = self._judge(as_rollouts(simulator, states, sensordata, control[:, :-1:stride]))
        partial = np.concatenate([self._returns[rows, None], rewards], axis=1)
        self._returns[rows] = np.cumsum(partial, axis=1)[:, -1]
        self.depth[rows] += 1

    def _judge(self, rollouts: Rollouts) -> np.ndarray:
        rewards, bound = self._pool.judge(self._simulator, rollouts), self._simulator.reward_bound
        if rewards.max() > bound:
            raise ValueError(f"a reward is {rewards.max()}, above the simulator's bound of {bound}")
        return rewards
