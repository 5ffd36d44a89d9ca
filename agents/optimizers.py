"""Optimisers that pipelines can save and that cost little, and what they do to gradients.

Each variable takes one op. Sonnet's optimisers take a dozen, each a pass over memory: for networks
of some million weights and small batches that is half of an update. All state exists from the
start, so a checkpoint restores it.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence

import tensorflow as tf

from agents import replicas


class Optimizer(tf.Module, abc.ABC):
    """Changes variables by their gradients, which are those of the whole batch (`gradient`)."""

    def __init__(self, variables: Sequence[tf.Variable], learning_rate: float, name: str) -> None:
        super().__init__(name=name)
        self._variables, self._learning_rate = list(variables), learning_rate

    def apply(
        self, gradients: Sequence[tf.Tensor], learning_rate: tf.Tensor | float | None = None
    ) -> None:
        """Does one step; `gradients` in the variables' order.

        `learning_rate`: of this step; None: the optimiser's own.
        """
        rate = self._learning_rate if learning_rate is None else learning_rate
        self._apply(gradients, rate)

    @abc.abstractmethod
    def _apply(self, gradients: Sequence[tf.Tensor], learning_rate: tf.Tensor | float) -> None:
        """The step itself."""

    def _zeros(self) -> list[tf.Variable]:
        return [tf.Variable(tf.zeros_like(v), trainable=False) for v in self._variables]


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, Algorithm 1)."""

    def __init__(
        self,
        variables: Sequence[tf.Variable],
        learning_rate: float,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(variables, learning_rate, name="adam")
        self._beta1, self._beta2, self._epsilon = beta1, beta2, epsilon
        self.updates = tf.Variable(0, dtype=tf.int64, trainable=False, name="updates")
        self.first_moments, self.second_moments = self._zeros(), self._zeros()

    def _apply(self, gradients: Sequence[tf.Tensor], learning_rate: tf.Tensor | float) -> None:
        count = tf.cast(self.updates.assign_add(1), tf.float32)
        power1, power2 = self._beta1**count, self._beta2**count
        # The op adds its epsilon to √v, the algorithm to √(v / (1 − β₂ᵗ)).
        epsilon = self._epsilon * tf.sqrt(1.0 - power2)
        moments = zip(self.first_moments, self.second_moments, strict=True)
        for variable, gradient, (m, v) in zip(self._variables, gradients, moments, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=power1,
                beta2_power=power2,
                lr=learning_rate,
                beta1=self._beta1,
                beta2=self._beta2,
                epsilon=epsilon,
                grad=gradient,
            )


class Momentum(Optimizer):
    """Stochastic gradient descent with momentum: v ← μv + g, θ ← θ − αv."""

    def __init__(
        self, variables: Sequence[tf.Variable], learning_rate: float, momentum: float = 0.9
    ) -> None:
        super().__init__(variables, learning_rate, name="momentum")
        self._momentum = momentum
        self.velocities = self._zeros()

    def _apply(self, gradients: Sequence[tf.Tensor], learning_rate: tf.Tensor | float) -> None:
        for variable, gradient, velocity in zip(
            self._variables, gradients, self.velocities, strict=True
        ):
            tf.raw_ops.ResourceApplyMomentum(
                var=variable.handle,
                accum=velocity.handle,
                lr=learning_rate,
                grad=gradient,
                momentum=self._momentum,
            )


class RMSProp(Optimizer):
    """Centred RMSProp with momentum (Graves 2013, equations 38 to 41; Mnih et al. 2015).

    m ← ρm + (1 − ρ)g, s ← ρs + (1 − ρ)g², v ← μv + αg / √(s − m² + ε), θ ← θ − v; where it is not
    centred, m stays 0.
    """

    def __init__(
        self,
        variables: Sequence[tf.Variable],
        learning_rate: float,
        decay: float = 0.95,
        momentum: float = 0.95,
        epsilon: float = 0.01,
        centred: bool = True,
    ) -> None:
        super().__init__(variables, learning_rate, name="rmsprop")
        self._decay, self._momentum, self._epsilon = decay, momentum, epsilon
        self._centred = centred
        self.means, self.squares, self.velocities = self._zeros(), self._zeros(), self._zeros()

    def _apply(self, gradients: Sequence[tf.Tensor], learning_rate: tf.Tensor | float) -> None:
        state = zip(self.means, self.squares, self.velocities, strict=True)
        for variable, gradient, (mean, square, velocity) in zip(
            self._variables, gradients, state, strict=True
        ):
            inputs = {
                "var": variable.handle,
                "ms": square.handle,
                "mom": velocity.handle,
                "lr": learning_rate,
                "rho": self._decay,
                "momentum": self._momentum,
                "epsilon": self._epsilon,
                "grad": gradient,
            }
            if self._centred:
                tf.raw_ops.ResourceApplyCenteredRMSProp(mg=mean.handle, **inputs)
            else:
                tf.raw_ops.ResourceApplyRMSProp(**inputs)


def gradient(
    tape: tf.GradientTape, loss: tf.Tensor, variables: Sequence[tf.Variable]
) -> list[tf.Tensor]:
    """Of the loss of the whole batch, which is the mean of all replicas' own.

    Dense: as rows of a table, those that were gathered twice would count as two in a norm.
    """
    dense = [tf.convert_to_tensor(each) for each in tape.gradient(loss, variables)]
    return replicas.mean(dense)


def clipped(
    gradients: Sequence[tf.Tensor], most: float | None
) -> tuple[Sequence[tf.Tensor], tf.Tensor]:
    """Gradients whose global norm is at most that (None: any), and the norm that they had."""
    norm = tf.linalg.global_norm(gradients)
    if most is not None:
        gradients, _ = tf.clip_by_global_norm(gradients, most, norm)
    return gradients, norm


def decayed(learning_rate: float, updates: int | None, done: tf.Tensor) -> tf.Tensor | float:
    """The rate behind so many updates: it falls to 0 linearly over `updates`; None: never."""
    if updates is None:
        return learning_rate
    return learning_rate * tf.maximum(1.0 - tf.cast(done, tf.float32) / updates, 0.0)
