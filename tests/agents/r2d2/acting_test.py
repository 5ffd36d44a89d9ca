"""Protects the policy, and that what it remembered is stored as it was."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from agents.builder import Role
from agents.r2d2.acting import R2D2Policy
from agents.rollouts import Rollouts
from agents.tables import make_table
from pipelines.environments import classic_control, make_environment_spec
from pipelines.replay.server import Replay
from tests.agents.actor_critic.tiny import DISCRETE
from tests.agents.policy_contract import PolicyContract
from tests.agents.r2d2 import tiny


class TestPolicy(PolicyContract):
    low, high = 0, DISCRETE.num_values - 1

    def make(self) -> R2D2Policy:
        builder, networks = tiny.builder_and_networks(exploration=(0.9, 0.9))
        return builder.make_policy(networks, tiny.SPEC, Role())


def test_the_stored_memory_is_the_one_recomputed_from_the_episodes_start():
    """While no weight has moved; so is Q of every row that is learned from."""
    environment = classic_control(seed=3, hide_velocities=True)
    spec = make_environment_spec(environment)
    builder = tiny.R2D2Builder(tiny.config(sequence_length=6))
    config, networks = builder.config, builder.make_networks(spec, seed=1)
    item = builder.make_signature(spec)
    replay = Replay([make_table(builder.table, item, 100, sampler="fifo", max_times_sampled=1)])
    adder, policy = builder.make_adder(replay.client), builder.make_policy(networks, spec, Role())
    timestep, state = environment.reset(), policy.initial_state(1)
    adder.add_first(timestep)
    seen, actions = [timestep.observation], []
    while not timestep.last():
        action, state, info = policy.step(seen[-1][None], state, [0, len(actions)])
        timestep = environment.step(action.numpy()[0])
        memory = tf.nest.map_structure(lambda x: x.numpy()[0], info["state"])
        adder.add(action.numpy()[0], timestep, {"state": memory})
        seen.append(timestep.observation)
        actions.append(action[0])
    adder.flush()
    samples = replay.client.sample_items(builder.table, 3)
    found = [Rollouts(**sample.data._asdict()) for sample in samples]
    replay.close()

    torso, starts = networks.online.torso, tf.one_hot([0], len(seen), True, False, dtype=tf.bool)
    episode = Rollouts(
        tf.constant(np.stack(seen)[None]), tf.stack(actions)[None], (), (), starts, ()
    )._replace(state=torso.initial_state(1))
    features = torso.unroll(episode.observation, episode.action, starts, episode.state)
    values = networks.online.unroll(episode, burn_in=0)[0]
    assert len(actions) > 9 and np.any(features[0, 3] != features[0, 0])
    for k, item in enumerate(found):
        first = k * config.period - config.burn_in
        if k > 0:
            np.testing.assert_allclose(item.state["hidden"], features[0, first - 1], atol=1e-6)
            assert item.state["action"] == actions[first - 1]
            np.testing.assert_array_equal(item.state["observations"][0], seen[first - 1])
        batch = tf.nest.map_structure(lambda x: tf.constant(x[None]), item)
        learned = networks.online.unroll(batch, config.burn_in)[0]
        rows = slice(k * config.period, k * config.period + len(learned))
        np.testing.assert_allclose(learned, values[rows], atol=1e-5)
