"""What comes in and goes out by name, as NumPy arrays: checked against what a signature says."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipelines.server import messages
from pipelines.server.refusals import Refusal, Why, invalid
from pipelines.system.errors import nearest


class Spec(NamedTuple):
    """An input or output of a signature.

    Attributes:
      name: in the signature.
      dtype: NumPy's.
      shape: None is B, the number of rows.
      number: TensorFlow's own of the type.
    """

    name: str
    dtype: np.dtype
    shape: tuple[int | None, ...]
    number: int

    def __str__(self) -> str:
        sizes = ", ".join("B" if size is None else str(size) for size in self.shape)
        return f"{self.dtype.name} [{sizes}]"

    @property
    def has_rows(self) -> bool:
        """Whether its first size is B."""
        return bool(self.shape) and self.shape[0] is None


class Limits(NamedTuple):
    """What a request may ask for.

    Attributes:
      rows: of a request, and of a batch that requests are joined to.
      body_bytes: of a request.
      simulations: of a search; None: what the policy has room for.
      milliseconds: of a search that is given a time.
      waiting_rows: that may wait for their turn.
      seconds: until a request is answered.
    """

    rows: int = 64
    body_bytes: int = 16 << 20
    simulations: int | None = None
    milliseconds: int = 10_000
    waiting_rows: int = 1024
    seconds: float = 30.0


def of_json(value: Any, spec: Spec) -> np.ndarray:
    """A JSON value as an array of the spec's type.

    Nested lists, or `{"b64": …}`: its bytes as they lie in memory, little-endian; a list of such
    objects has one a row.

    Raises:
      Refusal: it is ragged, of another kind, or has numbers that the type does not hold.
    """
    if isinstance(value, dict):
        return _of_bytes(value, spec, spec.shape)
    if spec.has_rows and isinstance(value, list) and value and isinstance(value[0], dict):
        rows = [_of_bytes(row, spec, spec.shape[1:]) for row in value]
        return np.stack(rows)
    if not spec.shape and isinstance(value, list):
        raise invalid(f"{spec.name} is a list; expected {spec}")
    try:
        array = np.array(value)
    except (ValueError, OverflowError) as error:
        raise invalid(f"{spec.name} is a ragged list; expected {spec}") from error
    if array.dtype.kind in "iuf" and _has_truths(value):  # NumPy takes true for 1.
        raise invalid(f"{spec.name} holds true or false; expected {spec}")
    return _converted(array, spec)


def of_proto(proto: Any, spec: Spec) -> np.ndarray:
    """A TensorProto as an array; its type has to be the spec's, and its shape must fit it.

    Raises:
      Refusal: they are not, or it holds another number of elements.
    """
    if proto.dtype != spec.number:
        raise invalid(f"{spec.name} has TensorFlow's type {proto.dtype}; expected {spec}")
    shape = tuple([dim.size for dim in proto.tensor_shape.dim])
    if not _fits(shape, spec):  # Known before anything of that size is made.
        raise invalid(_misfit(shape, spec))
    count, content = math.prod(shape), proto.tensor_content
    if content:
        if len(content) != count * spec.dtype.itemsize:
            raise invalid(f"{spec.name} has {len(content)} bytes; expected {spec}")
        array = np.frombuffer(content, spec.dtype)
    else:
        array = _listed(proto, spec)
        if array.size == 1:  # As TensorFlow has it: one value stands for all.
            array = np.broadcast_to(array, [min(count, 1 << 24)])
        if array.size != count:
            raise invalid(f"{spec.name} has {array.size} values; expected {spec}")
    return array.reshape(shape)


def to_proto(array: np.ndarray, spec: Spec, proto: Any) -> None:
    """Fills a TensorProto."""
    proto.dtype = spec.number
    dims = proto.tensor_shape.dim
    for size in array.shape:
        dims.add().size = size
    proto.tensor_content = array.tobytes()


def check_names(given: Sequence[str], known: Mapping[str, Spec], needed: Sequence[str]) -> None:
    """Raises Refusal where an input is unknown or missing."""
    for name in given:
        if name not in known:
            listed = ", ".join(known)
            raise invalid(
                f"there is no input '{name[:80]}'; expected {listed}{nearest(name[:80], known)}"
            )
    for name in needed:
        if name not in given:
            raise invalid(f"{name} is missing; expected {known[name]}")


def count_rows(arrays: Mapping[str, np.ndarray], specs: Mapping[str, Spec], most: int) -> int:
    """B, the same in all arrays that have it.

    Raises:
      Refusal: a shape does not fit, numbers of rows differ, there is none or more than `most`.
    """
    first, rows = "", None
    for name, array in arrays.items():
        spec = specs[name]
        if not _fits(array.shape, spec):
            raise invalid(_misfit(array.shape, spec))
        if spec.has_rows:
            if rows is None:
                first, rows = name, len(array)
            if len(array) != rows:
                raise invalid(f"{_misfit(array.shape, spec)}, B = {rows} as in {first}")
    if rows is None:
        return 1
    if rows == 0:
        raise invalid(f"{first} has no rows; expected at least one")
    if rows > most:
        raise Refusal(Why.TOO_LARGE, f"{first} has {rows} rows; expected at most {most}")
    return rows


def check_values(arrays: Mapping[str, np.ndarray]) -> None:
    """Raises Refusal where numbers are NaN or infinite, before others are joined to them."""
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            bad = np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))[:8]
            rows = f"[{' '.join(map(str, bad))}]"
            raise invalid(f"{name} is NaN or infinite; expected finite numbers in row {rows}")


def _fits(shape: tuple[int, ...], spec: Spec) -> bool:
    if shape == spec.shape or (spec.has_rows and shape[1:] == spec.shape[1:] and shape):
        return True  # As nearly always.
    return len(shape) == len(spec.shape) and all(
        wanted in (None, size) for size, wanted in zip(shape, spec.shape, strict=True)
    )


def _misfit(shape: Sequence[int], spec: Spec) -> str:
    return f"{spec.name} is [{', '.join(map(str, shape))}]; expected {spec}"


def _of_bytes(value: Any, spec: Spec, shape: Sequence[int | None]) -> np.ndarray:
    expected = f"expected {{'b64': …}} of {spec}, little-endian"
    if not isinstance(value, dict) or set(value) != {"b64"} or not isinstance(value["b64"], str):
        raise invalid(f"{spec.name} is an object; {expected}")
    try:
        data = base64.b64decode(value["b64"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid(f"{spec.name} is no base64; {expected}") from error
    fixed = math.prod(size for size in shape if size is not None) * spec.dtype.itemsize
    whole = fixed > 0 and len(data) % fixed == 0 if None in shape else len(data) == fixed
    if not whole:
        raise invalid(f"{spec.name} has {len(data)} bytes; {expected}")
    array = np.frombuffer(data, spec.dtype)
    if spec.dtype.kind == "b":  # Other bytes than 0 and 1 are no truths.
        array = np.frombuffer(data, np.uint8) != 0
    return array.reshape([-1 if size is None else size for size in shape])


def _converted(array: np.ndarray, spec: Spec) -> np.ndarray:
    kind, wanted = array.dtype.kind, spec.dtype.kind
    allowed = {"b": "b", "i": "iu", "u": "iu", "f": "iuf"}.get(wanted, "")
    if kind == "f" and wanted in "iu" and array.size and (array == np.floor(array)).all():
        allowed = "f"  # JSON has one kind of number: 2.0 is an integer.
    if array.size and kind not in allowed:
        raise invalid(f"{spec.name} holds {_called(array)}; expected {spec}")
    if array.size and wanted in "iu":
        low, high = np.iinfo(spec.dtype).min, np.iinfo(spec.dtype).max
        least, most = int(array.min()), int(array.max())
        if least < low or most > high:
            off = least if least < low else most
            raise invalid(f"{spec.name} holds {off}; expected {spec}, {low} to {high}")
    if wanted != "f":
        return array.astype(spec.dtype)
    with np.errstate(over="ignore"):
        return array.astype(spec.dtype)


def _has_truths(value: Any) -> bool:
    if not isinstance(value, list):
        return isinstance(value, bool)
    kinds = set(map(type, value))
    return bool in kinds or (list in kinds and any(map(_has_truths, value)))


def _called(array: np.ndarray) -> str:
    names = {"b": "true or false", "i": "integers", "u": "integers", "f": "fractions"}
    return names.get(array.dtype.kind, "something else than numbers")


_LISTS = {"f4": "float_val", "f8": "double_val", "i8": "int64_val", "b1": "bool_val"}


def _listed(proto: Any, spec: Spec) -> np.ndarray:
    field = _LISTS.get(spec.dtype.str[1:], "int_val")
    values = np.array(getattr(proto, field))
    return _converted(values, spec) if field == "int_val" else values.astype(spec.dtype)


def proto_of(array: np.ndarray, spec: Spec) -> Any:
    """A TensorProto of its own."""
    proto = messages.TensorProto()
    to_proto(array, spec, proto)
    return proto
