"""Rollouts in the model, wholly in one graph, from frames that were real."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from agents import replicas
from agents.builder import Imagined
from agents.frame_stacking import empty_stack, into_channels, push
from agents.rollouts import Rollouts
from agents.simple.config import SimPLeConfig
from agents.simple.networks import WorldModel
from agents.world import World, WorldStep


class ImaginedGame(World):
    """The model as a game; its state are the last S frames, which the policy sees too."""

    meanings: Mapping[str, str] = {"frames": "the last frames, the newest last"}

    def __init__(self, config: SimPLeConfig, model: WorldModel) -> None:
        super().__init__(name="imagined_game")
        self.observation_spec = model.image
        self.action_spec = tf.TensorSpec([], tf.int32, "action")
        self._config, self._model = config, model

    def reset(self, observation: tf.Tensor) -> dict[str, tf.Tensor]:
        """See `World.reset`."""
        size = tf.shape(observation)[0]
        empty = empty_stack(size, self._config.frame_stack, self.observation_spec)
        return self.seen({"frames": empty}, observation)

    def seen(self, state: Mapping[str, tf.Tensor], observation: tf.Tensor) -> dict[str, tf.Tensor]:
        """See `World.seen`."""
        return {"frames": push(state["frames"], observation)}

    def step(self, state: Mapping[str, tf.Tensor], action: tf.Tensor, seed: tf.Tensor) -> WorldStep:
        """See `World.step`: the likeliest frame and reward, given bits that are drawn."""
        model, frames = self._model, state["frames"]
        seeds = tf.random.experimental.stateless_split(seed, 2)
        seen = model.see(into_channels(frames), action)
        bits = None if model.latents is None else model.latents.draw(seen.map, seeds[0])
        prediction = model.predict(seen, action, bits)
        frame = model.frame(prediction)
        uniform = lambda shape: tf.random.stateless_uniform(shape, seeds[1])  # noqa: E731
        chance = replicas.drawn(uniform, [tf.shape(prediction.end)[0]])
        goes_on = tf.cast(chance >= tf.sigmoid(prediction.end), tf.float32)
        following = {"frames": push(frames, frame)}
        return WorldStep(frame, model.reward(prediction), goes_on, following)


def imagine(
    world: World,
    acting: Callable[[tf.Tensor], Any],
    frames: tf.Tensor,
    length: int,
    seed: tf.Tensor,
) -> Rollouts:
    """Rolls a policy out in the world.

    Args:
      world: whose state are the last frames.
      acting: stacks as images [B, H, W, S · C] → a distribution over discrete actions.
      frames: uint8 [B, S, H, W, C] to start from.
      length: T.
      seed: int32 [2].

    Returns:
      rollouts [B, T] whose observations are the policy's, stacks as images. Behind a step that ends
      an episode all rows are final: nothing is learned of them. Nothing is differentiated.
    """
    batch = frames.shape[0]
    image = into_channels(frames).shape[1:]
    action_type = world.action_spec.dtype
    types = (frames.dtype, action_type, tf.float32, tf.float32, tf.float32, tf.bool)
    shapes = ([batch, *image], *([[batch]] * 5))
    rows = [
        tf.TensorArray(kind, length, element_shape=shape)
        for kind, shape in zip(types, shapes, strict=True)
    ]

    def body(t: tf.Tensor, frames: tf.Tensor, over: tf.Tensor, rows: list[tf.TensorArray]):
        seeds = tf.random.experimental.stateless_split(_at(seed, t), 2)
        seen = into_channels(frames)
        policy = acting(seen)
        action = replicas.sampled(
            lambda logits: policy.copy(logits=logits).sample(seed=seeds[0]), policy.logits
        )
        step = world.step({"frames": frames}, action, seeds[1])
        acted = lambda x: tf.where(over, tf.zeros([], x.dtype), x)  # noqa: E731
        row = (
            seen,
            acted(action),
            acted(policy.log_prob(action)),
            acted(step.reward),
            acted(step.discount),
            over,
        )
        rows = [array.write(t, value) for array, value in zip(rows, row, strict=True)]
        return t + 1, step.state["frames"], over | (step.discount == 0), rows

    start = (tf.constant(0), frames, tf.zeros([batch], tf.bool), rows)
    _, frames, _, rows = tf.while_loop(
        lambda t, *_: t < length, body, start, parallel_iterations=1, maximum_iterations=length
    )
    seen, action, log_prob, reward, discount, over = (_by_row(array.stack()) for array in rows)
    last = into_channels(tf.ensure_shape(frames, [batch, *frames.shape[1:]]))
    return Rollouts(
        observation=tf.concat([seen, last[:, None]], axis=1),
        action=action,
        reward=reward,
        discount=discount,
        start_of_episode=tf.pad(over, [[0, 0], [1, 0]]),
        extras={"log_prob": log_prob},
    )


def open_loop(
    world: World, frames: np.ndarray, actions: np.ndarray, context: int, samples: int
) -> list[Imagined]:
    """Several futures of one past: the first frames as they were, all others imagined.

    Args:
      world: the game.
      frames: uint8 [T, H, W, C] of one episode.
      actions: [T]; `actions[t]` was taken at `frames[t]`.
      context: frames that the world sees, 1 ≤ context < T.
      samples: N futures.

    Returns:
      N of T frames and rewards; equal arguments give equal ones.
    """
    step = tf.function(world.step, autograph=False, reduce_retracing=True)
    rows = lambda array: tf.repeat(tf.constant(array)[None], samples, axis=0)  # noqa: E731
    state = world.reset(rows(frames[0]))
    for frame in frames[1:context]:
        state = world.seen(state, rows(frame))
    seen, rewards = [rows(frame) for frame in frames[:context]], [tf.zeros([samples])] * context
    for t, action in enumerate(actions[context - 1 : len(frames) - 1]):
        said = step(state, rows(action), tf.constant([0, t]))
        seen.append(said.observation)
        rewards.append(said.reward)
        state = said.state
    futures = np.stack(seen, axis=1), np.stack(rewards, axis=1)  # [N, T, …]
    return [Imagined(*future) for future in zip(*futures, strict=True)]


def _at(seed: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    return tf.random.experimental.stateless_fold_in(seed, t)


def _by_row(stacked: tf.Tensor) -> tf.Tensor:
    """[T, B, …] → [B, T, …]."""
    return tf.transpose(stacked, [1, 0, *range(2, stacked.shape.rank)])
