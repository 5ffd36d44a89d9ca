"""AlphaZero's policy: a tree search by the game's rules at every move (paper, methods: search)."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from agents.alphazero import reuse
from agents.alphazero.config import AlphaZeroConfig
from agents.alphazero.networks import AlphaZeroNetwork
from agents.boards.observations import split
from agents.boards.symmetries import Symmetries, judged_at_random
from agents.searching.policy import TreePolicy
from agents.searching.search import search
from ops import mcts
from ops.mcts.search import RecurrentFn


def root_of(network: AlphaZeroNetwork, states: tf.Tensor) -> mcts.RootFnOutput:
    """What a search begins with: states uint8 [B, S] are its embeddings."""
    prediction = network(network.planes(states))
    return mcts.RootFnOutput(prediction.prior_logits, prediction.value, states)


def recurrent_fn(network: AlphaZeroNetwork, turned: Symmetries = "none") -> RecurrentFn:
    """The rules, and what the network says of where they lead, as the search asks for it.

    With `turned` it sees each position turned at random (AlphaGo Zero).
    """

    def step(
        action: tf.Tensor, states: tf.Tensor, seed: tf.Tensor | None
    ) -> tuple[mcts.RecurrentFnOutput, tf.Tensor]:
        states, reward, discount, legal = network.rules.step(states, action)
        kind = "none" if seed is None else turned
        logits, value = judged_at_random(kind, network, network.planes(states), seed)
        return mcts.RecurrentFnOutput(reward, discount, masked(logits, legal), value), states

    if turned == "none":
        return lambda action, states: step(action, states, None)
    return lambda action, states, seed=None: step(action, states, seed)


def masked(logits: tf.Tensor, legal: tf.Tensor) -> tf.Tensor:
    """Logits [B, A], −∞ where an action is not legal."""
    return tf.where(legal, logits, -float("inf"))


class AlphaZeroPolicy(TreePolicy):
    """Searches in the graph, by rules that are ops.

    The state carries the number of moves made; where games are resigned, whether this one is played
    on and whether anybody would have given it up; where subtrees are reused, the tree.
    """

    def __init__(
        self,
        config: AlphaZeroConfig,
        network: AlphaZeroNetwork,
        observation_spec: Any,
        action_spec: tf.TensorSpec,
        evaluation: bool,
    ) -> None:
        super().__init__(
            config,
            network.training_step,
            observation_spec,
            action_spec,
            evaluation,
            name="alphazero_policy",
        )
        self._network = network
        self._resigns = config.resign_threshold is not None and not evaluation
        if network.rules is not None and not network.rules.portable:
            self.native_alone = f"the rules of {network.rules.name} are native ops alone"
        # Where an opponent answers, the next root is no child of the last one.
        self._reuses = config.reuse_subtree and not evaluation
        self.meanings = {
            **self.meanings,
            "observation_state": "the packed position (ops/games/layout.py), the mover's to play",
            "observation_legal_actions": "which moves the rules allow",
        }

    def initial_state(self, batch_size: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """`moves` int32 [B]; `plays_on`, `gave_up`, bool [B]; `tree`, see `reuse.nothing`."""
        state = super().initial_state(batch_size)
        if self._reuses:
            sizes = self._network.num_actions, self._network.rules.state_size
            state["tree"] = reuse.nothing(batch_size, *sizes, self._room)
        if self._resigns:
            state["plays_on"] = state["gave_up"] = tf.zeros([batch_size], tf.bool)
        return state

    def searched(
        self, observation: Any, state: dict[str, tf.Tensor]
    ) -> tuple[mcts.RootFnOutput, RecurrentFn]:
        """See `TreePolicy.searched`."""
        states, _ = split(observation)
        return root_of(self._network, states), recurrent_fn(self._network)

    def without_network(self, observation: Any) -> tuple[mcts.RootFnOutput, RecurrentFn]:
        """See `TreePolicy.without_network`: the rules, and the planes that a network would see."""
        states, _ = split(observation)
        rules = self._network.rules

        def step(action: tf.Tensor, states: tf.Tensor) -> tuple[mcts.RecurrentFnOutput, tf.Tensor]:
            states, reward, discount, legal = rules.step(states, action)
            first = self._network.planes(states)[:, 0, 0, 0]
            logits = tf.where(legal, 0.0, -1.0)
            return mcts.RecurrentFnOutput(reward, discount, logits, first), states

        value = tf.zeros(tf.shape(states)[:1])
        return mcts.RootFnOutput(
            tf.zeros([len(states), self._network.num_actions]), value, states
        ), step

    def search(self, observation, state, seed, room, simulations=None, explore=None, **slices):
        """See `TreePolicy.search`; goes on in the carried tree where there is one."""
        if not self._reuses:
            arguments = observation, state, seed, room, simulations, explore
            return super().search(*arguments, **slices)
        config = self._config
        root, model = self.searched(observation, state)
        return search(
            config,
            None,
            model,
            split(observation)[1],
            seed,
            num_simulations=room,
            explore=explore is not False,
            simulations=simulations,
            search_tree=reuse.taken_up(state["tree"], root, self._room, config.search_backend),
        )

    def conclude(self, observation, state, found, action, info, seed):
        """See `TreePolicy.conclude`."""
        action, following, info = super().conclude(observation, state, found, action, info, seed)
        if self._reuses:
            following["tree"] = reuse.carried(found.search_tree, action, self._room)
        if self._resigns:
            action, info = self._resign(state, found, action, info, following, seed)
        return action, following, info

    def _resign(self, state, found, action, info, following, seed):
        """Gives up where it is hopeless (Silver et al. 2017), but not in games that are played on.

        `info` gets `gave_up` bool [B]: the first position of such a game at which somebody would.
        """
        config = self._config
        root = found.search_tree.summary()
        best = tf.reduce_max(tf.where(root.visit_counts > 0, root.qvalues, -1.0), axis=1)
        hopeless = tf.maximum(root.value, best) < config.resign_threshold
        own_seed = tf.random.experimental.stateless_fold_in(seed, 1)
        drawn = tf.random.stateless_uniform(tf.shape(action), own_seed) < config.played_on
        plays_on = tf.where(state["moves"] == 0, drawn, state["plays_on"])
        following |= {"plays_on": plays_on, "gave_up": state["gave_up"] | hopeless}
        info = {**info, "gave_up": hopeless & plays_on & ~state["gave_up"]}
        return tf.where(hopeless & ~plays_on, self._network.num_actions, action), info
