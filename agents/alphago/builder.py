"""Makes AlphaGo's parts: four stages, each with a learner of its own."""

from __future__ import annotations

import gin
import numpy as np
import reverb
import tensorflow as tf
from acme import specs

from agents.adders import WholeEpisodeAdder
from agents.alphago import experts
from agents.alphago.acting import NetworkPolicy, PoolPolicy, SearchPolicy, ValueGamesPolicy
from agents.alphago.config import AlphaGoConfig
from agents.alphago.figures import value_errors
from agents.alphago.learning import (
    Played,
    ReinforceLearner,
    RolloutPolicyLearner,
    SupervisedLearner,
    ValueLearner,
)
from agents.alphago.networks import AlphaGoNetworks
from agents.boards.observations import LEGAL, STATE, rules_of
from agents.builder import (
    Builder,
    DatasetOptions,
    FigureMaker,
    Role,
    Schedule,
    Stage,
    tensor_spec,
)
from agents.learner import Learner
from agents.policy import Policy
from agents.tables import make_table

_NEVER_FULL = 10_000_000


@gin.configurable
class AlphaGoBuilder(Builder):
    """Silver et al. 2016; every setting is in `AlphaGoConfig`."""

    name = "alphago"

    def __init__(self, config: AlphaGoConfig | None = None) -> None:
        self.config = config or AlphaGoConfig()

    def build_networks(self, spec: specs.EnvironmentSpec) -> AlphaGoNetworks:
        """Makes all networks, for Go whose rules are ops."""
        rules = rules_of(spec.observations)
        if rules is None or rules.name != "go":
            raise ValueError("AlphaGo needs Go with rules that are ops: rules_game.game = 'go'")
        if spec.actions.num_values != rules.num_actions:
            raise ValueError("AlphaGo does not resign; expected rules_game.resignation = False")
        return AlphaGoNetworks(self.config, rules)

    def make_stages(self) -> list[Stage]:
        """p_σ, p_π, p_ρ and v_θ, one after the other."""
        reading = _Reading(self.config)
        return [
            SupervisedStage(self.config, reading),
            RolloutPolicyStage(self.config, reading),
            ReinforceStage(self.config),
            ValueStage(self.config),
        ]

    def make_policy(
        self, networks: AlphaGoNetworks, spec: specs.EnvironmentSpec, role: Role
    ) -> Policy:
        """Who `AlphaGoConfig.play` says."""
        observations, actions = tensor_spec(spec.observations), tensor_spec(spec.actions)
        if self.config.play == "search":
            return SearchPolicy(self.config, networks, observations, actions, role.evaluation)
        network = getattr(networks, self.config.play)
        return NetworkPolicy(network, networks, observations, actions)

    def make_figure_maker(self, networks: AlphaGoNetworks) -> FigureMaker:
        """See `value_errors`; of the episodes that are filmed (`Experiment.evaluation_videos`)."""
        return value_errors(self.config, networks)


class _Reading:
    """The expert games, which two stages learn from and are read once."""

    def __init__(self, config: AlphaGoConfig) -> None:
        self._config, self._read = config, None

    def games(self, networks: AlphaGoNetworks) -> experts.Experts:
        """What the folder holds, see `experts.read`."""
        if self._read is None:
            config = self._config
            self._read = experts.read(config.sgf_folder, networks.rules, config.held_out)
        return self._read


class _ExpertStage(Stage):
    """Learns from files, and does not act.

    Attributes:
      learner_type: of the stage.
    """

    learner_type: type[SupervisedLearner] | type[RolloutPolicyLearner]

    def __init__(
        self, config: AlphaGoConfig, reading: _Reading, updates: int, batch_size: int
    ) -> None:
        self._config, self._reading, self._batch_size = config, reading, batch_size
        a_round = max(1, min(updates, config.held_out_interval))
        self.schedule = Schedule(collects=False, updates_per_round=a_round, max_updates=updates)

    def make_learner(self, networks: AlphaGoNetworks, seed: int) -> Learner:
        """Reads the games; ValueError where there are none."""
        self._experts = self._reading.games(networks)
        self._learner = self.learner_type(self._config, networks, self._experts, seed)
        return self._learner

    def make_dataset(self, seed: int, first_update: int) -> tf.data.Dataset:
        """See `experts.dataset`; ValueError where the files are not those that it began with."""
        if np.any(self._learner.fingerprint.numpy() != self._experts.fingerprint):
            raise ValueError(
                f"the SGF files in AlphaGoConfig.sgf_folder = {self._config.sgf_folder!r} are not "
                "those that this run began with; expected the same, or another --logdir"
            )
        return experts.dataset(self._experts.learned, self._batch_size, seed, first_update)

    def make_policy(
        self, networks: AlphaGoNetworks, spec: specs.EnvironmentSpec, role: Role
    ) -> Policy:
        """None."""
        raise NotImplementedError(f"stage {self.name} does not act")


class SupervisedStage(_ExpertStage):
    """(a) p_σ on experts' moves."""

    name = "supervised"
    learner_type = SupervisedLearner

    def __init__(self, config: AlphaGoConfig, reading: _Reading) -> None:
        super().__init__(config, reading, config.supervised_updates, config.batch_size)


class RolloutPolicyStage(_ExpertStage):
    """(a) p_π on experts' moves."""

    name = "rollout_policy"
    learner_type = RolloutPolicyLearner

    def __init__(self, config: AlphaGoConfig, reading: _Reading) -> None:
        super().__init__(config, reading, config.rollout_updates, config.rollout_batch_size)


class _PlayingStage(Stage):
    """Learns from positions of own games, and how these ended."""

    extras = ("kept", "held_out")

    def __init__(self, config: AlphaGoConfig) -> None:
        self._config = config

    def make_adder(self, client: reverb.Client) -> OutcomeAdder:
        """See `OutcomeAdder`."""
        return OutcomeAdder(client, self.name)

    def make_seed_policy(self, spec: specs.EnvironmentSpec) -> Policy | None:
        """None: the first games are the policy's too."""
        return None


class ReinforceStage(_PlayingStage):
    """(b) p_ρ in games against earlier selves."""

    name = "reinforce"

    def __init__(self, config: AlphaGoConfig) -> None:
        super().__init__(config)
        self.schedule = Schedule(updates_per_round=1, max_rounds=config.reinforce_updates)
        self.dataset_options = DatasetOptions(
            self.name, batch_size=None, sample_type=Played, queue=True
        )

    def make_tables(self, spec: specs.EnvironmentSpec, paced: bool = False) -> list[reverb.Table]:
        """A queue of positions at which p_ρ moved."""
        return [reverb.Table.queue(self.name, _NEVER_FULL, signature=signature(spec))]

    def make_learner(self, networks: AlphaGoNetworks, seed: int) -> ReinforceLearner:
        """See `ReinforceLearner`."""
        return ReinforceLearner(self._config, networks, seed)

    def make_policy(
        self, networks: AlphaGoNetworks, spec: specs.EnvironmentSpec, role: Role
    ) -> PoolPolicy:
        """See `PoolPolicy`."""
        return PoolPolicy(networks, tensor_spec(spec.observations), tensor_spec(spec.actions))


class ValueStage(_PlayingStage):
    """(c) v_θ on outcomes of p_ρ's games."""

    name = "value"

    def __init__(self, config: AlphaGoConfig) -> None:
        super().__init__(config)
        self.schedule = Schedule(
            seed_episodes=config.seed_episodes,
            updates_per_step=config.updates_per_step,
            max_episodes=config.value_games,
        )
        self.dataset_options = DatasetOptions(
            self.name, config.value_batch_size, sample_type=Played
        )

    def make_tables(self, spec: specs.EnvironmentSpec, paced: bool = False) -> list[reverb.Table]:
        """The positions that were kept."""
        config = self._config
        return [
            make_table(
                self.name, signature(spec), config.replay_capacity, sampler=config.replay_sampler
            )
        ]

    def make_learner(self, networks: AlphaGoNetworks, seed: int) -> ValueLearner:
        """See `ValueLearner`."""
        return ValueLearner(self._config, networks, seed)

    def make_policy(
        self, networks: AlphaGoNetworks, spec: specs.EnvironmentSpec, role: Role
    ) -> ValueGamesPolicy:
        """See `ValueGamesPolicy`."""
        parts = networks, tensor_spec(spec.observations), tensor_spec(spec.actions)
        return ValueGamesPolicy(self._config, *parts)


class OutcomeAdder(WholeEpisodeAdder):
    """Writes a game when it is over: an item for each position that the policy said to keep.

    Args:
      client: of the replay.
      table: the items'.
    """

    def __init__(self, client: reverb.Client, table: str) -> None:
        super().__init__()
        self._table = table
        self._writer = client.trajectory_writer(num_keep_alive_refs=1)

    def write(self) -> None:
        """Writes the game's items."""
        # What the last mover got; movers take turns.
        outcome, length = float(self.moves[-1].timestep.reward), len(self.moves)
        for number, (seen, move) in enumerate(zip(self.observations, self.moves, strict=False)):
            if not move.extras["kept"]:
                continue
            sign = 1.0 if (length - 1 - number) % 2 == 0 else -1.0
            row = Played(
                np.asarray(seen[STATE]),
                np.asarray(seen[LEGAL]),
                np.asarray(move.action, np.int32),
                np.float32(sign * outcome),
                np.asarray(move.extras["held_out"]),
            )
            self._writer.append(list(row))
            item = [column[-1:] for column in self._writer.history]
            self._writer.create_item(self._table, 1.0, item)
        self._writer.end_episode()


def signature(spec: specs.EnvironmentSpec) -> Played:
    """TensorSpecs of an item, leaves [1, …]."""
    seen = spec.observations
    return Played(
        tf.TensorSpec([1, *seen[STATE].shape], tf.uint8, "state"),
        tf.TensorSpec([1, *seen[LEGAL].shape], tf.bool, "legal"),
        tf.TensorSpec([1], tf.int32, "action"),
        tf.TensorSpec([1], tf.float32, "outcome"),
        tf.TensorSpec([1], tf.bool, "held_out"),
    )
