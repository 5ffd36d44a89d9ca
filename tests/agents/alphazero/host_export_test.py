"""What is saved of a policy that searches on the host plays as that policy does."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from agents.alphazero import AlphaZeroBuilder
from agents.builder import Role
from agents.policy import Policy
from pipelines.environments import make_environment_spec
from pipelines.launch.parts import make_role
from pipelines.serving.export import Exporter, SavedPolicy
from tests.agents.alphazero import tiny
from tests.agents.alphazero.host_games import games_of

JUDGED = Role(evaluation=True)
CONFIG = dataclasses.replace(tiny.CONFIG, max_legal=30, num_simulations=24, walks=2)


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> tuple:
    """Builder, networks, games in progress with what is seen of them, and the saved network."""
    batch, seen = games_of("breakthrough(rows=5,columns=4)", count=2, moves=3)
    builder, spec = AlphaZeroBuilder(CONFIG), make_environment_spec(batch)
    networks, rng = builder.make_networks(spec, seed=0), np.random.RandomState(1)
    for variable in networks.trainable_variables:
        variable.assign_add(0.05 * rng.normal(size=variable.shape).astype(np.float32))
    networks.acting.training_step.assign(7)
    directory = tmp_path_factory.mktemp("run") / "policy"
    Exporter(builder.make_served(networks, spec)).save(directory)
    own = builder.make_policy(networks, spec, make_role(batch, evaluation=True))
    return builder, own, batch, seen, directory


def test_the_search_is_the_policys_own(played):
    builder, own, batch, seen, directory = played
    simulators = make_role(batch).simulators
    saved = SavedPolicy(directory)
    hosted = builder.make_hosted(saved, make_role(batch, evaluation=True))
    given = builder.make_hosted(saved, JUDGED)
    state, seed = own.initial_state(2), tf.constant([1, 2])
    expected, _, expected_info = own.step(seen, state, seed)
    positions = [simulator.position() for simulator in simulators]
    for policy, options in ((hosted, {}), (given, {"positions": positions})):
        action, _, info = policy.step(seen, state, seed, **options)
        np.testing.assert_array_equal(action, expected)
        np.testing.assert_array_equal(info["search_policy"], expected_info["search_policy"])
        np.testing.assert_allclose(info["search_value"], expected_info["search_value"], atol=1e-5)
        np.testing.assert_array_equal(info["searched_at"], [7, 7])


def test_how_it_searches_is_what_was_saved(played):
    """Whatever the run's configuration says since then."""
    *_, directory = played
    changed = AlphaZeroBuilder(dataclasses.replace(CONFIG, num_simulations=99, walks=5))
    policy = changed.make_hosted(SavedPolicy(directory), JUDGED)
    assert policy.num_simulations == 24 and policy._config.walks == 2
    assert changed.make_hosted(SavedPolicy(directory), JUDGED, 5).num_simulations == 5


def test_alone_it_plays_the_networks_likeliest_legal_move(played):
    _, own, _, seen, directory = played
    saved = SavedPolicy(directory)
    action, state, info = saved.step(seen, saved.initial_state(2), tf.constant([0, 0]))
    prediction = own._network(seen["board"])
    legal = seen["legal_actions"].numpy()
    logits = np.where(legal, prediction.prior_logits, -np.inf)
    np.testing.assert_array_equal(action, logits.argmax(axis=1))
    assert state == {} and not info["prior"].numpy()[~legal].any()
    np.testing.assert_allclose(info["value"], prediction.value, atol=1e-6)
    said = tf.saved_model.load(str(directory)).signatures["evaluate"](planes=seen["board"])
    np.testing.assert_allclose(said["prior_logits"], prediction.prior_logits, atol=1e-6)
    assert saved.search_settings["max_legal"] == 30 and "evaluate" in saved.description()


def test_of_moves_that_may_be_chosen_alone_one_is_chosen(played):
    """Those that a program is told to search, also where the tree has no column for them."""
    builder, _, batch, seen, directory = played
    saved = SavedPolicy(directory)
    saved.search_settings["max_legal"] = 3
    policy: Policy = builder.make_hosted(saved, make_role(batch, evaluation=True))
    for row in range(2):
        for action in np.flatnonzero(seen["legal_actions"][row]):
            allowed = np.array(seen["legal_actions"])
            allowed[row] = np.arange(allowed.shape[1]) == action
            chosen, *_ = policy.step(
                {**seen, "legal_actions": allowed}, policy.initial_state(2), tf.constant([0, 0])
            )
            assert chosen[row] == action


def test_a_search_is_given_up_before_a_call_of_the_network(played):
    builder, _, batch, seen, directory = played
    policy = builder.make_hosted(SavedPolicy(directory), make_role(batch, evaluation=True))
    asked = []
    going_on = lambda: not asked.append(None) and len(asked) < 4  # noqa: E731
    made = policy.think(seen, policy.initial_state(2), tf.constant([0, 0]), 100, going_on=going_on)
    assert made is None and len(asked) == 4


def test_what_does_not_fit_is_told(played):
    builder, *_, directory = played
    saved = SavedPolicy(directory)
    saved.search_settings["new"] = 3
    with pytest.raises(
        ValueError, match=r"saved by another version, whose search has .*: new; res"
    ):
        builder.make_hosted(saved, JUDGED)
