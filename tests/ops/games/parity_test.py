"""Protects that twin, native ops and host give the same bytes, numbers and truths."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ops import games, loader
from ops.games.host import HostRules
from tests.ops.games.openspiel import board_of, random_actions

TWINS = (
    ("tic_tac_toe", {"history": 2}),
    ("connect_four", {"history": 5}),
    ("othello", {"size": 6, "history": 8}),
    ("othello", {"size": 8}),
)
GAMES = (
    *TWINS,
    ("go", {"size": 7, "max_moves": 60}),
    ("go", {"size": 19, "max_moves": 40, "komi": 0.5}),
)


def everything(rules: games.Rules):
    """All that rules say of a state and an action, in a graph that goes on using the state."""

    @tf.function
    def say(state, action):
        step = rules.step(state, action)
        asked = (rules.legal, rules.observe, rules.board, rules.to_play, rules.over, rules.score)
        return step, [ask(state) for ask in asked], [ask(step.state) for ask in asked]

    return say


def assert_same(one, other):
    for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert a.dtype == b.dtype and a.shape == b.shape and (a == b).all()


@pytest.mark.parametrize(("name", "options"), TWINS)
def test_the_twin_says_what_the_native_ops_say(name, options):
    seed, batch = 3, 24
    print(f"seed {seed}")
    random = np.random.default_rng(seed)
    native, twin = (
        games.make(name, backend=backend, **options) for backend in ("native", "tensorflow")
    )
    say_native, say_twin = everything(native), everything(twin)
    state = native.initial(batch)
    assert_same(state, twin.initial(tf.constant(batch)))
    legal, moves = native.legal(state).numpy(), 0
    while legal.any() and moves < 200:
        action = random_actions(legal, random, rare_pass=False)
        said = say_native(state, action)
        assert_same(said, say_twin(state, action))
        state, legal, moves = said[0].state, said[0].legal.numpy(), moves + 1
    assert native.over(state).numpy().all()
    assert len(set(native.score(state).numpy())) > 1


@pytest.mark.parametrize(("name", "options"), TWINS[1:3])
def test_xla_compiles_the_twin(name, options):
    random, rules = np.random.default_rng(9), games.make(name, **options)
    compiled = tf.function(
        lambda state, action: (rules.step(state, action), rules.observe(state)), jit_compile=True
    )
    host = HostRules(rules)
    state = host.initial(4)
    legal = host.legal(state)
    for _ in range(12):
        action = random_actions(legal, random, rare_pass=False)
        step, planes = compiled(state, action)
        assert_same([*step, planes], [*host.step(state, action), host.observe(state)])
        state, legal = step.state.numpy(), step.legal.numpy()


def test_xla_compiles_what_is_seen_of_go():
    rules = games.make("go", size=7, max_moves=60)
    random, host = np.random.default_rng(10), HostRules(rules)
    observe = tf.function(rules.observe, jit_compile=True)
    state = host.initial(8)
    legal = host.legal(state)
    while legal.any():
        state, _, _, legal = host.step(state, random_actions(legal, random, rare_pass=False))
        seen = host.observe(state)
        assert_same(observe(state), seen)
        with loader.portable():
            assert_same(rules.observe(state), seen)  # With its checks, which XLA drops.


@pytest.mark.parametrize(("name", "options"), GAMES)
def test_the_host_says_what_the_native_ops_say(name, options):
    seed, batch = 4, 8
    print(f"seed {seed}")
    random, rules = np.random.default_rng(seed), games.make(name, **options)
    host, say = HostRules(rules), everything(rules)
    state = host.initial(batch)
    assert_same(state, rules.initial(batch))
    legal = host.legal(state)
    while legal.any():
        action = random_actions(legal, random, rare_pass=True)
        step, now, _ = say(state, action)
        assert_same(now[:2], [host.legal(state), host.observe(state)])
        assert_same(now[2], board_of(state, rules))
        after = host.step(state, action)
        assert_same(tuple(step), after)
        state, legal = after[0], after[3]
    assert rules.over(state).numpy().all()


@pytest.mark.parametrize(("name", "options"), GAMES)
def test_planes_show_the_last_boards_as_the_mover_sees_them(name, options):
    rules = games.make(name, **options)
    random, history = np.random.default_rng(5), rules.options.history
    state = rules.initial(3)
    legal, boards = rules.legal(state).numpy(), []
    for moves in range(12):
        boards.insert(0, rules.board(state).numpy())
        planes, mine = rules.observe(state).numpy(), 1 - 2 * (moves % 2)
        assert planes.shape == (3, *rules.observation_shape)
        assert (rules.to_play(state).numpy() == moves % 2).all()
        assert (planes[..., -1] == (moves % 2 == 0)).all()
        for age in range(history):
            board = boards[age] if age <= moves else np.zeros_like(boards[0])
            assert (planes[..., 2 * age] == (board == mine)).all()
            assert (planes[..., 2 * age + 1] == (board == -mine)).all()
        if not legal.any(axis=1).all():
            break
        state, _, _, legal = rules.step(state, random_actions(legal, random, rare_pass=True))
        legal = legal.numpy()
    assert moves > 3


@pytest.mark.parametrize(("name", "options"), GAMES)
def test_rollouts_end_as_random_games_do(name, options):
    """The same for the same seed, another one for each row, from the mover's view."""
    host = HostRules(games.make(name, **options))
    state = host.initial(400)
    outcome = host.rollout(state, seed=6)
    assert (outcome == host.rollout(state, seed=6)).all()
    assert (outcome != host.rollout(state, seed=7)).any()
    assert set(outcome) <= {-1, 0, 1} and len(set(outcome)) > 1
    after = host.step(state, np.full(400, np.flatnonzero(host.legal(state)[0])[0]))[0]
    first, second = outcome.mean(), host.rollout(after, seed=6).mean()
    # Whose view it is: one random move hardly changes how random games end.
    assert abs(first + second) < 0.25, (first, second)


def test_rollouts_of_games_that_are_over_tell_how_they_ended():
    host = HostRules(games.make("connect_four"))
    state = host.initial(1)
    for column in (0, 1, 0, 1, 0, 1, 0):
        state, reward, discount, _ = host.step(state, [column])
    assert (reward[0], discount[0]) == (1, 0)
    assert host.rollout(state, seed=0) == [-1], "the loser is to move"


def test_uniform_rollouts_choose_every_move_alike():
    """Tic-tac-toe at random: the first player wins 0.585 of games, loses 0.288, draws 0.127."""
    host = HostRules(games.make("tic_tac_toe"))
    outcome = host.rollout(host.initial(40000), seed=1)
    shares = [(outcome == result).mean() for result in (1, -1, 0)]
    np.testing.assert_allclose(shares, [0.585, 0.288, 0.127], atol=0.01)
