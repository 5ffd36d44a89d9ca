"""Protects AlphaGo's parts: expert games, losses, the pool, who plays which move, the search."""

from __future__ import annotations

import dataclasses

import gin
import numpy as np
import pytest
import tensorflow as tf

from agents.alphago import AlphaGoBuilder, AlphaGoConfig, acting, experts, figures
from agents.alphago.acting import NetworkPolicy, PoolPolicy, SearchPolicy, ValueGamesPolicy
from agents.alphago.learning import Played, ReinforceLearner, ValueLearner
from agents.alphago.networks import playable
from agents.builder import Role, tensor_spec
from ops import games
from ops.games import go
from ops.games.host import HostRules
from pipelines.environments import rules_game
from tests.agents.alphago import tiny
from tests.agents.config_contract import ConfigContract, message_of

RULES = games.make("go", size=tiny.SIZE, max_moves=30)


@pytest.fixture(autouse=True)
def fresh_gin():
    gin.clear_config()
    yield
    gin.clear_config()


class TestAlphaGoConfig(ConfigContract):
    config = AlphaGoConfig


def test_a_wrong_setting_is_named():
    expected = "AlphaGoConfig.mixing = 2; expected at least 0 and at most 1"
    assert message_of(AlphaGoConfig, mixing=2) == expected


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"game": "othello", "size": 6, "max_moves": None}, "AlphaGo needs Go with rules that are"),
        ({"resignation": True}, "AlphaGo does not resign"),
    ],
)
def test_an_environment_that_does_not_fit_is_named(environment, message):
    with pytest.raises(ValueError, match=message):
        AlphaGoBuilder(tiny.CONFIG).make_networks(tiny.spec(**environment), seed=0)


def states(count: int, seed: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
    """States [B, S] of random games in which they go on, and what is legal there."""
    random, host = np.random.default_rng(seed), HostRules(RULES)
    state = host.initial(count)
    for _ in range(9):
        legal = host.legal(state)[:, :-1]
        state = host.step(state, (random.random(legal.shape) * legal).argmax(axis=1))[0]
    return tf.constant(state), tf.constant(host.legal(state))


def played(count: int, seed: int = 0) -> Played:
    random, (state, legal) = np.random.default_rng(seed), states(count, seed)
    choices = playable(go.planes(RULES, state), legal).numpy()
    action = (random.random(choices.shape) * choices).argmax(axis=1)
    outcome, apart = random.choice([-1.0, 1.0], count), random.random(count) < 0.4
    rows = Played(state, legal, action.astype(np.int32), outcome.astype(np.float32), apart)
    return tf.nest.map_structure(lambda leaf: tf.constant(leaf)[:, None], rows)


# Expert games.


def test_bad_files_are_counted_and_named_and_the_rest_is_learned_from(tmp_path, capsys):
    tiny.write_games(tmp_path, 3)
    bad = {
        "a.sgf": "no game",
        "b.sgf": "(;SZ[9];B[aa])",
        "c.sgf": "(;SZ[5];B[aa];W[aa])",
        "d.sgf": "(;SZ[5];B[zz])",
    }
    for name, text in bad.items():
        (tmp_path / name).write_text(text)
    found = experts.read(str(tmp_path), RULES, 0.0)
    assert found.games == 3 and len(found.learned.action) == 36
    assert dict(found.bad) == {
        "a.sgf": "no SGF: it has no node",
        "b.sgf": "the board is 9×9, expected 5×5",
        "c.sgf": "move 2 is illegal",
        "d.sgf": "the SGF cannot be played: 'zz' is no point of the board",
    }
    said = capsys.readouterr().err
    assert said.startswith(f"warning: 4 of 7 SGF files in {tmp_path} are left out: a.sgf (no SGF")
    assert said.count("\n") == 1 and "and 1 more" in said
    with pytest.raises(ValueError, match=r"has no game on 7×7 among its 7 SGF files"):
        experts.read(str(tmp_path), games.make("go", size=7), 0.0)


def test_setup_stones_are_played_and_not_learned(tmp_path):
    text = "(;SZ[5]AB[aa][bb]AW[cc];W[dd];B[ee];B[ea];W[])"
    (tmp_path / "game.sgf").write_text(text)
    found = experts.read(str(tmp_path), RULES, 0.0).learned
    dd, ee, ea, passed = 1 * 5 + 3, 0 * 5 + 4, 4 * 5 + 4, 25
    assert found.action.tolist() == [dd, ee, ea, passed]
    boards = games.make("go", size=5, superko=False, max_moves=2000).board(found.state).numpy()
    assert [int((board == 1).sum()) for board in boards] == [2, 2, 3, 4]
    assert boards[0][4, 0] == boards[0][3, 1] == 1 and boards[0][2, 2] == -1


def test_which_games_are_held_out_does_not_change_when_others_are_added(tmp_path):
    tiny.write_games(tmp_path, 12)
    few = experts.read(str(tmp_path), RULES, 0.4)
    tiny.write_games(tmp_path / "more", 12, seed=1)
    many = experts.read(str(tmp_path), RULES, 0.4)
    assert 0 < len(few.held_out.action) < 12 * 12
    before, after = ({s.tobytes() for s in each.held_out.state} for each in (few, many))
    assert before <= after and many.games == 24
    assert np.any(few.fingerprint != many.fingerprint)


def test_what_an_update_sees_depends_on_its_number_alone(tmp_path):
    tiny.write_games(tmp_path, 4)
    learned = experts.read(str(tmp_path), RULES, 0.0).learned
    whole = list(experts.dataset(learned, 5, 3, 0).take(6))
    rest = list(experts.dataset(learned, 5, 3, 4).take(2))
    for one, other in zip(whole[4:], rest, strict=True):
        np.testing.assert_array_equal(one.state, other.state)
        np.testing.assert_array_equal(one.action, other.action)
    assert any(np.any(one.action != whole[0].action) for one in whole[1:])


# Learning.


def test_reinforcement_makes_moves_of_won_games_likelier_and_others_less_likely():
    networks = tiny.networks()
    networks.begin_reinforcement()
    learner, batch = ReinforceLearner(tiny.CONFIG, networks, seed=0), played(12)
    rows = tf.nest.map_structure(lambda leaf: leaf[:, 0].numpy(), batch)
    planes = networks.planes(rows.state)
    choices = playable(planes, tf.constant(rows.legal)).numpy()

    def log_probs() -> np.ndarray:
        logits = np.where(choices, networks.reinforced(planes).numpy().astype(np.float64), -np.inf)
        peak = logits.max(axis=1, keepdims=True)
        logits -= peak + np.log(np.exp(logits - peak).sum(axis=1, keepdims=True))
        return logits[np.arange(12), rows.action]

    before = (log_probs() * rows.outcome).mean()
    update = learner.step(batch)
    assert update.metrics["reinforce/loss"].numpy() == pytest.approx(-before, abs=1e-4)
    assert (log_probs() * rows.outcome).mean() > before


def test_p_rho_joins_the_pool_and_opponents_come_from_there():
    networks = tiny.networks()
    networks.begin_reinforcement()
    learner = ReinforceLearner(tiny.CONFIG, networks, seed=0)
    first = lambda network: network.trainable_variables[0].numpy()  # noqa: E731
    seen = [first(networks.reinforced)]
    np.testing.assert_array_equal(seen[0], first(networks.supervised))
    for update in range(4):
        learner.step(played(6, update))
        seen.append(first(networks.reinforced))
        # Two places: the two newest.
        assert any(np.array_equal(first(networks.opponent), old) for old in seen[-2:])
    assert networks.pooled == 5
    np.testing.assert_array_equal(seen[0], first(networks.supervised))


def test_the_values_loss_is_of_games_that_are_not_held_out():
    networks, batch = tiny.networks(), played(10)
    config = dataclasses.replace(tiny.CONFIG, symmetries="none")
    rows = tf.nest.map_structure(lambda leaf: leaf[:, 0], batch)
    planes = networks.with_colour(networks.planes(rows.state), rows.state)
    errors = np.square(rows.outcome.numpy() - networks.value(planes).numpy())
    apart = rows.held_out.numpy()
    metrics = ValueLearner(config, networks, seed=0).step(batch).metrics
    assert metrics["value/loss"].numpy() == pytest.approx(errors[~apart].mean(), rel=1e-5)
    assert metrics["value/held_out_loss"].numpy() == pytest.approx([errors[apart].mean()], rel=1e-5)


def test_errors_are_of_the_outcome_as_each_mover_sees_it():
    sure = lambda states: tf.ones([len(states)])  # noqa: E731
    even = lambda states: tf.zeros([len(states)])  # noqa: E731
    turns, drawn = np.array([0, 1, 0]), states(3)[0].numpy()
    errors = figures.squared_errors(drawn, 1.0, [sure, even], turns)
    np.testing.assert_array_equal(errors, [[0, 4, 0], [1, 1, 1]])
    middles, means = figures.binned(np.array([0, 4, 11]), errors)
    np.testing.assert_array_equal(middles, [2.5, 12.5])
    np.testing.assert_array_equal(means, [[2, 0], [1, 1]])


def test_finished_games_are_drawn():
    host, state = HostRules(RULES), states(1)[0].numpy()
    seen = [state[0]]
    for _ in range(2):
        state = host.step(state, [25])[0]
        seen.append(state[0])
    config = dataclasses.replace(tiny.CONFIG, figure_rollouts=2)
    draw = figures.value_errors(config, tiny.networks())
    assert draw([{"state": np.stack(seen)[:2]}], []) == {}
    pictures = draw([{"state": np.stack(seen)}], [])
    assert pictures["value_error"].shape[2] == 3 and pictures["value_error"].std() > 0


def test_a_network_plays_games_to_their_end_and_tells_each_mover_how_it_ended():
    """With all the board's points as komi a side cannot lose, and wins unless it loses all."""
    drawn, _ = states(20, seed=4)
    for komi, white in [(25.0, 1.0), (-25.0, -1.0)]:
        made = AlphaGoBuilder(tiny.CONFIG).make_networks(tiny.spec(komi=komi), seed=0)
        outcome = acting.played_out(made, made.reinforced, drawn, tf.constant([1, 2]))
        mover = made.rules.to_play(drawn).numpy()
        whites = np.where(mover == 1, outcome, -outcome) * white
        assert whites.min() >= 0 and whites.mean() > 0.8
    made, many = tiny.networks(), tf.tile(drawn[:1], [200, 1])
    outcome = acting.played_out(made, made.reinforced, many, tf.constant([1, 2])).numpy()
    assert set(outcome) == {-1.0, 1.0}


# Acting.


def policy(kind, *before, config=tiny.CONFIG):
    spec, networks = tiny.spec(), tiny.networks(config)
    parts = networks, tensor_spec(spec.observations), tensor_spec(spec.actions)
    return kind(*before, *parts), networks


def observed(count: int, seed: int = 0) -> dict[str, tf.Tensor]:
    state, legal = states(count, seed)
    return {"state": state, "legal_actions": legal}


def test_both_seats_are_p_rhos_as_often_and_it_moves_in_its_own():
    made, networks = policy(PoolPolicy)
    seen = observed(64)
    _, state, info = made.step(seen, made.initial_state(64), tf.constant([0, 1]))
    assert 16 < int(tf.reduce_sum(state["seat"])) < 48
    mover = networks.rules.to_play(seen["state"])
    np.testing.assert_array_equal(info["kept"], mover == state["seat"])
    _, later, _ = made.step(seen, state, tf.constant([0, 2]))
    np.testing.assert_array_equal(later["seat"], state["seat"])


@pytest.mark.parametrize("positions", ["one", "all"])
def test_one_position_a_game_is_kept_the_one_behind_the_random_move(positions):
    config = dataclasses.replace(tiny.CONFIG, value_positions=positions)
    made, _ = policy(ValueGamesPolicy, config)
    seen, state, kept = observed(40), made.initial_state(40), []
    for move in range(8):
        _, state, info = made.step(seen, state, tf.constant([1, move]))
        kept.append(info["kept"].numpy())
    turn = state["turn"].numpy()
    assert set(turn) == set(range(tiny.CONFIG.value_last_move))
    for row in range(40):
        last = turn[row] + 2 if positions == "one" else 8
        wanted = [turn[row] < move < last for move in range(8)]
        assert [bool(of_move[row]) for of_move in kept] == wanted


def test_a_network_plays_its_likeliest_sensible_move():
    spec, networks = tiny.spec(), tiny.networks()
    parts = networks, tensor_spec(spec.observations), tensor_spec(spec.actions)
    made, seen = NetworkPolicy(networks.supervised, *parts), observed(20)
    action, _, info = made.step(seen, {}, tf.constant([0, 0]))
    planes = networks.planes(seen["state"])
    choices = playable(planes, seen["legal_actions"]).numpy()
    logits = np.where(choices, networks.supervised(planes).numpy(), -np.inf)
    np.testing.assert_array_equal(action, logits.argmax(axis=1))
    assert not np.any(info["search_policy"].numpy()[~choices])


def searching(**changes):
    config = dataclasses.replace(tiny.CONFIG, num_simulations=24, **changes)
    spec, networks = tiny.spec(), tiny.networks(config)
    parts = networks, tensor_spec(spec.observations), tensor_spec(spec.actions)
    return SearchPolicy(config, *parts, True), networks


def test_a_leaf_is_worth_the_mixture_of_value_and_rollout():
    seen, said = observed(6), {}
    action = tf.argmax(tf.cast(seen["legal_actions"], tf.int32), axis=1, output_type=tf.int32)
    for mixing in (0.0, 0.25, 1.0):
        made, networks = searching(mixing=mixing)
        root, step = made.searched(seen, {})
        answer, after = step(action, root.embedding, seed=tf.constant([3, 4]))
        said[mixing] = answer.value.numpy()
    value = networks.value(networks.with_colour(networks.planes(after), after)).numpy()
    rollout = go.rollout(networks.rules, after, networks.rollout.weights, [3, 4]).numpy()
    np.testing.assert_allclose(said[0.0], value, atol=1e-6)
    np.testing.assert_array_equal(said[1.0], rollout)
    np.testing.assert_allclose(said[0.25], 0.75 * value + 0.25 * rollout, atol=1e-6)


def test_a_search_plays_legal_moves_and_repeats_itself_with_equal_seeds():
    seen = observed(8)
    for changes in ({}, {"expansion_threshold": 1, "rollout_policy": "uniform"}):
        made, _ = searching(**changes)
        results = [
            made.step(seen, made.initial_state(8), tf.constant([0, call])) for call in (0, 0, 1)
        ]
        for action, _, info in results:
            assert np.all(seen["legal_actions"].numpy()[np.arange(8), action])
            np.testing.assert_allclose(tf.reduce_sum(info["search_policy"], 1), np.ones(8), 1e-5)
        values = [info["search_value"].numpy() for _, _, info in results]
        np.testing.assert_array_equal(values[0], values[1])
        assert np.any(values[0] != values[2])


def test_a_game_that_is_over_waits_for_others_of_its_batch():
    host, seen = HostRules(RULES), observed(3)
    state = host.step(host.step(seen["state"].numpy()[:1], [25])[0], [25])[0]
    over = {"state": tf.constant(state), "legal_actions": tf.zeros([1, 26], tf.bool)}
    both = tf.nest.map_structure(lambda a, b: tf.concat([a, b], 0), seen, over)
    for made in (searching()[0], policy(PoolPolicy)[0]):
        action, _, _ = made.step(both, made.initial_state(4), tf.constant([0, 0]))
        assert np.all(both["legal_actions"].numpy()[np.arange(3), action[:3]])


def test_a_position_is_searched_behind_only_after_so_many_visits():
    seen, depths = observed(4), []
    for threshold in (1, 5):
        made, _ = searching(expansion_threshold=threshold)
        tree = made.search(seen, made.initial_state(4), tf.constant([0, 0]), 24).search_tree
        visits, parents = tree.node_visits.numpy(), tree.parents.numpy()
        depths.append(int((visits > 0).sum()))
        for row in range(4):
            for node in range(1, 25):
                if 0 < visits[row, node] <= threshold:
                    assert threshold == 1 or not np.any((parents[row] == node) & (visits[row] > 0))
    assert depths[1] < depths[0]


def test_the_search_is_what_is_evaluated_and_any_network_may_be():
    spec = tiny.spec()
    for play, kind in (
        ("search", SearchPolicy),
        ("supervised", NetworkPolicy),
        ("reinforced", NetworkPolicy),
    ):
        builder = AlphaGoBuilder(dataclasses.replace(tiny.CONFIG, play=play))
        networks = builder.make_networks(spec, seed=0)
        made = builder.make_policy(networks, spec, Role(evaluation=True))
        assert isinstance(made, kind) and made.native_alone
    environment = rules_game(seed=0, game="go", size=tiny.SIZE, max_moves=30)
    shown = {k: tf.constant(v[None]) for k, v in environment.reset().observation.items()}
    action = made.step(shown, made.initial_state(1), tf.constant([0, 0]))[0]
    environment.step(action.numpy()[0])
