"""PlaNet's policy: filters a belief and plans in it with CEM (paper, Algorithms 1 and 2)."""

from __future__ import annotations

from collections.abc import Mapping

import sonnet as snt
import tensorflow as tf

from agents.networks.recurrent import GRU
from agents.planet.config import PlaNetConfig
from agents.planet.networks import LatentState, WorldModel, preprocess
from agents.policy import PlanningPolicy
from ops import cem, loader


class PlaNetPolicy(PlanningPolicy):
    """Plans anew at every step and executes the first action of the plan.

    The state carries the belief, one draw of q(s_t | o_≤t, a_<t) with its deterministic path, and
    the action that was executed last.
    """

    meanings: Mapping[str, str] = {
        "observation": "a frame as the environment draws it, red, green, blue",
        "action": "what to do, each part -1 to 1",
        "state_deterministic": "the belief's deterministic path h",
        "state_stochastic": "the belief's draw of s from q(s | o, a)",
        "state_action": "the action executed last",
        "info_predicted_return": "mean return of the last elites over the planning horizon",
    }

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
        """Sees pixels uint8 [B, H, W, C], plans, returns actions [B, A]; see `Policy.step`.

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
        return cem.plan_latent(
            belief.deterministic,
            belief.stochastic,
            latent_model(self._model, config),
            horizon=config.planning_horizon,
            num_iterations=config.planning_iterations,
            num_candidates=config.planning_candidates,
            num_elites=config.planning_elites,
            seed=seed,
            latents=config.planning_latents,
            stddev_estimator=config.planning_refit,
            # A SavedModel's plain TensorFlow has no other.
            precision="float32" if loader.is_portable() else config.planning_precision,
            backend=config.planning_backend,
        )

    def plan_from_start(self, batch_size: int, seed: tf.Tensor) -> tf.Tensor:
        """See `PlanningPolicy.plan_from_start`."""
        return self.plan(self._model.dynamics.initial(batch_size), seed).action

    def plan_flop(self, batch_size: int) -> int:
        """See `PlanningPolicy.plan_flop`."""
        config = self._config
        steps = config.planning_iterations * config.planning_candidates * config.planning_horizon
        return 2 * batch_size * steps * self._model.imagination_weights


def latent_model(model: WorldModel, config: PlaNetConfig) -> cem.LatentModel:
    """The weights that `img_step` and the reward head go through, as the planner takes them."""
    from_stochastic, from_action, *prior = model.dynamics.imagination_modules
    gates: list[snt.Linear] = []
    if isinstance(prior[-1], GRU):
        gru = prior.pop()
        gates = [gru.input_gates, gru.recurrent_gates]
    reward = [part for part in model.reward.submodules if isinstance(part, snt.Linear)]
    return cem.LatentModel(
        input=_layers([from_stochastic]),
        action_weights=from_action.w,
        gru=_layers(gates),
        prior=_layers(prior),
        reward=_layers(reward),
        activation=config.activation,
        min_stddev=config.min_stddev,
    )


def _layers(linears: list[snt.Linear]) -> list[cem.Layer]:
    return [cem.Layer(linear.w, linear.b) for linear in linears]
