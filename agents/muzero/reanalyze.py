"""MuZero Reanalyze: what was replayed is searched again with fresh parameters (paper, appendix H).

    replay → [ search with recent parameters → policy targets
               value at t + n → n-step value targets ] → learner

It runs beside the learner, in the dataset's threads, on a copy of the network that is renewed every
`target_period` updates: the paper's target network, which searches here too, so that what an update
learns from depends on its number alone and not on how far ahead the dataset's threads are.

The second line works without the first: values alone cost one inference each and no search.
"""

from __future__ import annotations

import copy

import sonnet as snt
import tensorflow as tf

from agents.boards.observations import split
from agents.muzero.acting import recurrent_fn, root_of
from agents.muzero.config import MuZeroConfig
from agents.muzero.networks import MuZeroNetwork
from agents.muzero.trajectories import stacks
from agents.returns import n_step_returns
from agents.searching.search import search
from agents.transform import Transform
from agents.types import Sample, Trajectory


class Reanalyzer(Transform):
    """Gives the first positions of each batch, as many as their share says, fresh targets.

    Batches are drawn at random, so that the first positions are as good as any. Where a time limit
    cut an episode, the bootstrap is the last observation's.
    """

    def __init__(self, config: MuZeroConfig, network: MuZeroNetwork, seed: int) -> None:
        super().__init__(name="reanalyzer")
        self._config, self._seed = config, seed
        self._learning = network
        self.network = copy.deepcopy(network)
        self.period = config.target_period
        self._searched = round(config.reanalyze_fraction * config.batch_size)
        share = max(config.reanalyze_fraction, config.value_refresh_fraction)
        self._valued = 0 if config.n_step is None else round(share * config.batch_size)

    def refresh(self) -> None:
        """Copies the network that learns."""
        for mine, theirs in zip(self.network.variables, self._learning.variables, strict=True):
            mine.assign(theirs)

    def __call__(self, batch: Sample | Trajectory, update: tf.Tensor) -> Sample | Trajectory:
        """Replaces targets of a batch [B, T, …]; shapes and types stay."""
        if isinstance(batch, Sample):
            return batch._replace(trajectory=self(batch.trajectory, update))
        extras = dict(batch.extras)
        if self._searched:
            part = _first(batch, self._searched)
            policies = self.policies(part, tf.stack([self._seed, tf.cast(update, tf.int32)]))
            age = tf.zeros_like(part.extras["searched_at"]) + self.network.training_step
            fresh = {"search_policy": policies, "searched_at": age}
            extras |= {name: _joined(fresh[name], extras[name], self._searched) for name in fresh}
        if self._valued:
            fresh = self.values(_first(batch, self._valued))
            extras["value_target"] = _joined(fresh, extras["value_target"], self._valued)
        return batch._replace(extras=extras)

    def policies(self, part: Trajectory, seed: tf.Tensor) -> tf.Tensor:
        """`search_policy` [M, T, A] of a batch [M, T, …], anew at t … t + K."""
        extras, start = part.extras, self._config.context
        policies = self._policies(part, seed) * self._known(extras["policy_weight"])[..., None]
        return _replaced(extras["search_policy"], start, policies)

    def values(self, part: Trajectory) -> tf.Tensor:
        """`value_target` [M, T] of a batch [M, T, …], anew at t … t + K."""
        extras = part.extras
        values = self._values(part) * self._known(extras["value_weight"])
        return _replaced(extras["value_target"], self._config.context, values)

    def _known(self, weights: tf.Tensor) -> tf.Tensor:
        start = self._config.context
        return weights[:, start : start + self._config.unroll_steps + 1]

    def _policies(self, part: Trajectory, seed: tf.Tensor) -> tf.Tensor:
        """Searches at the K + 1 positions: [M, K + 1, A]."""
        config = self._config
        rows = self._rows(part, config.context)
        observations, past = stacks(part, rows, config.frame_stack)
        _, legal = split(part.observation)
        if legal is not None:
            legal = snt.merge_leading_dims(tf.gather(legal, rows, batch_dims=1), 2)
        found = search(
            config,
            root_of(self.network, observations, past),
            recurrent_fn(config, self.network),
            legal,
            seed,
            num_simulations=config.num_simulations,
            explore=True,
        )
        return snt.split_leading_dim(found.action_weights, rows, 2)

    def _values(self, part: Trajectory) -> tf.Tensor:
        """n-step returns of the K + 1 positions, bootstrapped by the network's values."""
        config, start = self._config, self._config.context
        behind = part.extras["policy_weight"] == 0
        cut = behind & (part.extras["value_weight"] == 0)
        cut &= tf.range(config.length) > start  # Rows before an episode are no end of it.
        last = tf.where(
            tf.reduce_any(cut, axis=1), tf.argmax(cut, axis=1, output_type=tf.int32), config.length
        )
        rows = tf.minimum(self._rows(part, start + config.n_step), last[:, None])
        observations, past = stacks(part, rows, config.frame_stack)
        raw = self.network.initial_inference(observations, past).value
        bootstrap = snt.split_leading_dim(self.network.to_number(raw), rows, 2)
        # Behind a cut nothing is added or discounted, so that the bootstrap comes through whole.
        discounts = tf.where(cut, 1.0, config.discount * part.discount)
        ahead = slice(start, start + config.unroll_steps + config.n_step)
        values = tf.pad(bootstrap, [[0, 0], [config.n_step, 0]])
        returns = n_step_returns(part.reward[:, ahead], discounts[:, ahead], values, config.n_step)
        return returns[:, : config.unroll_steps + 1]

    def _rows(self, part: Trajectory, first: int) -> tf.Tensor:
        """Rows first … first + K for each element: int32 [M, K + 1]."""
        rows = tf.range(first, first + self._config.unroll_steps + 1)
        return tf.tile(rows[None], [tf.shape(part.reward)[0], 1])


def _first(batch: Trajectory, count: int) -> Trajectory:
    return tf.nest.map_structure(lambda values: values[:count], batch)


def _joined(fresh: tf.Tensor, values: tf.Tensor, count: int) -> tf.Tensor:
    """`values` [B, …] with `fresh` [count, …] in the place of the first ones."""
    return tf.concat([fresh, values[count:]], axis=0)


def _replaced(values: tf.Tensor, start: int, part: tf.Tensor) -> tf.Tensor:
    """`values` [M, T, …] with `part` [M, P, …] from row `start` on."""
    end = start + part.shape[1]
    return tf.concat([values[:, :start], part, values[:, end:]], axis=1)
