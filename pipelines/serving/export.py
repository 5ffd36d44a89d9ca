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
import tree
from tensorflow.python.saved_model import save_context

from agents.boards.observations import split
from agents.policy import NetworkPolicy, Policy, SearchingPolicy
from ops import loader
from pipelines.serving import checks, description
from pipelines.serving.restored import forget_tracing_warnings, has_native_ops
from pipelines.system import files, paths
from pipelines.system.errors import UserError, first_line

_BATCH_SIZE = tf.TensorSpec([], tf.int32, "batch_size")
_ADDED = tf.TensorSpec([], tf.int32, "added")
_SEED = tf.TensorSpec([2], tf.int32, "seed")
_SEEDS = tf.TensorSpec([None, 2], tf.int32, "seed")
# A product of one row with a matrix goes another way than that of several, with other last digits.
_FEWEST_ROWS = 2


class ServedPolicy(tf.Module):
    """What is saved: `initial_state(batch_size)`, `step(observation, state, seed)`, `describe()`.

    The first two are there as functions on nests (`tf.saved_model.load(...).step(...)`) and as
    signatures on flat names: `observation` (of a nest, `observation_<name>` each), `seed`,
    `state_<name>` in; `action`, `state_<name>`, `info_<name>` out. `serving_default` is `step`. The
    batch size is free. Inputs that do not fit end in InvalidArgumentError, see `checks`.
    `describe()` is a string that says what each of them means.

    A policy with options has a third function, `step_with_options(observation, state, seed,
    *options)`, a signature of that name that takes each by its own, an int32 scalar, and `options`,
    their defaults by name, with `most`, their bounds. One that plays by search has steps in slices
    besides, `begin_step` and `continue_step`, which check nothing: see `SearchingPolicy.slice`.

    `step_with_seeds(observation, state, seeds, *options)`, a signature too, takes a seed a row,
    int32 [B, 2], and answers each row as if it were alone, whatever else is in the batch.
    `rows_together` says whether a batch costs less than its rows one by one.

    A `NetworkPolicy` has besides `evaluate(planes)`, a signature too, and `search_settings()`, the
    settings of the search that it is for, as JSON.

    Args:
      policy: that is saved.
      compiled: XLA compiles the policy's step, for each number of rows when it is first called.
    """

    def __init__(self, policy: Policy, compiled: bool = False) -> None:
        super().__init__(name="policy")
        # Not the policy itself: what it traced while it acted may need our native ops.
        self._variables = policy.variables
        self._start = policy.initial_state
        one = tree.map_structure(lambda values: values[0], policy.initial_state(1))
        self._state_spec = _batched(one, "state")
        self._observation_spec = _batched(policy.observation_spec, "observation")
        self._options = [tf.TensorSpec([], tf.int32, name) for name in policy.options]
        # Variables, since a SavedModel keeps no plain numbers.
        self.options = {
            name: tf.Variable(value, trainable=False, dtype=tf.int32)
            for name, value in policy.options.items()
        }
        self.initial_state = tf.function(self._initial_state, input_signature=[_BATCH_SIZE])
        self.most = {name: tf.Variable(most, trainable=False) for name, most in policy.most.items()}
        self.rows_together = tf.Variable(policy.takes_seeds, trainable=False)
        step = policy.step.python_function
        # The checks around it stay outside: XLA would drop them.
        step = tf.function(step, autograph=False, jit_compile=True) if compiled else step
        self._add_steps(step)
        self._add_step_with_seeds(step, policy.takes_seeds)
        # For programs that play games: a stop or a clock is looked at between two slices.
        plays = (
            isinstance(policy, SearchingPolicy) and split(policy.observation_spec)[1] is not None
        )
        searches = self._options and plays
        self._slice = policy.slice if searches else None
        if isinstance(policy, NetworkPolicy):
            self._add_evaluation(policy)

    def add_description(self, text: str) -> None:
        """Adds the function `describe()`, which returns `text`."""
        self.describe = tf.function(lambda: tf.constant(text), input_signature=[], autograph=False)

    def signatures(self) -> dict[str, Any]:
        """The functions on flat names, for servers."""
        seen, carried = tree.flatten(self._observation_spec), tree.flatten(self._state_spec)

        @tf.function(input_signature=[_BATCH_SIZE])
        def initial_state(batch_size):
            return _flattened("state", self.initial_state(batch_size))

        def on_flat_names(step, options, seed=_SEED):
            @tf.function(input_signature=[*seen, seed, *carried, *options], autograph=False)
            def flat_step(*flat):
                end = len(seen) + 1 + len(carried)
                observation = tree.unflatten_as(self._observation_spec, flat[: len(seen)])
                state = tree.unflatten_as(self._state_spec, flat[len(seen) + 1 : end])
                action, state, info = step(observation, state, flat[len(seen)], *flat[end:])
                return {"action": action, **_flattened("state", state), **_flattened("info", info)}

            return flat_step

        step = on_flat_names(self.step, [])
        signatures = {"initial_state": initial_state, "step": step, "serving_default": step}
        if self._options:
            flat = on_flat_names(self.step_with_options, self._options)
            signatures["step_with_options"] = flat
        flat = on_flat_names(self.step_with_seeds, self._options, _SEEDS)
        signatures["step_with_seeds"] = flat
        if hasattr(self, "evaluate"):
            signatures["evaluate"] = self.evaluate
        return signatures

    def _add_evaluation(self, policy: NetworkPolicy) -> None:
        """Adds `evaluate` and `search_settings`."""
        seen, _ = split(policy.observation_spec)
        planes = tf.TensorSpec([None, *seen.shape], seen.dtype, "planes")
        self.evaluate = tf.function(policy.evaluate, input_signature=[planes], autograph=False)
        text = json.dumps(dict(policy.search_settings))
        self.search_settings = tf.function(
            lambda: tf.constant(text), input_signature=[], autograph=False
        )

    def _add_steps(self, step: Callable[..., Any]) -> None:
        """Adds `step` and, where there are options, `step_with_options`, which it calls."""
        whole, signature = self._checked(step, _SEED)
        if not self._options:
            self.step = whole
            return
        self.step_with_options = whole
        # Tensors, not variables, which would be a second kind of input and traced a second time.
        self.step = tf.function(
            lambda *inputs: whole(*inputs, *map(tf.convert_to_tensor, self.options.values())),
            input_signature=signature[:3],
            autograph=False,
        )

    def _add_step_with_seeds(self, step: Callable[..., Any], takes_seeds: bool) -> None:
        """Adds `step_with_seeds`."""
        if takes_seeds:
            self.step_with_seeds, _ = self._checked(_of_several_rows(step), _SEEDS)
            return
        # The whole batch's step, once a row.
        whole = getattr(self, "step_with_options", self.step)
        outputs = tf.nest.map_structure(_one, whole.get_concrete_function().structured_outputs)

        def by_row(observation, state, seeds, *options):
            def act(row):
                seen, carried, seed = row
                made = whole(_in_front(seen), _in_front(carried), seed, *options)
                return tf.nest.map_structure(lambda x: x[0], made)

            return tf.map_fn(act, (observation, state, seeds), fn_output_signature=outputs)

        self.step_with_seeds, _ = self._checked(by_row, _SEEDS)

    def _checked(self, step: Callable[..., Any], seed: tf.TensorSpec) -> tuple[Any, Any]:
        """The step behind the checks, and the signature that both steps of one seed have."""
        specs = (self._observation_spec, self._state_spec, seed, *self._options)

        def checked_step(*inputs):
            flat = checks.checked(tree.flatten(specs), tree.flatten(inputs))
            return step(*tree.unflatten_as(specs, flat))

        # Of any shape, so that what does not fit comes to our own words about it.
        signature = tree.map_structure(_of_any_shape, specs)
        return tf.function(checked_step, input_signature=signature, autograph=False), signature

    def add_slices(self) -> None:
        """Adds `begin_step` and `continue_step`; tracing shows the tree's shape."""
        if self._slice is None:
            return
        specs = (self._observation_spec, self._state_spec, _SEED, *self._options, _ADDED)
        # What has our own ops in it no XLA compiles. Saving traces once more, so it is in here.
        compilable = loader.compilable if loader.is_portable() else contextlib.nullcontext

        def added(*inputs):
            with compilable():
                return self._slice(*inputs)

        self.begin_step = tf.function(added, input_signature=specs, autograph=False)
        *_, made = self.begin_step.get_concrete_function().structured_outputs
        tree_spec = tree.map_structure_with_path(
            lambda path, leaf: tf.TensorSpec(leaf.shape, leaf.dtype, _flat_name("tree", path)), made
        )
        specs = (*specs, tree_spec)
        self.continue_step = tf.function(added, input_signature=specs, autograph=False)

    def _initial_state(self, batch_size: tf.Tensor) -> Any:
        text = tf.strings.format("batch_size is {}; expected at least 1", batch_size)
        tf.debugging.Assert(batch_size > 0, [text])
        # An identity, since signatures may not return their inputs or constants alone.
        return tf.nest.map_structure(tf.identity, self._start(batch_size))


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
            self.observation_spec = tf.nest.map_structure(lambda leaf: _one(flat[leaf.name]), nest)
            self.action_spec = _one(signature.structured_outputs["action"])
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


def _batched(nest: Any, prefix: str) -> Any:
    """Specs [None, …] of a nest of what has shape and dtype, each named by its path."""
    return tree.map_structure_with_path(
        lambda path, leaf: tf.TensorSpec([None, *leaf.shape], leaf.dtype, _flat_name(prefix, path)),
        nest,
    )


def _settings_of(loaded: Any) -> dict[str, Any] | None:
    """What `search_settings()` of a SavedModel says; None: it has none."""
    said = getattr(loaded, "search_settings", None)
    return None if said is None else json.loads(said().numpy())


def _one(batched: Any) -> tf.TensorSpec:
    return tf.TensorSpec(batched.shape[1:], batched.dtype)


def _in_front(nest: Any) -> Any:
    return tf.nest.map_structure(lambda x: x[None], nest)


def _of_several_rows(step: Callable[..., Any]) -> Callable[..., Any]:
    """The step with copies of the rows behind them where there are fewer than it is to see."""

    def padded(observation, state, seeds, *options):
        rows = tf.shape(seeds)[0]
        places = tf.range(tf.maximum(rows, _FEWEST_ROWS)) % rows
        taken = tf.nest.map_structure(lambda x: tf.gather(x, places), (observation, state, seeds))
        return tf.nest.map_structure(lambda x: x[:rows], step(*taken, *options))

    return padded


def _of_any_shape(spec: tf.TensorSpec) -> tf.TensorSpec:
    return tf.TensorSpec(None, spec.dtype, spec.name)


def _flat_name(prefix: str, path: tuple[Any, ...]) -> str:
    return "_".join([prefix, *map(str, path)])


def _flattened(prefix: str, nest: Any) -> dict[str, tf.Tensor]:
    return {_flat_name(prefix, path): value for path, value in tree.flatten_with_path(nest)}
