"""The one object that acts, is evaluated and is served."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import tensorflow as tf
from dm_env import specs

from agents.boards.observations import split


class Policy(tf.Module, abc.ABC):
    """Maps observations to actions, batched, with explicit state and explicit randomness.

    `state` is a nest of tensors with leading dimension B, so that rows can be reset one by one;
    `seed` is int32 [2]: equal inputs give equal actions.

    Attributes:
      observation_spec: `tf.TensorSpec` of one observation, without B, or a nest of them.
      action_spec: `tf.TensorSpec` of one action, without B.
      options: further inputs of `step` that whoever is served may set, int scalars by name, with
        what they are by default; `step` takes them behind `seed`, in this order.
      most: of such an option, the most it may be; without an entry there is no such bound.
      takes_seeds: `step` takes seeds [B, 2] as well, one a row, and answers each row as if it were
        alone; and rows cost less together, so that whoever serves joins requests. Else the policy
        is asked row by row where rows have their own seeds: for planners whose every row costs as
        much as another one alone.
      skips_idle_rows: `step` takes bool [B] behind `seed`, which rows' actions are wanted: for
        planners whose every row costs as much as another one alone. Idle rows' actions are any.
      on_host: it searches by rules that the host knows: `step` takes `positions` to search from,
        and there is `think`, see `agents/alphazero/host_acting.py`.
      native_alone: why its graph takes our native ops wherever it runs; empty: it does not.
      meanings: what observations, state, info and options mean and their ranges, by their names in
        a SavedModel (`observation_<name>`, `state_<name>`, `info_<name>`): for whoever is served.
    """

    observation_spec: Any
    action_spec: tf.TensorSpec
    options: Mapping[str, int] = {}
    most: Mapping[str, int] = {}
    takes_seeds: bool = False
    skips_idle_rows: bool = False
    on_host: bool = False
    native_alone: str = ""
    meanings: Mapping[str, str] = {}

    @abc.abstractmethod
    def initial_state(self, batch_size: int | tf.Tensor) -> Any:
        """State at the start of an episode, a nest of [B, …]."""

    @abc.abstractmethod
    def step(
        self, observation: Any, state: Any, seed: tf.Tensor
    ) -> tuple[tf.Tensor, Any, dict[str, tf.Tensor]]:
        """Acts.

        Args:
          observation: [B, …], or a nest of them.
          state: what the last step, or `initial_state`, returned.
          seed: int32 [2].

        Returns:
          action [B, …], the next state, and info: a dict of nests of [B, …] tensors, written to
          the replay table by agents that ask for it.
        """

    def measurements(self) -> Mapping[str, float]:
        """What it has measured of itself since it was made, as metrics for reports."""
        return {}

    def work(self, batch_size: int) -> Mapping[str, float]:
        """What a step for so many rows takes, by name, in units of its own; for benchmarks."""
        return {}


class StochasticPolicy(Policy):
    """Draws actions from what a network makes of observations; has no state.

    Args:
      network: observations [B, …] → a distribution over actions (TensorFlow Probability's).
      observation_spec, action_spec: see `Policy`.
      draw: else each action is the distribution's mode, as where a policy is judged.
    """

    meanings: Mapping[str, str] = {"info_log_prob": "log-probability (or density) of the action"}

    def __init__(
        self,
        network: Callable[[Any], Any],
        observation_spec: Any,
        action_spec: tf.TensorSpec,
        draw: bool,
    ) -> None:
        super().__init__(name="stochastic_policy")
        self.observation_spec, self.action_spec = observation_spec, action_spec
        self._network, self._draw = network, draw
        self.takes_seeds = not draw

    def initial_state(self, batch_size: int | tf.Tensor) -> Any:
        """No state: an empty dict."""
        return {}

    @tf.function(autograph=False, reduce_retracing=True)
    def step(self, observation, state, seed):
        """Acts; `info` holds `log_prob` [B], of the actions. See `Policy.step`."""
        distribution = self._network(observation)
        seed = tf.convert_to_tensor(seed, tf.int32)
        action = distribution.sample(seed=seed) if self._draw else distribution.mode()
        return action, state, {"log_prob": distribution.log_prob(action)}


# Median seconds of calls that take turns.
Seconds = Callable[[Sequence[Callable[[], Any]]], Sequence[float]]


class SearchingPolicy(Policy):
    """A policy that searches a tree at every step, and takes its work apart for benchmarks.

    Attributes:
      num_simulations: N of a step.
    """

    num_simulations: int

    @abc.abstractmethod
    def slice(
        self,
        observation: Any,
        state: Any,
        seed: tf.Tensor,
        num_simulations: tf.Tensor,
        added: tf.Tensor,
        begun: Any = None,
    ) -> tuple[tf.Tensor, Any, dict[str, tf.Tensor], Any]:
        """A step that pauses: slices that add up to `num_simulations` are one step.

        Args:
          observation, state, seed: see `Policy.step`.
          num_simulations: of the whole search.
          added: simulations of this slice, 1 to what is left.
          begun: the tree of the slice before; None: there was none.

        Returns:
          What `Policy.step` does, as far as the search has come, and the tree: `nodes`, `edges`,
          `stats`, `embeddings`, see `ops.mcts.SearchTree`.
        """

    @abc.abstractmethod
    def speed(self, observation: Any, state: Any, seconds: Seconds) -> Mapping[str, float]:
        """What steps from there do a second, and where their time goes.

        Returns:
          `simulations_per_second` and `positions_per_second`, which the network is asked about;
          `tree_share`, `network_share` and other parts' shares of the time.
        """


class NetworkPolicy(Policy):
    """What can be exported of a policy that searches on the host: the network of its search.

    It moves without a search. Who knows the rules searches by `evaluate`: `Builder.make_hosted`.

    Attributes:
      search_settings: of the search that it was saved for, as JSON has them.
    """

    search_settings: Mapping[str, Any]

    @abc.abstractmethod
    def evaluate(self, planes: tf.Tensor) -> dict[str, tf.Tensor]:
        """What the network says of positions that are seen as planes [B, H, W, P].

        Returns:
          `prior_logits` [B, A], of illegal actions too; `value` [B], of the mover; `updates` [].
        """


class SavedNetwork(Protocol):
    """A `NetworkPolicy` as it is read from a SavedModel; see there."""

    observation_spec: Any
    action_spec: tf.TensorSpec
    search_settings: Mapping[str, Any]

    def evaluate(self, planes: tf.Tensor) -> dict[str, tf.Tensor]:
        """See `NetworkPolicy.evaluate`."""


class PlanningPolicy(Policy):
    """A policy that plans in a latent space at every step, and counts its work for benchmarks."""

    @abc.abstractmethod
    def plan_from_start(self, batch_size: int, seed: tf.Tensor) -> tf.Tensor:
        """First actions [B, A] of plans from the beliefs that episodes start with."""

    @abc.abstractmethod
    def plan_flop(self, batch_size: int) -> int:
        """Floating-point operations of a plan's matrix products."""


class RandomPolicy(Policy):
    """Uniform over the actions, the legal ones where these are observed: for seeds and baselines.

    Args:
      observation_spec: see `Policy`.
      actions: the environment's: bounded or discrete.
      record: legal actions [B, A] → the `info` that a stage's `extras` want of the seed policy too;
        for discrete actions.
    """

    def __init__(
        self,
        observation_spec: Any,
        actions: specs.BoundedArray,
        record: Callable[[tf.Tensor], Mapping[str, Any]] = lambda legal: {},
    ) -> None:
        super().__init__(name="random_policy")
        self.observation_spec = observation_spec
        self.action_spec = tf.TensorSpec(actions.shape, actions.dtype, actions.name)
        self._low, self._high = actions.minimum, actions.maximum
        self._num_actions = getattr(actions, "num_values", None)
        self._record = record

    def initial_state(self, batch_size: int | tf.Tensor) -> Any:
        """No state: an empty dict."""
        return {}

    @tf.function(autograph=False, reduce_retracing=True)
    def step(self, observation, state, seed):
        """Draws actions [B, …], continuous ones from [low, high); see `Policy.step`."""
        batch_size = tf.shape(tf.nest.flatten(observation)[0])[0]
        if self._num_actions is None:
            return self._uniform(batch_size, seed), state, {}
        _, legal = split(observation)
        if legal is None:
            legal = tf.ones([batch_size, self._num_actions], tf.bool)
        # Where nothing is legal a game is over, and the action is not used.
        logits = tf.where(legal, 0.0, -1e9)
        action = tf.random.stateless_categorical(logits, 1, seed, self.action_spec.dtype)[:, 0]
        return action, state, dict(self._record(legal))

    def _uniform(self, batch_size: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        shape = tf.concat([[batch_size], self.action_spec.shape], axis=0)
        low, high = (
            tf.broadcast_to(tf.constant(bound, self.action_spec.dtype), shape)
            for bound in (self._low, self._high)
        )
        if self.action_spec.dtype.is_floating:
            return low + (high - low) * tf.random.stateless_uniform(shape, seed, dtype=low.dtype)
        # Integers include their upper bound.
        span = tf.cast(high - low + 1, tf.float32)
        uniform = tf.random.stateless_uniform(shape, seed)
        return low + tf.cast(uniform * span, self.action_spec.dtype)
