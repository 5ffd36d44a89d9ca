"""What is saved of a policy: its functions on nests and on flat names, behind checks."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tree

from agents.boards.observations import split
from agents.policy import NetworkPolicy, Policy, SearchingPolicy
from ops import loader
from pipelines.serving import checks

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
        outputs = tf.nest.map_structure(one_of, whole.get_concrete_function().structured_outputs)

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


def _batched(nest: Any, prefix: str) -> Any:
    """Specs [None, …] of a nest of what has shape and dtype, each named by its path."""
    return tree.map_structure_with_path(
        lambda path, leaf: tf.TensorSpec([None, *leaf.shape], leaf.dtype, _flat_name(prefix, path)),
        nest,
    )


def one_of(batched: Any) -> tf.TensorSpec:
    """The spec of a row of what has rows."""
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
