"""AlphaGo's networks: policies p_σ and p_ρ, the value v_θ, and the linear rollout policy p_π.

position ─ 48 planes ── convolutions ── a logit each point, one of the whole for a pass     p_σ, p_ρ
         └ and colour ─ convolutions ── one plane ── dense ── tanh                          v_θ
         └ features of each move ────── a weight each ── their sums as logits               p_π
"""

from __future__ import annotations

import copy

import sonnet as snt
import tensorflow as tf

from agents.alphago.config import AlphaGoConfig
from ops.games import Rules, go


class PolicyNetwork(snt.Module):
    """p_σ and p_ρ: 12 convolutions of 192 in the paper, the first one 5×5; a bias a point.

    Attributes:
      training_step: updates so far.
    """

    def __init__(self, config: AlphaGoConfig, size: int) -> None:
        super().__init__(name="policy")
        self.training_step = tf.Variable(0, trainable=False, name="training_step")
        self._torso = torso(config.channels, config.layers)
        self._points = snt.Conv2D(1, 1, with_bias=False, name="points")
        self._biases = tf.Variable(tf.zeros([size**2]), name="biases")
        self._pass = snt.Linear(1, name="pass")
        self(tf.zeros([1, size, size, go.NUM_PLANES]))

    def __call__(self, planes: tf.Tensor) -> tf.Tensor:
        """Planes [B, N, N, 48] → logits [B, N² + 1], of moves that are not legal too."""
        image = self._torso(planes)
        points = snt.flatten(self._points(image)) + self._biases
        return tf.concat([points, self._pass(tf.reduce_mean(image, axis=[1, 2]))], axis=1)


class ValueNetwork(snt.Module):
    """v_θ.

    Attributes:
      training_step: updates so far.
    """

    def __init__(self, config: AlphaGoConfig, size: int) -> None:
        super().__init__(name="value")
        self.training_step = tf.Variable(0, trainable=False, name="training_step")
        self._torso = torso(config.channels, config.layers + 1)
        self._plane = snt.Conv2D(1, 1, name="plane")
        self._hidden = snt.Linear(config.value_units)
        # At first every value is 0, not noise that a search would follow.
        self._output = snt.Linear(1, w_init=snt.initializers.Zeros())
        self(tf.zeros([1, size, size, go.NUM_PLANES + 1]))

    def __call__(self, planes: tf.Tensor) -> tf.Tensor:
        """Planes [B, N, N, 49] → [B], −1 to 1, what the mover is expected to get."""
        hidden = snt.flatten(tf.nn.relu(self._plane(self._torso(planes))))
        return tf.tanh(self._output(tf.nn.relu(self._hidden(hidden)))[:, 0])


class RolloutPolicy(snt.Module):
    """p_π: a softmax of sums of weights.

    Attributes:
      weights: [F], of `ops.games.go`'s features.
    """

    def __init__(self) -> None:
        super().__init__(name="rollout_policy")
        self.weights = tf.Variable(tf.zeros([go.NUM_FEATURES]), name="weights")

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Features int32 [B, A, 6] → logits [B, A], very low where rollouts do not move."""
        weights = tf.gather(self.weights, tf.maximum(features, 0))
        logits = tf.reduce_sum(tf.where(features >= 0, weights, 0.0), axis=-1)
        return tf.where(features[..., 0] >= 0, logits, -1e9)


class AlphaGoNetworks(snt.Module):
    """All networks of one agent.

    Attributes:
      supervised, reinforced: p_σ and p_ρ.
      opponent: who p_ρ plays against.
      value, rollout: v_θ and p_π.
      pool: of p_ρ's opponents, each variable of theirs [K, …].
      pooled: how many have joined the pool.
    """

    def __init__(self, config: AlphaGoConfig, rules: Rules) -> None:
        super().__init__(name="alphago")
        self._rules, self._ladder_moves = rules, config.ladder_moves
        size = rules.options.height
        self.supervised = PolicyNetwork(config, size)
        self.reinforced = copy.deepcopy(self.supervised)
        self.opponent = copy.deepcopy(self.supervised)
        self.value, self.rollout = ValueNetwork(config, size), RolloutPolicy()
        self.pool = [
            tf.Variable(tf.zeros([config.pool_size, *variable.shape]), trainable=False)
            for variable in self.supervised.trainable_variables
        ]
        self.pooled = tf.Variable(0, trainable=False, name="pooled")
        self.begin_reinforcement()

    @property
    def rules(self) -> Rules:
        """Of the game that is played."""
        return self._rules

    def planes(self, states: tf.Tensor) -> tf.Tensor:
        """States uint8 [B, S] → what policies see, [B, N, N, 48]."""
        return go.planes(self._rules, states, self._ladder_moves)

    def with_colour(self, planes: tf.Tensor, states: tf.Tensor) -> tf.Tensor:
        """What v_θ sees, [B, N, N, 49]: the last plane is 1 where Black is to move."""
        black = tf.cast(self._rules.to_play(states) == 0, tf.float32)
        colour = tf.broadcast_to(black[:, None, None, None], [*tf.unstack(tf.shape(planes)[:3]), 1])
        return tf.concat([planes, colour], axis=-1)

    def begin_reinforcement(self) -> None:
        """p_ρ begins as p_σ, which is its first opponent."""
        for network in (self.reinforced, self.opponent):
            assign(network.trainable_variables, self.supervised.trainable_variables)
        self.pooled.assign(0)
        self.join_pool()

    def join_pool(self) -> None:
        """p_ρ as it is takes its place among the opponents."""
        size = self.pool[0].shape[0]
        is_next = tf.range(size) == self.pooled % size
        # Whole, since a strategy's variables are not written slot by slot.
        for slots, variable in zip(self.pool, self.reinforced.trainable_variables, strict=True):
            here = tf.reshape(is_next, [size] + [1] * variable.shape.rank)
            slots.assign(tf.where(here, variable[None], slots))
        self.pooled.assign_add(1)

    def draw_opponent(self, seed: tf.Tensor) -> None:
        """The next opponent is one of the pool, all as likely."""
        count = tf.minimum(self.pooled, self.pool[0].shape[0])
        slot = tf.random.stateless_uniform([], seed, 0, count, tf.int32)
        assign(self.opponent.trainable_variables, [slots[slot] for slots in self.pool])


def torso(channels: int, layers: int) -> snt.Module:
    """Convolutions with rectifiers, as large as the board: one 5×5, then 3×3."""
    kernels = [5] + [3] * (layers - 1)
    pairs = [[snt.Conv2D(channels, kernel), tf.nn.relu] for kernel in kernels]
    return snt.Sequential([layer for pair in pairs for layer in pair], name="torso")


def assign(variables, values) -> None:
    """Writes values, one a variable."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def playable(planes: tf.Tensor, legal: tf.Tensor) -> tf.Tensor:
    """What policies choose from: bool [B, A], legal moves that fill no own eye, and to pass."""
    sensible = snt.flatten(planes[..., 46:47]) > 0
    return tf.concat([sensible & legal[:, :-1], legal[:, -1:]], axis=1)
