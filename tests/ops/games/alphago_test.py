"""Protects AlphaGo's view of Go: planes, ladders, features, and rollouts by a linear policy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ops import games
from ops.games import go
from ops.games.host import HostRules
from tests.ops.games import naive_alphago
from tests.ops.games.drawn import index, play, position
from tests.ops.games.openspiel import random_actions

RULES = dict(komi=0.5)


def some_positions(host: HostRules, seed: int, every: int, batch: int = 6) -> np.ndarray:
    """States [P, S] of random games, of which one in so many moves; passes are rare."""
    print(f"seed {seed}")
    random, state = np.random.default_rng(seed), host.initial(batch)
    legal, kept = host.legal(state), []
    for move in range(host.options.max_moves):
        if not legal.any():
            break
        if move % every == seed % every:
            kept.append(state[legal.any(axis=1)])
        state, _, _, legal = host.step(state, random_actions(legal, random, rare_pass=True))
    return np.concatenate(kept)


def parts(state: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The stones' bytes of who is to move, and of the other one: [N, N]."""
    first, second = state[4 : 4 + 2 * size**2].reshape(2, size, size)
    return (first, second) if state[0] % 2 == 0 else (second, first)


@pytest.mark.parametrize(
    ("size", "every", "ladder_moves", "suicide"),
    [(5, 7, 200, False), (9, 23, 12, False), (13, 60, 0, False), (5, 9, 0, True)],
)
def test_planes_are_those_that_the_paper_words(size, every, ladder_moves, suicide):
    host = HostRules(games.make("go", size=size, suicide=suicide, **RULES))
    states = some_positions(host, 3 + size, every)
    found, legal = host.go_planes(states, ladder_moves), host.legal(states)
    for state, seen, allowed in zip(states, found, legal, strict=True):
        may = allowed[:-1].reshape(size, size)
        wanted = naive_alphago.planes(*parts(state, size), may, ladder_moves)
        differ = np.argwhere(wanted != seen).tolist()
        assert not differ, differ[:5]
    rows = found.sum(axis=(0, 1, 2))
    assert rows[[4, 11, 12, 20, 28, 36, 46]].all() and not rows[47]
    assert not ladder_moves or rows[44:46].all(), "there are ladders to be read"
    in_graph = go.planes(
        games.make("go", size=size, suicide=suicide, **RULES), states, ladder_moves
    )
    assert (in_graph.numpy() == found).all()


def test_a_ladder_is_read_to_the_edge_and_a_stone_on_its_way_breaks_it():
    rules = games.make("go", size=9, **RULES)
    host = HostRules(rules)
    caught = position(host, "", "...X.....", "..XO.....", "..X......")
    assert host.go_planes(caught)[0, 2, 4, 44] == 1, "the chaser's stone to the right of it"
    assert host.go_planes(caught, 4)[0, 2, 4, 44] == 0, "too few moves"
    broken = position(host, "", "...X.....", "..XO.....", "..X......", "", "", "......O..")
    assert host.go_planes(broken)[0, 2, 4, 44] == 0
    runs = position(host, "", "...X.....", "..XOX....", "..X......", second=True)
    assert host.go_planes(runs)[0, 3, 3, 45] == 0
    runs = position(
        host, "", "...X.....", "..XOX....", "..X......", "", "", "......O..", second=True
    )
    assert host.go_planes(runs)[0, 3, 3, 45] == 1


@pytest.mark.parametrize(("size", "every"), [(5, 5), (9, 11), (13, 50)])
@pytest.mark.parametrize("nakade", [False, True])
def test_features_are_those_of_the_reference(size, every, nakade):
    rules = games.make("go", size=size, **RULES)
    host = HostRules(rules)
    states = some_positions(host, 40 + size, every)
    found, legal = host.go_features(states, nakade), host.legal(states)
    for state, told, allowed in zip(states, found, legal, strict=True):
        may = allowed[:-1].reshape(size, size)
        wanted = naive_alphago.features(*parts(state, size), may, nakade)
        for cell, kinds in enumerate(wanted):
            row = [kinds.get(kind, -1) for kind in range(6)]
            assert told[cell].tolist() == row, (cell, told[cell], row)
        assert (told[-1] == -1).all()
    assert (found >= 0).any(axis=(0, 1))[:5].all()
    assert (found[..., 5] >= 0).any() <= nakade
    assert (go.features(rules, states, nakade).numpy() == found).all()


def test_moves_are_drawn_by_the_softmax_of_their_weights():
    """One move before the game's end: outcomes tell which moves were made."""
    host = HostRules(games.make("go", size=5, komi=0.0, max_moves=13))
    rows = ("XXXX.", "OOOO.", "..O..", ".XXX.", "OOOO.")
    state = position(host, *rows)
    state[0, 0] = 12
    weights = np.random.default_rng(0).normal(0, 1.5, go.NUM_FEATURES).astype(np.float32)
    told, legal = host.go_features(state)[0], host.legal(state)[0]
    playable = told[:, 0] >= 0
    logits = np.where(told >= 0, weights[np.maximum(told, 0)], 0).sum(axis=1)
    shares = np.where(playable, np.exp(logits), 0)
    shares /= shares.sum()
    ends = np.array([host.step(state, [a])[1][0] if legal[a] else 0.0 for a in range(26)])
    assert len(set(ends[playable])) > 1
    count = 20_000
    outcomes = host.rollout(np.repeat(state, count, axis=0), 5, weights)
    assert outcomes.mean() == pytest.approx(shares @ ends, abs=4 / count**0.5)


def test_weights_of_0_are_uniform_and_many_threads_say_what_one_says():
    """The ops share the batch out over the device's threads, the host has one."""
    rules = games.make("go", size=7, komi=4.5)
    host, count = HostRules(rules), 4000
    state = np.repeat(play(host, host.initial(1), (3, 3), (2, 3)), count, axis=0)
    uniform = go.rollout(rules, state, None, [1, 2]).numpy()
    linear = go.rollout(rules, state, tf.zeros([go.NUM_FEATURES]), [1, 2]).numpy()
    assert set(np.unique(linear)) == {-1, 1}
    assert abs(uniform.mean() - linear.mean()) < 0.08
    assert (uniform == host.rollout(state, (1 << 32) + 2)).all()
    weights = np.zeros(go.NUM_FEATURES, np.float32)
    assert (linear == host.rollout(state, (1 << 32) + 2, weights)).all()


def test_a_seed_a_row_plays_each_row_as_if_it_were_alone():
    rules = games.make("go", size=5)
    weights, state = tf.random.stateless_normal([go.NUM_FEATURES], [0, 1]), rules.initial(40)
    seeds = tf.stack([tf.range(40), tf.range(40) % 7], axis=1)
    together = go.rollout(rules, state, weights, seeds).numpy()
    alone = [go.rollout(rules, state[:1], weights, seeds[i : i + 1]).numpy()[0] for i in range(40)]
    assert together.tolist() == alone and len(set(alone)) == 2


def test_a_game_that_is_over_keeps_its_outcome():
    host = HostRules(games.make("go", size=5, komi=0.5))
    state = play(host, host.initial(1), (2, 2), "pass", "pass")
    weights = np.zeros(go.NUM_FEATURES, np.float32)
    assert host.rollout(state, 0, weights)[0] == -1 and (host.go_features(state) == -1).all()
    assert host.go_planes(state)[0, :, :, 46].sum() == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rules, s: go.planes(rules, s, 201), "ladder_moves is not 0 to 200"),
        (
            lambda rules, s: go.rollout(rules, s, tf.zeros([5]), [0, 0]),
            "odds are not one a feature",
        ),
        (
            lambda rules, s: go.rollout(rules, s, tf.fill([go.NUM_FEATURES], 100.0), [0, 0]),
            "odds are not 0 to 1e6",
        ),
        (
            lambda rules, s: go.rollout(rules, s, tf.fill([go.NUM_FEATURES], np.nan), [0, 0]),
            "odds are not 0 to 1e6",
        ),
        (lambda rules, s: go.rollout(rules, s, None, [0, 0, 0]), r"seed has shape \[3\], expected"),
        (lambda rules, s: go.planes(games.make("othello"), s), "rules are those of othello"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    rules = games.make("go", size=5)
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError), match=message):
        call(rules, rules.initial(2))
    assert index(HostRules(rules), "pass") == 25
