"""PETS' policy: model-predictive control in the learned model (paper, Algorithm 1, lines 5-9)."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from agents.pets.config import PETSConfig
from agents.pets.networks import DynamicsModel
from agents.pets.planning import Plan, plan
from agents.pets.propagation import imagined_returns
from agents.policy import Policy


class PETSPolicy(Policy):
    """Plans anew at every step and executes the first action; the rest warms the next search.

    The state is `plan` [B, H, A], where the next search begins. Nothing is explored at random: the
    model's uncertainty is in the particles.
    """

    meanings: Mapping[str, str] = {
        "observation": "the environment's state as it observes it",
        "action": "what to do, each part -1 to 1",
        "state_plan": "where the next search begins: the last plan, moved on by a step",
        "info_predicted_return": "mean return of the best candidates over the planning horizon",
    }

    def __init__(
        self,
        config: PETSConfig,
        model: DynamicsModel,
        observation_spec: tf.TensorSpec,
        action_spec: tf.TensorSpec,
    ) -> None:
        super().__init__(name="pets_policy")
        self.observation_spec, self.action_spec = observation_spec, action_spec
        self._config, self._model = config, model

    def initial_state(self, batch_size: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """No plan yet: zeros, the middle of the actions' bounds."""
        horizon = self._config.planning_horizon
        return {"plan": tf.zeros([batch_size, horizon, *self.action_spec.shape])}

    @tf.function(autograph=False, reduce_retracing=True)
    def step(
        self, observation: tf.Tensor, state: dict[str, tf.Tensor], seed: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Plans for observations [B, D] and returns actions [B, A]; see `Policy.step`.

        `info` holds `predicted_return` [B] of the best candidates over the horizon; NaN where no
        candidate had a finite one, and the action is that of the last plan or the bounds' middle.
        """
        found = self.plan(observation, state["plan"], tf.convert_to_tensor(seed, tf.int32))
        following = tf.concat([found.actions[:, 1:], tf.zeros_like(found.actions[:, :1])], axis=1)
        if not self._config.warm_start:
            following = tf.zeros_like(following)
        info = {"predicted_return": found.predicted_return}
        return found.actions[:, 0], {"plan": following}, info

    def plan(self, observation: tf.Tensor, initial_mean: tf.Tensor, seed: tf.Tensor) -> Plan:
        """Plans [B, H, A] from observations [B, D]."""
        forward = self._model.ensemble.packed()

        def objective(actions: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
            count = actions.shape[1]
            flat = tf.reshape(actions, [-1, *actions.shape[2:]])  # [B · J, H, A]
            starts = tf.repeat(observation, count, axis=0)
            returns = imagined_returns(self._config, self._model, starts, flat, seed, forward)
            return tf.reshape(returns, [-1, count])

        return plan(self._config, objective, initial_mean, seed)

    def work(self, batch_size: int) -> dict[str, int]:
        """`model_evaluations`: predictions of one network for one particle and step.

        Counted as a whole search asks for them: particles that begin as one are computed once, and
        a search may end early.
        """
        config = self._config
        plans = config.planning_iterations * config.planning_candidates
        asked = config.particles  # Each of one network.
        if config.propagation in ("E", "DS", "MM"):  # Each of all.
            asked = config.ensemble_size * (1 if config.propagation == "E" else config.particles)
        return {"model_evaluations": batch_size * plans * config.planning_horizon * asked}
