"""Learned worlds as SavedModels, written and read: whoever loads one can play in it."""

from __future__ import annotations

import functools
import os
from typing import Any

import tensorflow as tf
import tree

from agents.world import World, WorldStep
from pipelines.serving import checks, export
from pipelines.system import paths
from pipelines.system.errors import UserError, first_line

_SEED = tf.TensorSpec([2], tf.int32, "seed")
_WORDS = """# A learned world

    world = tf.saved_model.load(DIRECTORY)
    state = world.reset(observation)
    observation, reward, discount, state = world.step(state, action, [seed, t])

It begins with real observations and imagines what follows. Each step gives the state that the next
one takes; `seen(state, observation)` is the state behind an observation that was real instead.
Equal seeds give equal steps. The signatures `reset` and `step` are the same on flat names, for
servers. Inputs that do not fit end in InvalidArgument, which names the input.

| name | type | meaning |
|---|---|---|
"""


class ServedWorld(tf.Module):
    """What is saved: `reset(observation)`, `seen(state, observation)`, `step(state, action, seed)`.

    The batch size is free. Inputs that do not fit end in InvalidArgumentError, see `checks`.
    """

    def __init__(self, world: World) -> None:
        super().__init__(name="world")
        self._world = world
        one = lambda spec: tf.zeros([1, *spec.shape], spec.dtype)  # noqa: E731
        state = world.reset(one(world.observation_spec))
        self.specs = {
            "observation": _batched(world.observation_spec, ("observation",)),
            "action": _batched(world.action_spec, ("action",)),
            "state": tree.map_structure_with_path(
                lambda path, leaf: _batched(
                    tf.TensorSpec(leaf.shape[1:], leaf.dtype), ("state", *path)
                ),
                state,
            ),
        }
        seen, action, state = (self.specs[name] for name in ("observation", "action", "state"))
        self.reset = _checked(world.reset, seen)
        self.seen = _checked(world.seen, state, seen)
        self.step = _checked(self._step, state, action, _SEED)

    def _step(self, state: Any, action: tf.Tensor, seed: tf.Tensor) -> tuple[Any, ...]:
        return tuple(self._world.step(state, action, seed))

    def signatures(self) -> dict[str, Any]:
        """`reset` and `step` on flat names."""
        state = tree.flatten(self.specs["state"])

        @tf.function(input_signature=[self.specs["observation"]], autograph=False)
        def reset(observation):
            return self._named(self.reset(observation))

        @tf.function(input_signature=[*state, self.specs["action"], _SEED], autograph=False)
        def step(*flat):
            before = tree.unflatten_as(self.specs["state"], flat[: len(state)])
            observation, reward, discount, after = self.step(before, *flat[len(state) :])
            said = {"observation": observation, "reward": reward, "discount": discount}
            return {**said, **self._named(after)}

        return {"reset": reset, "step": step}

    def words(self) -> str:
        """What it says of itself, in Markdown."""
        meanings = {f"state_{name}": words for name, words in self._world.meanings.items()}
        specs = [*tree.flatten(self.specs), _SEED]
        rows = [
            f"| `{spec.name}` | {checks.described(spec)} | {meanings.get(spec.name, spec.name)} |\n"
            for spec in specs
        ]
        return _WORDS + "".join(rows)

    def _named(self, state: Any) -> dict[str, tf.Tensor]:
        return {
            spec.name: leaf
            for spec, leaf in zip(
                tree.flatten(self.specs["state"]), tree.flatten(state), strict=True
            )
        }


class WorldExporter:
    """Writes one world again and again; it is traced once."""

    def __init__(self, world: World) -> None:
        self._world = world

    @functools.cached_property
    def _served(self) -> tuple[ServedWorld, dict[str, Any]]:
        module = ServedWorld(self._world)
        return module, module.signatures()

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Writes the SavedModel; an older one at that place is replaced whole.

        Raises:
          UserError: the disk does not take it.
        """
        module, signatures = self._served
        export.write(module, directory, signatures, module.words())


class SavedWorld(World):
    """Plays as the world that was saved, without any of the code that made it.

    Raises:
      UserError: there is none, or it cannot be read.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        super().__init__(name="saved_world")
        try:
            with paths.literal(directory) as place:
                self._loaded = tf.saved_model.load(place)
            reset, step = (self._loaded.signatures[name] for name in ("reset", "step"))
            named = {**reset.structured_input_signature[1], **step.structured_input_signature[1]}
            self.observation_spec, self.action_spec = (
                tf.TensorSpec(named[name].shape[1:], named[name].dtype, name)
                for name in ("observation", "action")
            )
        except (OSError, ValueError, AttributeError, KeyError, tf.errors.OpError) as error:
            raise UserError(f"cannot read the world {directory}: {first_line(error)}") from error

    def reset(self, observation: tf.Tensor) -> Any:
        """See `World.reset`."""
        return self._loaded.reset(observation)

    def seen(self, state: Any, observation: tf.Tensor) -> Any:
        """See `World.seen`."""
        return self._loaded.seen(state, observation)

    def step(self, state: Any, action: tf.Tensor, seed: tf.Tensor) -> WorldStep:
        """See `World.step`."""
        return WorldStep(*self._loaded.step(state, action, seed))


def _batched(spec: tf.TensorSpec, path: tuple[Any, ...]) -> tf.TensorSpec:
    return tf.TensorSpec([None, *spec.shape], spec.dtype, "_".join(map(str, path)))


def _checked(function: Any, *specs: Any) -> Any:
    """The function behind checks of its inputs, each a nest of those specs."""

    def checked(*inputs):
        flat = checks.checked(tree.flatten(specs), tree.flatten(inputs))
        return tf.nest.map_structure(tf.identity, function(*tree.unflatten_as(specs, flat)))

    anything = tree.map_structure(lambda spec: tf.TensorSpec(None, spec.dtype, spec.name), specs)
    return tf.function(checked, input_signature=anything, autograph=False)
