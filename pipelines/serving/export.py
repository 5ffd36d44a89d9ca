"""Policies as SavedModels, written and read: planner and all, in plain TensorFlow unless asked."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.saved_model import save_context

from agents.policy import Policy
from ops import loader
from pipelines.serving import checks, description
from pipelines.serving.restored import forget_tracing_warnings, has_native_ops
from pipelines.serving.served_policy import ServedPolicy, one_of
from pipelines.system import files, paths
from pipelines.system.errors import UserError, first_line


class Exporter:
    """Writes one policy again and again; it is traced once.

    Args:
      policy: whose variables are saved as they are at each call.
      native: with the native ops of `ops`, which are faster and without which it cannot be loaded;
        otherwise in plain TensorFlow, which every server loads.
      compiled: by XLA, where it is loaded; see `ServedPolicy`.

    Raises:
      UserError: the policy cannot be written in plain TensorFlow.
    """

    def __init__(self, policy: Policy, native: bool = False, compiled: bool = False) -> None:
        if policy.native_alone and not native:
            raise UserError(
                f"Experiment.export_native is False, but {policy.native_alone}; expected True: "
                "what loads the policy needs this project's ops then, as its own programs do"
            )
        self._ops = contextlib.nullcontext if native else loader.portable
        self._policy, self._compiled = policy, compiled

    @functools.cached_property
    def _saved(self) -> tuple[ServedPolicy, dict[str, Any], str]:
        """What is saved, its signatures, and the words that say what it is."""
        with self._ops(), _as_when_saving():
            module = ServedPolicy(self._policy, self._compiled)
            signatures = module.signatures()
            words = description.of(self._policy, signatures)
            module.add_description(words)
            module.add_slices()
        return module, signatures, words

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Writes the SavedModel; an older one at that place is replaced whole.

        Raises:
          UserError: the disk does not take it.
        """
        module, signatures, words = self._saved
        with self._ops():
            write(module, directory, signatures, words)


def write(
    module: tf.Module,
    directory: str | os.PathLike[str],
    signatures: dict[str, Any],
    words: str,
) -> None:
    """Writes a SavedModel and words that say what it is; an older one there is replaced whole.

    Raises:
      UserError: the disk does not take it.
    """
    directory = pathlib.Path(directory)
    fresh = directory.with_name(f".{directory.name}.{os.getpid()}.tmp")
    old = directory.with_name(f".{directory.name}.{os.getpid()}.old")
    with files.writing(directory):
        directory.parent.mkdir(exist_ok=True)  # Not its parents: a removed run stays removed.
        shutil.rmtree(fresh, ignore_errors=True)
        with paths.literal(directory.parent) as place:
            tf.saved_model.save(module, f"{place}/{fresh.name}", signatures=signatures)
        # Where SavedModels have files that TensorFlow does not read.
        (fresh / "assets.extra").mkdir()
        (fresh / "assets.extra" / "README.md").write_text(words)
        if directory.exists():
            directory.rename(old)
        fresh.rename(directory)
        shutil.rmtree(old, ignore_errors=True)


class SavedPolicy(Policy):
    """Acts as the policy that was saved, without any of the code that made it.

    Args:
      directory: of the SavedModel.
      compiled: XLA compiles what `slice` does when it is first asked for so many rows: a search of
        one row takes a fraction of the time then. With native ops it stays as it is.
      **options: values of the policy's options, other than their defaults.

    Attributes:
      search_settings: of a network whose search runs on the host, see `NetworkPolicy`; None: it is
        none.

    Raises:
      UserError: there is none, it cannot be read, it has no such option, or, of `step`, it does not
        take what it is given.
    """

    def __init__(
        self, directory: str | os.PathLike[str], compiled: bool = False, **options: int
    ) -> None:
        super().__init__(name="saved_policy")
        loader.load_all()
        try:
            with paths.literal(directory) as place:
                self._loaded = tf.saved_model.load(place)
            signature = self._loaded.signatures["step"]
            (step,) = self._loaded.step.concrete_functions
            (nest, *_), _ = step.structured_input_signature
            _, flat = signature.structured_input_signature
            saved = getattr(self._loaded, "options", {})
            self.options = {name: int(value.numpy()) for name, value in saved.items()}
            self._step = self._loaded.step
            self.choose(**options)
            most = getattr(self._loaded, "most", {})
            self.most = {name: int(value.numpy()) for name, value in most.items()}
            self.search_settings = _settings_of(self._loaded)
            self._continue = getattr(self._loaded, "continue_step", None)
            forget_tracing_warnings(self._loaded)
            if compiled and self._continue is not None and not has_native_ops(self._continue):
                self._continue = tf.function(self._continue, autograph=False, jit_compile=True)
            # The nest is the function's, the shapes are the signature's.
            self.observation_spec = tf.nest.map_structure(
                lambda leaf: one_of(flat[leaf.name]), nest
            )
            self.action_spec = one_of(signature.structured_outputs["action"])
        except (OSError, ValueError, AttributeError, KeyError, tf.errors.OpError) as error:
            raise UserError(f"cannot read the policy {directory}: {first_line(error)}") from error

    def initial_state(self, batch_size: int | tf.Tensor) -> Any:
        """See `Policy.initial_state`."""
        return self._loaded.initial_state(tf.convert_to_tensor(batch_size, tf.int32))

    def step(
        self, observation: Any, state: Any, seed: tf.Tensor, **options: int
    ) -> tuple[tf.Tensor, Any, dict[str, tf.Tensor]]:
        """See `Policy.step`; `options` are of this step alone."""
        step = self._with_options(options) if options else self._step
        try:
            return step(checks.with_a_legal_action(observation), state, seed)
        except tf.errors.InvalidArgumentError as error:
            if (complaint := checks.complaint(error)) is None:
                raise
            raise UserError(f"the policy cannot act: {complaint}") from error

    def choose(self, **options: int) -> None:
        """Sets values of the policy's options, of the steps to come.

        Raises:
          UserError: it has no such option.
        """
        if options:
            self._step = self._with_options(options)
            self.options |= options

    @property
    def sliced(self) -> bool:
        """Whether it has `slice`."""
        return self._continue is not None

    def slice(
        self,
        observation: Any,
        state: Any,
        seed: tf.Tensor,
        num_simulations: int,
        added: int,
        begun: Any = None,
    ) -> tuple[tf.Tensor, Any, dict[str, tf.Tensor], Any]:
        """See `SearchingPolicy.slice`; nothing that it is given is checked."""
        counts = tf.constant(num_simulations, tf.int32), tf.constant(added, tf.int32)
        if begun is None:
            return self._loaded.begin_step(observation, state, seed, *counts)
        return self._continue(observation, state, seed, *counts, begun)

    def explored(self, tree: Any) -> tuple[np.ndarray, np.ndarray, Callable[[int, int], int]]:
        """A tree's first row, `nodes` [M, 8] and `edges` [M, 6, A], see `ops.mcts.SearchTree`.

        With it comes a function: node, column → action.
        """
        return tree["nodes"][0].numpy(), tree["edges"][0].numpy(), lambda node, column: column

    def evaluate(self, planes: tf.Tensor) -> dict[str, tf.Tensor]:
        """See `NetworkPolicy.evaluate`."""
        return self._loaded.evaluate(planes)

    def description(self) -> str:
        """What it says of itself, see `description.of`."""
        return self._loaded.describe().numpy().decode()

    def _with_options(self, options: dict[str, int]) -> Callable[..., Any]:
        """The step with these options, and the values so far of all others."""
        for name in options:
            if name not in self.options:
                listed = f"one of {', '.join(self.options)}" if self.options else "none"
                raise UserError(f"the saved policy has no option '{name}'; expected {listed}")
        values = [tf.constant(value, tf.int32) for value in (self.options | options).values()]
        return lambda *inputs: self._loaded.step_with_options(*inputs, *values)


def _as_when_saving() -> contextlib.AbstractContextManager[None]:
    """Where a trace is the one that is saved: TensorFlow keeps those of a save apart from others,
    and would trace each function a second time.
    """
    return save_context.save_context(tf.saved_model.SaveOptions())


def _settings_of(loaded: Any) -> dict[str, Any] | None:
    """What `search_settings()` of a SavedModel says; None: it has none."""
    said = getattr(loaded, "search_settings", None)
    return None if said is None else json.loads(said().numpy())
