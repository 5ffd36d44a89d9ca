"""Protects the search over true rules of chance: it plays 2048, as OpenSpiel has it, well."""

from __future__ import annotations

import numpy as np
import pyspiel
import tensorflow as tf

from ops import mcts

BATCH, MOVES, SIMULATIONS = 8, 40, 24
BEFORE_THE_END = 6
ACTIONS, OUTCOMES = 4, 33


class Rules:
    """2048 as a stochastic model: positions on the host, whose embedding is a number.

    What is asked of a tree that wants the other kind of answer may be illegal; then another move
    is played, as nobody reads the answer.
    """

    def __init__(self):
        self.positions = []

    def keep(self, positions):
        first = len(self.positions)
        self.positions += positions
        return np.arange(first, len(self.positions), dtype=np.int32)

    def played(self, numbers, moves):
        after = [self.positions[number].clone() for number in numbers]
        for position, move in zip(after, moves, strict=True):
            legal = position.legal_actions()
            if legal:
                position.apply_action(int(move) if move in legal else legal[0])
        return after

    def root(self, positions):
        self.positions = []
        numbers = self.keep(positions)
        return mcts.RootFnOutput(legal_logits(positions), worth(positions), numbers)

    def decide(self, action, number):
        def on_host(action, number):
            after = self.played(number, action)
            return outcome_logits(after), gain(after) + worth(after), self.keep(after)

        said = tf.numpy_function(on_host, [action, number], [tf.float32, tf.float32, tf.int32])
        logits, value, after = said
        logits = tf.ensure_shape(logits, [BATCH, OUTCOMES])
        return mcts.DecisionRecurrentFnOutput(logits, shaped(value)), shaped(after)

    def happen(self, outcome, number):
        def on_host(outcome, number):
            reward = gain([self.positions[n] for n in number])
            after = self.played(number, outcome)
            return legal_logits(after), worth(after), reward, self.keep(after)

        said = tf.numpy_function(on_host, [outcome, number], [tf.float32] * 3 + [tf.int32])
        logits, value, reward, after = said
        logits = tf.ensure_shape(logits, [BATCH, ACTIONS])
        value, reward, after = shaped(value), shaped(reward), shaped(after)
        return mcts.ChanceRecurrentFnOutput(logits, value, reward, tf.ones_like(value)), after


def shaped(vector):
    return tf.ensure_shape(vector, [BATCH])


def legal_logits(positions):
    logits = np.full((len(positions), ACTIONS), -np.inf, np.float32)
    for row, position in zip(logits, positions, strict=True):
        if not position.is_terminal() and not position.is_chance_node():
            row[position.legal_actions()] = 0.0
    return logits


def outcome_logits(positions):
    logits = np.full((len(positions), OUTCOMES), -np.inf, np.float32)
    for row, position in zip(logits, positions, strict=True):
        if position.is_chance_node():
            outcomes, probs = zip(*position.chance_outcomes(), strict=True)
            row[list(outcomes)] = np.log(probs)
    return logits


def gain(positions):
    """What the last move merged."""
    return np.array([position.rewards()[0] for position in positions], np.float32)


def worth(positions):
    """Ten points an empty cell: all that a leaf is judged by."""
    cells = np.array([position.observation_tensor(0) for position in positions])
    return 10.0 * (cells == 0).sum(-1, dtype=np.float32)


def let_chance_move(position, rng):
    while position.is_chance_node():
        outcomes, probs = zip(*position.chance_outcomes(), strict=True)
        position.apply_action(rng.choice(outcomes, p=np.array(probs) / sum(probs)))


def crowded_positions(seed):
    """Positions of random games, BEFORE_THE_END moves before they were lost."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(BATCH):
        position, past = pyspiel.load_game("2048").new_initial_state(), []
        let_chance_move(position, rng)
        while not position.is_terminal():
            past.append(position.clone())
            position.apply_action(rng.choice(position.legal_actions()))
            let_chance_move(position, rng)
        found.append(past[-BEFORE_THE_END])
    return found


def moves_survived(choose, seed):
    """How many moves each game lives on, MOVES at most."""
    rng, positions = np.random.default_rng(seed), crowded_positions(seed)
    lived = np.zeros(BATCH, int)
    for _ in range(MOVES):
        running = [not position.is_terminal() for position in positions]
        lived += running
        for row, action in enumerate(choose(positions, rng)):
            if running[row]:
                positions[row].apply_action(int(action))
                let_chance_move(positions[row], rng)
    return lived


def at_random(positions, rng):
    return [rng.choice(position.legal_actions() or [0]) for position in positions]


def greedily(positions, _):
    """The move that merges most."""

    def merged(position, action):
        after = position.clone()
        after.apply_action(action)
        return after.rewards()[0]

    return [max(p.legal_actions(), key=lambda a, p=p: merged(p, a), default=0) for p in positions]


def searcher(backend):
    rules = Rules()
    search = tf.function(
        lambda root: mcts.stochastic_muzero_policy(
            root, rules.decide, rules.happen, SIMULATIONS, dirichlet_fraction=0.0,
            temperature=0.0, seed=(0, 1), backend=backend,
        ).action
    )  # fmt: skip
    (any_position, *_) = crowded_positions(0)

    def choose(positions, _):
        root = rules.root([any_position if p.is_terminal() else p for p in positions])
        return search(tf.nest.map_structure(tf.constant, root)).numpy()

    return choose


def test_it_lives_longer_than_chance_and_greed():
    seed = 2
    print("seed", seed)
    lived = {
        choose: moves_survived(choose, seed).mean()
        for choose in (at_random, greedily, searcher("native"))
    }
    print(lived)
    *others, search = lived.values()
    assert search > 1.5 * max(others)
