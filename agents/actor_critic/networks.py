"""The policy π(a | s), the critic V(s), and what their inputs are normalised by."""

from __future__ import annotations

import sonnet as snt
import tensorflow as tf
import tensorflow_probability as tfp
from dm_env import specs

from agents.actor_critic.config import ActorCriticConfig
from agents.networks.mlp import ACTIVATIONS, ScalarHead
from agents.networks.perception import Convolutions
from agents.networks.policy_heads import policy_head
from agents.running_moments import RunningMoments

_MOST_DEVIATIONS = 10.0


class ActorCriticNetworks(snt.Module):
    """Policy and critic; they share nothing but the normalisation of what they see.

    Attributes:
      acting: observations [B, D] → a distribution over actions, normalisation included.
      critic: V, in units of `return_moments`' deviation.
      return_moments: of the critic's targets, by whose deviation rewards are divided.
    """

    def __init__(
        self, config: ActorCriticConfig, size: int, actions: specs.Array, agent: str
    ) -> None:
        super().__init__(name="actor_critic_networks")
        moments = RunningMoments([size], name="observations")
        normalises = config.normalise_observations
        self.observation_moments = moments if normalises else None
        self.return_moments = RunningMoments([], name="returns")
        self.acting = Acting(config, actions, self.observation_moments, agent)
        self.critic = ScalarHead(config.hidden_layers, config.activation, name="critic")
        nothing = tf.zeros([1, size])
        self.acting(nothing), self.value(nothing)

    def __call__(self, observation: tf.Tensor) -> tuple[tfp.distributions.Distribution, tf.Tensor]:
        """Observations [..., D] → a distribution over actions, and V [...]."""
        return self.acting(observation), self.value(observation)

    def value(self, observation: tf.Tensor) -> tf.Tensor:
        """Observations [..., D] → V [...]."""
        return self.critic(_normalised(observation, self.observation_moments))


class ImageActorCritic(snt.Module):
    """Policy and critic over convolutions that they share, for images [..., H, W, C].

    Attributes:
      acting: images → a distribution over actions.
      return_moments: of the critic's targets, by whose deviation rewards are divided.
    """

    def __init__(
        self,
        config: ActorCriticConfig,
        image: tf.TensorSpec,
        actions: specs.Array,
        agent: str,
    ) -> None:
        super().__init__(name="image_actor_critic")
        self.return_moments = RunningMoments([], name="returns")
        self.acting = ImageActing(config, actions, agent)
        self._value = snt.Linear(1, name="value")
        self(tf.zeros([1, *image.shape], image.dtype))

    def __call__(self, image: tf.Tensor) -> tuple[tfp.distributions.Distribution, tf.Tensor]:
        """Images [..., H, W, C] → a distribution over actions, and V [...]."""
        features = self.acting.features(image)
        return self.acting.of(features), self._value_of(features)

    def value(self, image: tf.Tensor) -> tf.Tensor:
        """Images [..., H, W, C] → V [...]."""
        return self._value_of(self.acting.features(image))

    def _value_of(self, features: tf.Tensor) -> tf.Tensor:
        return tf.squeeze(self._value(features), axis=-1)


class ImageActing(snt.Module):
    """What acts by images, and what the critic sees by."""

    def __init__(self, config: ActorCriticConfig, actions: specs.Array, agent: str) -> None:
        super().__init__(name="acting")
        sizes = (config.channels, config.kernels, config.strides)
        self._torso = Convolutions(*sizes, config.hidden_layers)
        self.of = policy_head(actions, config.initial_stddev, agent)

    def __call__(self, image: tf.Tensor) -> tfp.distributions.Distribution:
        """Images [..., H, W, C] → a distribution over actions."""
        return self.of(self.features(image))

    def features(self, image: tf.Tensor) -> tf.Tensor:
        """Images [..., H, W, C] → features [..., F]."""
        rows = tf.reshape(image, [-1, *image.shape[-3:]])
        features = self._torso(rows)
        leading = tf.concat([tf.shape(image)[:-3], [features.shape[-1]]], axis=0)
        return tf.ensure_shape(
            tf.reshape(features, leading), [*image.shape[:-3], features.shape[-1]]
        )


class Acting(snt.Module):
    """What acts: normalisation, hidden layers, a head."""

    def __init__(
        self,
        config: ActorCriticConfig,
        actions: specs.Array,
        moments: RunningMoments | None,
        agent: str,
    ) -> None:
        super().__init__(name="acting")
        self._moments = moments
        activation = ACTIVATIONS[config.activation]
        torso = snt.nets.MLP(config.hidden_layers, activation=activation, activate_final=True)
        head = policy_head(actions, config.initial_stddev, agent)
        self._layers = snt.Sequential([torso, head])

    def __call__(self, observation: tf.Tensor) -> tfp.distributions.Distribution:
        """Observations [..., D] → a distribution over actions."""
        return self._layers(_normalised(observation, self._moments))


def _normalised(observation: tf.Tensor, moments: RunningMoments | None) -> tf.Tensor:
    return observation if moments is None else moments.normalise(observation, _MOST_DEVIATIONS)
