"""AlphaGo's learners, a stage each: p_σ and p_π on experts' moves, p_ρ and v_θ on own games."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from agents import replicas
from agents.alphago.config import AlphaGoConfig
from agents.alphago.experts import Examples, Experts
from agents.alphago.networks import AlphaGoNetworks, playable
from agents.averaging import OnlineAndActing
from agents.boards.symmetries import turned_at_random, turned_states
from agents.learner import Learner, Update, measured_if
from agents.moments import weighted_mean
from agents.optimizers import Adam, gradient
from agents.searching.descent import Descent
from ops.games import go

_MEASURED_AT_ONCE = 256  # Held-out positions, so that they fit into memory at paper scale.


class Played(NamedTuple):
    """A position of an own game, and how it ended; leaves [B, 1, …] as they come from replay.

    Attributes:
      state: uint8 [S].
      legal: bool [A].
      action: int32, that was played there.
      outcome: z, float32: 1, 0 or −1 for who was to move.
      held_out: bool: it is measured only.
    """

    state: tf.Tensor
    legal: tf.Tensor
    action: tf.Tensor
    outcome: tf.Tensor
    held_out: tf.Tensor


class ExpertLearner(Learner):
    """Learns from experts' moves.

    Attributes:
      fingerprint: of the files that it learns from, as it began.
    """

    indivisible = None

    def __init__(
        self,
        config: AlphaGoConfig,
        networks: AlphaGoNetworks,
        experts: Experts,
        seed: int,
        updates: tf.Variable | None = None,
    ) -> None:
        super().__init__(networks, seed, updates)
        self._config, self._experts = config, experts
        self.fingerprint = tf.Variable(experts.fingerprint, trainable=False, name="fingerprint")

    def held_out(
        self, name: str, judge: Callable[[tf.Tensor], tf.Tensor], update: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Share of held-out moves that are the likeliest ones, every `held_out_interval` updates.

        Args:
          name: of the metric, in front of `/held_out_accuracy`.
          judge: states [B, S] → logits [B, A].
          update: number of the present one.
        """
        config, held_out = self._config, self._experts.held_out
        count = min(len(held_out.action), config.held_out_positions)
        if not count:
            return {}
        state, action = (tf.constant(part[:count]) for part in held_out)

        def measure() -> dict[str, tf.Tensor]:
            right = []
            for start in range(0, count, _MEASURED_AT_ONCE):
                rows = slice(start, start + _MEASURED_AT_ONCE)
                said = tf.argmax(judge(state[rows]), axis=1, output_type=tf.int32)
                right.append(tf.cast(said == action[rows], tf.float32))
            return {f"{name}/held_out_accuracy": tf.reduce_mean(tf.concat(right, axis=0))}

        due = tf.equal((update + 1) % config.held_out_interval, 0)
        return measured_if(due, [f"{name}/held_out_accuracy"], measure)


class SupervisedLearner(ExpertLearner):
    """p_σ: Σ log p_σ(a | s) over experts' moves rises. The last update sets p_ρ to p_σ."""

    def __init__(
        self, config: AlphaGoConfig, networks: AlphaGoNetworks, experts: Experts, seed: int
    ) -> None:
        super().__init__(config, networks, experts, seed, networks.supervised.training_step)
        self._descent = Descent(config, OnlineAndActing(networks.supervised, None))
        self._variables = networks.supervised.trainable_variables

    def update(self, batch: Examples, seed: tf.Tensor) -> Update:
        """See `Learner.update`."""
        moves = tf.one_hot(batch.action, self.networks.rules.num_actions)
        planes, (moves,) = turned_at_random(
            self._config.symmetries, self._planes(batch.state), [moves], seed
        )
        with tf.GradientTape() as tape:
            logits = self.networks.supervised(planes)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(moves, logits))
        gradients = gradient(tape, loss, self._variables)
        self._descent.step(gradients, seed[1])
        if self._config.supervised_updates:
            last = tf.equal(seed[1] + 1, self._config.supervised_updates)
            tf.cond(last, lambda: _done(self.networks.begin_reinforcement), lambda: 0)
        metrics = {
            "supervised/loss": loss,
            "supervised/accuracy": _accuracy(logits, tf.argmax(moves, 1, tf.int32)),
            "learner/gradient_norm": tf.linalg.global_norm(gradients),
        }
        return Update(metrics | self.held_out("supervised", self._judge, seed[1]))

    def _judge(self, states: tf.Tensor) -> tf.Tensor:
        return self.networks.supervised(self._planes(states))

    def _planes(self, states: tf.Tensor) -> tf.Tensor:
        return go.planes(self._experts.rules, states, self._config.ladder_moves)


class RolloutPolicyLearner(ExpertLearner):
    """p_π, on the same moves; those that no rollout makes, as to pass, are left out."""

    def __init__(
        self, config: AlphaGoConfig, networks: AlphaGoNetworks, experts: Experts, seed: int
    ) -> None:
        super().__init__(config, networks, experts, seed)
        self._optimizer = Adam([networks.rollout.weights], config.rollout_learning_rate)

    def update(self, batch: Examples, seed: tf.Tensor) -> Update:
        """See `Learner.update`."""
        moves = tf.one_hot(batch.action, self.networks.rules.num_actions)
        states, moves = turned_states(
            self._config.symmetries, batch.state, moves, self.networks.rules.options, seed
        )
        action, features = tf.argmax(moves, 1, tf.int32), self._features(states)
        made = tf.gather(features, action, axis=1, batch_dims=1)[:, 0] >= 0
        with tf.GradientTape() as tape:
            logits = self.networks.rollout(features)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(action, logits)
            loss = tf.reduce_mean(tf.where(made, losses, 0.0))
        self._optimizer.apply(gradient(tape, loss, [self.networks.rollout.weights]))
        metrics = {"rollout/loss": loss, "rollout/accuracy": _accuracy(logits, action)}
        return Update(metrics | self.held_out("rollout", self._judge, seed[1]))

    def _judge(self, states: tf.Tensor) -> tf.Tensor:
        return self.networks.rollout(self._features(states))

    def _features(self, states: tf.Tensor) -> tf.Tensor:
        return go.features(self._experts.rules, states, self._config.nakade)


class ReinforceLearner(Learner):
    """p_ρ: a step along Σ log p_ρ(a | s) z over its own moves in a round of games."""

    indivisible = None

    def __init__(self, config: AlphaGoConfig, networks: AlphaGoNetworks, seed: int) -> None:
        super().__init__(networks, seed, updates=networks.reinforced.training_step)
        self._config = config
        config = dataclasses.replace(config, learning_rate=config.reinforce_learning_rate)
        self._descent = Descent(config, OnlineAndActing(networks.reinforced, None))
        self._variables = networks.reinforced.trainable_variables

    def update(self, batch: Played, seed: tf.Tensor) -> Update:
        """See `Learner.update`; afterwards the next round's opponent is drawn."""
        rows = squeezed(batch)
        planes = self.networks.planes(rows.state)
        choices = playable(planes, rows.legal)
        with tf.GradientTape() as tape:
            logits = tf.where(choices, self.networks.reinforced(planes), -1e9)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(rows.action, logits)
            loss = tf.reduce_mean(losses * rows.outcome)
        gradients = gradient(tape, loss, self._variables)
        self._descent.step(gradients, seed[1])
        chances = tf.nn.softmax(logits)
        joins = tf.equal((seed[1] + 1) % self._config.pool_interval, 0)
        tf.cond(joins, lambda: _done(self.networks.join_pool), lambda: 0)
        self.networks.draw_opponent(seed)
        return Update(
            {
                "reinforce/loss": loss,
                "reinforce/outcome": tf.reduce_mean(rows.outcome),
                "reinforce/entropy": -tf.reduce_mean(
                    tf.reduce_sum(tf.math.xlogy(chances, chances), axis=1)
                ),
                "reinforce/opponents": tf.cast(self.networks.pooled, tf.float32),
                "learner/gradient_norm": tf.linalg.global_norm(gradients),
            }
        )


class ValueLearner(Learner):
    """v_θ: Σ (z − v_θ(s))² over positions of p_ρ's games falls."""

    indivisible = None

    def __init__(self, config: AlphaGoConfig, networks: AlphaGoNetworks, seed: int) -> None:
        super().__init__(networks, seed, updates=networks.value.training_step)
        self._config = config
        config = dataclasses.replace(config, learning_rate=config.value_learning_rate)
        self._descent = Descent(config, OnlineAndActing(networks.value, None))
        self._variables = networks.value.trainable_variables

    def update(self, batch: Played, seed: tf.Tensor) -> Update:
        """See `Learner.update`."""
        rows = squeezed(batch)
        planes = self.networks.with_colour(self.networks.planes(rows.state), rows.state)
        planes, _ = turned_at_random(self._config.symmetries, planes, [], seed)
        learned = tf.cast(~rows.held_out, tf.float32)
        with tf.GradientTape() as tape:
            errors = tf.square(rows.outcome - self.networks.value(planes))
            loss = weighted_mean(errors, learned)
        gradients = gradient(tape, loss, self._variables)
        self._descent.step(gradients, seed[1])
        unlearned = 1.0 - learned
        held_out_loss = weighted_mean(errors, unlearned)
        held_out = measured_if(
            replicas.total(tf.reduce_sum(unlearned)) > 0,
            ["value/held_out_loss"],
            lambda: {"value/held_out_loss": held_out_loss},
        )
        norm = tf.linalg.global_norm(gradients)
        return Update({"value/loss": loss, "learner/gradient_norm": norm, **held_out})


def squeezed(batch: Played) -> Played:
    """Items [B, 1, …] as rows [B, …]."""
    return tf.nest.map_structure(lambda leaf: leaf[:, 0], batch)


def _accuracy(logits: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
    said = tf.argmax(logits, axis=1, output_type=tf.int32)
    return tf.reduce_mean(tf.cast(said == action, tf.float32))


def _done(change: Callable[[], None]) -> int:
    change()
    return 0
