"""The policy μ(s), and the critic: a distribution over returns of (s, a)."""

from __future__ import annotations

import copy

import sonnet as snt
import tensorflow as tf

from agents.d4pg.config import D4PGConfig
from agents.frame_stacking import empty_stack, into_channels
from agents.networks.mlp import LayerNormMLP


class D4PGNetworks(snt.Module):
    """What learns and acts, and what the targets come from.

    Attributes:
      online, target: a `Pair` each.
      atoms: [num_atoms], the returns that the critics' categories stand for.
    """

    def __init__(self, config: D4PGConfig, size: int, observation: tf.TensorSpec) -> None:
        super().__init__(name="d4pg_networks")
        self.online = Pair(config, size, observation)
        self.target = copy.deepcopy(self.online)
        self.atoms = tf.linspace(config.min_return, config.max_return, config.num_atoms)

    def renew_target(self, due: tf.Tensor | bool) -> None:
        """Makes the target networks the online ones, where that is due."""
        for theirs, ours in zip(self.target.variables, self.online.variables, strict=True):
            theirs.assign(tf.where(due, ours, theirs))

    def mean(self, logits: tf.Tensor) -> tf.Tensor:
        """Logits [B, num_atoms] → the mean return [B]."""
        return tf.linalg.matvec(tf.nn.softmax(logits), self.atoms)


class Pair(snt.Module):
    """Policy and critic over a torso that they share, where there is one."""

    def __init__(self, config: D4PGConfig, size: int, observation: tf.TensorSpec) -> None:
        super().__init__(name="pair")
        self._torso = PixelTorso(config) if config.torso == "pixels" else None
        small = snt.initializers.VarianceScaling(1e-4)  # At first all actions are near 0.
        layers = LayerNormMLP(config.policy_layers, activate_final=True, name="policy")
        self._policy = snt.Sequential([layers, snt.Linear(size, w_init=small), tf.tanh])
        layers = LayerNormMLP(config.critic_layers, activate_final=True, name="critic")
        self._critic = snt.Sequential([layers, snt.Linear(config.num_atoms)])
        features = self.features(empty_stack(1, config.frame_stack, observation))
        self.critic(features, self.policy(features))

    def features(self, stack: tf.Tensor) -> tf.Tensor:
        """Stacks [B, S, …] → [B, F]."""
        seen = into_channels(stack)
        return snt.flatten(seen) if self._torso is None else self._torso(seen)

    def policy(self, features: tf.Tensor) -> tf.Tensor:
        """Features [B, F] → actions [B, A] in [−1, 1]."""
        return self._policy(features)

    def critic(self, features: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        """Features [B, F], actions [B, A] → logits [B, num_atoms]."""
        return self._critic(tf.concat([features, action], axis=1))

    @property
    def policy_variables(self) -> tuple[tf.Variable, ...]:
        """What the policy's gradient changes."""
        return self._policy.trainable_variables

    @property
    def critic_variables(self) -> tuple[tf.Variable, ...]:
        """What the critic's loss changes, the torso included."""
        torso = () if self._torso is None else self._torso.trainable_variables
        return (*torso, *self._critic.trainable_variables)


class PixelTorso(snt.Module):
    """Images, bytes [B, H, W, C], → [B, F] within (−1, 1)."""

    def __init__(self, config: D4PGConfig) -> None:
        super().__init__(name="torso")
        self._layers = [
            snt.Conv2D(config.pixel_channels, 3, stride, padding="VALID", name=f"conv_{i}")
            for i, stride in enumerate((2, 1))
        ]
        self._dense = snt.Linear(config.pixel_features, name="dense")
        self._normalisation = snt.LayerNorm(-1, create_scale=True, create_offset=True)

    def __call__(self, image: tf.Tensor) -> tf.Tensor:
        """Returns the features."""
        hidden = tf.cast(image, tf.float32) / 255.0
        for layer in self._layers:
            hidden = tf.nn.elu(layer(hidden))
        return tf.tanh(self._normalisation(self._dense(snt.flatten(hidden))))
