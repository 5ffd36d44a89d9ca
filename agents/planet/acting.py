"""PlaNet's policy: filters a belief and plans in it with CEM (paper, Algorithms 1 and 2)."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from agents.planet.config import PlaNetConfig
from agents.planet.networks import LatentState, WorldModel, preprocess
from agents.policy import Policy
from ops import cem


class PlaNetPolicy(Policy):
    """Plans anew at every step and executes the first action of the plan.

    The state carries the belief, one draw of q(s_t | o_≤t, a_<t) with its deterministic path, and
    the action that was executed last.
    """

    def __init__(
        self,
        config: PlaNetConfig,
        model: WorldModel,
        observation_spec: tf.TensorSpec,
        action_spec: tf.TensorSpec,
        exploration_noise: float,
    ) -> None:
        super().__init__(name="planet_policy")
        self.observation_spec, self.action_spec = observation_spec, action_spec
        self._config = config
        self._model = model
        self._exploration_noise = exploration_noise

    def initial_state(self, batch_size: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """Zeros: `deterministic` [B, D], `stochastic` [B, S], `action` [B, A]."""
        dynamics = self._model.dynamics
        return {
            "deterministic": tf.zeros([batch_size, dynamics.deterministic_size]),
            "stochastic": tf.zeros([batch_size, dynamics.stochastic_size]),
            "action": tf.zeros([batch_size, *self.action_spec.shape]),
        }

    @tf.function(autograph=False, reduce_retracing=True)
    def step(
        self, observation: tf.Tensor, state: dict[str, tf.Tensor], seed: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Sees pixels uint8 [B, H, W, 3], plans, returns actions [B, A]; see `Policy.step`.

        `info` holds `predicted_return` [B]: the mean return of the last elites over the horizon.
        """
        seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 4))
        belief = self._filter(observation, state, seeds[0], seeds[3])
        plan = self.plan(belief, seeds[1])
        action = plan.action
        if self._exploration_noise > 0:
            noise = tf.random.stateless_normal(tf.shape(action), seeds[2])
            action = tf.clip_by_value(action + self._exploration_noise * noise, -1.0, 1.0)
        state = {
            "deterministic": belief.deterministic,
            "stochastic": belief.stochastic,
            "action": action,
        }
        return action, state, {"predicted_return": tf.reduce_mean(plan.returns, axis=1)}

    def _filter(self, observation, state, seed, dequantisation_seed) -> LatentState:
        config, dynamics = self._config, self._model.dynamics
        image = preprocess(
            observation,
            config.pixel_bits,
            dequantisation_seed if config.dequantisation_noise else None,
        )
        previous = LatentState(
            state["deterministic"], state["stochastic"], state["stochastic"], state["stochastic"]
        )
        noise = tf.random.stateless_normal(tf.shape(state["stochastic"]), seed)
        return dynamics.obs_step(previous, state["action"], self._model.encoder(image), noise)

    def plan(self, belief: LatentState, seed: tf.Tensor) -> cem.CEMResult:
        """Plans from beliefs [B, …] by CEM over imagined returns (Algorithm 2)."""
        config = self._config
        batch_size = belief.stochastic.shape[0] or tf.shape(belief.stochastic)[0]
        (action_size,) = self.action_spec.shape
        shape = [batch_size, config.planning_horizon, action_size]
        copies = LatentState(
            *(tf.repeat(values, config.planning_candidates, axis=0) for values in belief)
        )  # [B·J, …]

        def objective(actions: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
            flat = tf.reshape(actions, [-1, *actions.shape[2:]])  # [B·J, H, A]
            returns = imagined_return(
                self._model, copies, flat, seed, config.planning_latents == "sample"
            )
            return tf.reshape(returns, [batch_size, config.planning_candidates])

        return cem.optimize(
            objective,
            batch_size,
            *shape[1:],
            num_iterations=config.planning_iterations,
            num_candidates=config.planning_candidates,
            num_elites=config.planning_elites,
            seed=seed,
            stddev_estimator=config.planning_refit,
            backend=config.planning_backend,
            seeded_objective=True,
        )

    def plan_flop(self, batch_size: int) -> int:
        """Floating-point operations of a plan's matrix products."""
        config = self._config
        steps = config.planning_iterations * config.planning_candidates * config.planning_horizon
        return 2 * batch_size * steps * self._model.imagination_weights


def imagined_return(
    model: WorldModel, state: LatentState, actions: tf.Tensor, seed: tf.Tensor, sample: bool
) -> tf.Tensor:
    """Σ_τ E[p(r_τ | s_τ)] [N] along imagined latents (Algorithm 2, lines 5 and 6).

    Args:
      model: the world model.
      state: states [N, …] to start from.
      actions: [N, H, A].
      seed: int32 [2] of the latents' draws.
      sample: whether latents are drawn; else each is its mean.
    """
    count, horizon = tf.shape(actions)[0], actions.shape[1]
    noise: Any = [None] * horizon
    if sample:
        shape = [horizon, count, model.dynamics.stochastic_size]
        noise = tf.unstack(tf.random.stateless_normal(shape, seed))
    features = []
    for t in range(horizon):
        state = model.dynamics.img_step(state, actions[:, t], noise[t])
        features.append(state.features)
    rewards = model.reward(tf.concat(features, axis=0))  # [H·N]
    return tf.reduce_sum(tf.reshape(rewards, [horizon, count]), axis=0)
