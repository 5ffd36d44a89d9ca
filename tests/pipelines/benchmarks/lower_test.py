"""Protects what a TPU's compiler is to be given: programs of static shapes and of ops it knows."""

from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf

from agents.builder import Role
from pipelines.benchmarks import lower, measured
from tests.agents.planet import tiny as planet
from tests.agents.updates import CASES

ROOT = pathlib.Path(__file__).parents[3]
SEED = tf.TensorSpec([2], tf.int32)


def refusal(program: lower.Program) -> str | None:
    """Why XLA refuses it; None: it does not."""
    found, hlo = lower.figures(program)
    assert (hlo is None) == ("refused" in found)
    assert hlo is None or len(hlo) > 1000
    return found.get("refused")


@pytest.mark.parametrize("case", ["planet", "muzero", "ppo", "dqn_distributional", "d4pg"])
def test_updates_lower(case: str):
    builder, networks, batch = CASES[case]()
    learner = builder.make_learner(networks, seed=0)
    assert refusal(lower.Program("update", learner.update, (lower.specs_of(batch), SEED))) is None


def test_a_plan_lowers_on_the_twin_of_the_native_op():
    builder, networks = planet.builder_and_networks()
    policy = builder.make_policy(networks, planet.SPEC, Role())
    seen = tf.TensorSpec([2, *policy.observation_spec.shape], policy.observation_spec.dtype)
    state = lower.specs_of(policy.initial_state(2))
    program = lower.Program("act", policy.step.python_function, (seen, state, SEED))
    assert refusal(program) is None


def test_what_no_accelerator_has_is_named():
    program = lower.Program("strings", lambda seed: tf.strings.as_string(seed), (SEED,))
    assert "AsString" in refusal(program)


def test_what_stays_on_the_host_says_so(monkeypatch):
    monkeypatch.chdir(ROOT)
    who = measured.subject("reinforce_cartpole_small", ())
    update, act = lower.programs(who, 3)
    assert lower.figures(update) == (
        {"program": "update", "host": "its batches differ in size"},
        None,
    )
    assert act.name == "act" and refusal(act) is None


def test_every_listed_file_is_there():
    for agent in (*lower.SMALL, *lower.PAPER):
        assert (ROOT / "gin" / f"{agent}.gin").is_file(), agent
