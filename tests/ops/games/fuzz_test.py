"""Protects the process: bytes that are no state, and arguments that fit nothing."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ops import games, loader
from ops.games import native
from ops.games.host import HostRules

InvalidArgument = tf.errors.InvalidArgumentError
TWINS = ("tic_tac_toe", "connect_four", "othello")
GAMES = (
    *((name, {}) for name in TWINS),
    ("go", {"size": 9, "suicide": True}),
    ("go", {"size": 19}),
)


def garbage(rules, random: np.random.Generator, batch: int) -> np.ndarray:
    """States [B, S] of three kinds: any bytes; any stones; any stones in a game that goes on."""
    state = random.integers(0, 256, (batch, rules.state_size), np.uint8)
    cells = rules.options.cells
    owner = random.integers(0, 3, (batch, cells))
    for player in range(2):
        at = slice(4 + player * cells, 4 + (player + 1) * cells)
        state[batch // 3 :, at] *= (owner == player)[batch // 3 :]
    state[2 * batch // 3 :, 0] %= min(rules.max_game_length, 255)
    state[2 * batch // 3 :, 1:4] = 0
    return state


def outcome(call):
    try:
        return call()
    except (InvalidArgument, ValueError) as error:
        assert "state is not one of" in str(error) or "is illegal" in str(error), error
        return None


@pytest.mark.parametrize(("name", "options"), GAMES)
def test_random_bytes_end_in_an_answer_or_an_error_and_in_the_same_everywhere(name, options):
    seed, rows = 8, 90
    print(f"seed {seed}")
    rules, random = games.make(name, **options), np.random.default_rng(seed)
    host, answered = HostRules(rules), 0
    twin = games.make(name, backend="tensorflow", **options) if name in TWINS else None
    for state in garbage(rules, random, rows)[:, None]:
        action = random.integers(-1, rules.num_actions + 1, 1, np.int32)
        found = outcome(lambda state=state, action=action: rules.step(state, action))
        planes = outcome(lambda state=state: rules.observe(state))
        others = [host] if twin is None else [host, twin]
        for other in others:
            again = outcome(lambda o=other, state=state, action=action: o.step(state, action))
            assert (again is None) == (found is None)
            seen = outcome(lambda o=other, state=state: o.observe(state))
            assert (seen is None) == (planes is None)
            if other is host:  # Twin and ops differ on stones that hang in the air.
                for one, same in zip(found or (), again or (), strict=True):
                    assert (np.asarray(one) == np.asarray(same)).all()
        outcome(lambda state=state: host.rollout(state, 1))
        answered += planes is not None
    assert 0 < answered < rows


def test_an_illegal_action_names_itself_and_its_row():
    for name, options in GAMES:
        for backend in ("native", "tensorflow") if name in TWINS else ("native",):
            rules = games.make(name, backend=backend, **options)
            state, action = rules.initial(3), np.array([4, 4, rules.num_actions], np.int32)
            if name == "othello":
                action[:2] = rules.legal(state).numpy()[0].argmax()
            with pytest.raises(InvalidArgument, match="illegal") as error:
                rules.step(state, action)
            said = str(error.value)
            assert f"{rules.num_actions}" in said and "2" in said, said
    with pytest.raises(InvalidArgument, match=r"action -1 is illegal \(row 1 of the batch\)"):
        games.make("go").step(games.make("go").initial(2), [361, -1])
    with pytest.raises(ValueError, match=r"action -1 is illegal \(row 1 of the batch\)"):
        HostRules(games.make("go")).step(HostRules(games.make("go")).initial(2), [361, -1])


@pytest.mark.parametrize("backend", ["native", "tensorflow"])
def test_arguments_of_another_shape_or_type_are_refused(backend):
    rules = games.make("connect_four", backend=backend)
    state = rules.initial(2)
    for wrong in (state[0], state[:, 1:], tf.cast(state, tf.int32)):
        for ask in (rules.legal, rules.observe, rules.board, lambda s: rules.step(s, [0, 0])):
            with pytest.raises(ValueError, match=r"state is .*, expected uint8"):
                ask(wrong)
    for wrong in (0, [0.0, 0.0], [[0, 0]]):
        with pytest.raises(ValueError, match=r"action is .*, expected int32"):
            rules.step(state, wrong)
    with pytest.raises((InvalidArgument, ValueError)):
        rules.step(state, [0, 0, 0])
    assert rules.step(rules.initial(0), tf.zeros([0], tf.int32)).legal.shape == (0, 7)


def test_the_ops_hold_shapes_that_only_a_run_knows():
    rules = games.make("tic_tac_toe")
    shapes = (tf.TensorSpec(None, tf.uint8), tf.TensorSpec(None, tf.int32))
    step = tf.function(lambda s, a: native.step(s, a, rules.options), input_signature=shapes)
    state = rules.initial(2)
    assert step(state, [0, 1])[0].shape == state.shape
    for states, actions in ((state[:, 1:], [0, 0]), (state[0], [0]), (state, [0]), (state, [[0]])):
        with pytest.raises(InvalidArgument, match=r"(state|action) has shape"):
            step(states, actions)


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 10},
        {"size": 20, "game": "go"},
        {"history": 9},
        {"history": 0},
        {"max_moves": 65536, "game": "go"},
        {"max_moves": 0, "game": "go"},
        {"komi": np.inf, "game": "go"},
    ],
)
def test_the_ops_refuse_rules_that_make_would_refuse(wrong):
    good = {"game": "othello", "size": 8, "history": 1, "max_moves": 120}
    ops = loader.require("games")
    with pytest.raises((InvalidArgument, ValueError), match="is not"):
        ops.lookahead_games_legal(state=tf.zeros([1, 136], tf.uint8), **good | wrong)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("chess", {}, "game is 'chess', expected one of tic_tac_toe, connect_four, othello, go"),
        ("go", {"size": 4}, "size is 4, expected an integer, 5 to 19"),
        ("go", {"size": 9.5}, "size is 9.5, expected an integer, 5 to 19"),
        ("go", {"size": 5, "komi": 26}, "komi is 26, expected a number, -25 to 25"),
        ("go", {"komi": float("nan")}, "komi is nan, expected a number, -361 to 361"),
        ("go", {"komi": "much"}, "komi is 'much', expected a number, -361 to 361"),
        ("go", {"superko": 1}, "superko is 1, expected True or False"),
        ("go", {"max_moves": 0}, "max_moves is 0, expected an integer, 1 to 65535"),
        ("go", {"history": 9}, "history is 9, expected an integer, 1 to 8"),
        ("go", {"history": True}, "history is True, expected an integer, 1 to 8"),
        ("othello", {"size": 10}, "size is 10, expected 6 or 8"),
        ("othello", {"size": "8"}, "size is '8', expected 6 or 8"),
        ("othello", {"komi": 0.5}, "komi is an option of go, not of othello"),
        ("connect_four", {"size": 6}, "size is an option of othello and go, not of connect_four"),
        ("tic_tac_toe", {"backend": "gpu"}, "backend is 'gpu', expected one of auto, native, "),
        ("go", {"backend": "tensorflow"}, "backend is 'tensorflow', but go has native rules alone"),
    ],
)
def test_a_wrong_option_ends_in_one_line(name, options, message):
    with pytest.raises(ValueError) as error:
        games.make(name, **options)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_without_the_library_the_twins_serve_and_go_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(loader, "path_of", lambda name: tmp_path / name)
    loader._load.cache_clear()
    try:
        rules = games.make("connect_four")
        assert rules.legal(rules.initial(1)).numpy().all()
        for name, options in (("go", {}), ("othello", {"backend": "native"})):
            with pytest.raises(ValueError, match="the native ops of ops/games are not built") as e:
                games.make(name, **options)
            assert "\n" not in e.value.message
    finally:
        loader._load.cache_clear()
