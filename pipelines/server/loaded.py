"""A SavedModel in memory: arrays in, arrays out, and what it says of itself."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ops import loader
from pipelines.server import messages
from pipelines.server.arrays import Spec
from pipelines.server.refusals import Refusal, Why, invalid
from pipelines.serving import checks
from pipelines.system.errors import UserError, first_line

# The signature that takes a seed a row, and the one for an episode's start.
ROWS, START = "step_with_seeds", "initial_state"
# The signature of a network for searches elsewhere, which is not served.
_NO_STEP = "evaluate"
# The option of policies that search, and how many of them a comparison of sizes needs.
SIMULATIONS = "num_simulations"
_FEW_SIMULATIONS = 4

Arrays = dict[str, np.ndarray]


class Signature(NamedTuple):
    """What is called by a name."""

    inputs: Mapping[str, Spec]
    outputs: Mapping[str, Spec]
    function: Any


class LoadedPolicy:
    """What a policy's SavedModel answers.

    Args:
      directory: of the SavedModel, which may be replaced meanwhile: all is read from the one that
        is there at first.

    Attributes:
      signatures: by name.
      options: values of the policy's options where nobody sets them, by name.
      most: the most that they may be, by name.
      rows_together: whether a batch costs less than its rows one by one.
      network_alone: whether it is the network of a search that only the host can do, without it.
      start: the state that an episode begins with, one row [1, …] of each input.
      inputs: what `requests.inputs_of` has found out, kept as each request asks for it.

    Raises:
      UserError: there is none, or it was saved by a version that had no `step_with_seeds`.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        loader.load_all()
        try:
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                place = f"/proc/self/fd/{descriptor}"
                self._loaded = tf.saved_model.load(place)
                self._definition = (pathlib.Path(place) / "saved_model.pb").read_bytes()
            finally:
                os.close(descriptor)
            found = self._loaded.signatures.items()
            self.signatures = {n: _signature(f) for n, f in found if n != _NO_STEP}
        except (OSError, ValueError, AttributeError, KeyError, tf.errors.OpError) as error:
            raise UserError(f"cannot read the policy {directory}: {first_line(error)}") from error
        if ROWS not in self.signatures:
            raise UserError(
                f"the policy {directory} has no signature {ROWS}; export it again by resuming its "
                "run with this version"
            )
        self.network_alone = hasattr(self._loaded, "search_settings")
        self.options, self.most = self._numbers("options"), self._numbers("most")
        self.rows_together = bool(self._loaded.rows_together.numpy())
        self.start = self.call(START, {"batch_size": np.int32(1)})
        self.inputs: dict[tuple[str, bool], Any] = {}

    def call(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """Calls it.

        Raises:
          Refusal: the policy says that an input does not fit, or has failed.
        """
        tensors = {name: tf.constant(array) for name, array in inputs.items()}
        try:
            outputs = self.signatures[signature].function(**tensors)
            return {name: value.numpy() for name, value in outputs.items()}
        except tf.errors.InvalidArgumentError as error:
            raise invalid(checks.complaint(error) or first_line(error)) from error
        except tf.errors.OpError as error:
            raise Refusal(Why.FAILED, f"the policy has failed: {first_line(error)}") from error

    def description(self) -> str:
        """What it says of itself, see `description.of`; Markdown."""
        return self._loaded.describe().numpy().decode()

    def signature_definitions(self) -> Any:
        """TensorFlow's own words for the signatures, a `SignatureDefMap`."""
        from tensorflow.core.protobuf import saved_model_pb2

        saved = saved_model_pb2.SavedModel.FromString(self._definition)
        definitions = messages.SignatureDefMap()
        for name, definition in saved.meta_graphs[0].signature_def.items():
            if name == _NO_STEP:
                continue
            definitions.signature_def[name].ParseFromString(definition.SerializeToString())
        return definitions

    def _numbers(self, attribute: str) -> dict[str, int]:
        saved = getattr(self._loaded, attribute, {})
        return {name: int(value.numpy()) for name, value in saved.items()}


def same_bits(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> bool:
    """Whether two answers are the same to the last bit, NaN included."""
    return all(one[name].tobytes() == other[name].tobytes() for name in one)


def example(policy: LoadedPolicy, rows: int, rng: np.random.Generator) -> Arrays:
    """Inputs of `step_with_seeds` that could be anybody's."""
    inputs = {}
    for name, spec in policy.signatures[ROWS].inputs.items():
        shape = [rows if size is None else size for size in spec.shape]
        if name in policy.options:
            inputs[name] = np.int32(policy.options[name])
        elif name in policy.start:
            inputs[name] = np.repeat(policy.start[name], rows, axis=0)
        elif spec.dtype.kind == "b":
            inputs[name] = np.ones(shape, bool)
        elif spec.dtype.kind == "f":
            inputs[name] = rng.standard_normal(shape).astype(spec.dtype)
        else:
            inputs[name] = rng.integers(0, 2, shape).astype(spec.dtype)
    return inputs


def sizes_of_equal_bits(policy: LoadedPolicy, sizes: Sequence[int]) -> list[int]:
    """Those batch sizes in which a row is answered, to the last bit, as it is alone.

    Libraries of matrix products choose their way by size, so that the last digits of sums may
    depend on it: what is not so here is found out, on this machine, and not used. The calls are a
    warm-up too.
    """
    inputs = example(policy, max(sizes), np.random.default_rng(0))
    if SIMULATIONS in inputs:
        inputs[SIMULATIONS] = np.minimum(inputs[SIMULATIONS], np.int32(_FEW_SIMULATIONS))
    specs, kept = policy.signatures[ROWS].inputs, []

    def answer(rows: slice) -> Arrays:
        shown = {n: x[rows] if specs[n].has_rows else x for n, x in inputs.items()}
        return policy.call(ROWS, shown)

    places = (0, max(sizes) // 2, max(sizes) - 1)
    alone = {place: answer(slice(place, place + 1)) for place in places}
    for size in sizes:
        end = max(sizes)
        good = True
        for first in {0, end - size}:
            together = answer(slice(first, first + size))
            good &= all(
                same_bits(alone[place], {n: x[place - first][None] for n, x in together.items()})
                for place in places
                if first <= place < first + size
            )
        if good:
            kept.append(size)
    return kept


def _signature(function: Any) -> Signature:
    _, inputs = function.structured_input_signature
    return Signature(_specs(inputs), _specs(function.structured_outputs), function)


def _specs(named: Mapping[str, Any]) -> dict[str, Spec]:
    return {
        name: Spec(
            name,
            np.dtype(value.dtype.as_numpy_dtype),
            tuple(value.shape.as_list()),
            value.dtype.as_datatype_enum,
        )
        for name, value in named.items()
    }
