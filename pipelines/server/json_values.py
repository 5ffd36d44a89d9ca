"""REST bodies: rows (`instances` → `predictions`) and columns (`inputs` → `outputs`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.server import arrays, requests
from pipelines.server.arrays import Spec
from pipelines.server.loaded import Arrays
from pipelines.server.refusals import invalid
from pipelines.server.requests import Inputs
from pipelines.system.errors import nearest

_KEYS = ("signature_name", "instances", "inputs")


def read(body: Mapping[str, Any], inputs: Inputs) -> Arrays:
    """The arrays of a body.

    Raises:
      Refusal: it is neither format, or a value is not what the signature wants.
    """
    check_keys(body, _KEYS)
    if ("instances" in body) == ("inputs" in body):
        raise requests.unknown_format()
    if "instances" in body:
        return _of_rows(body["instances"], inputs)
    columns = body["inputs"]
    if not isinstance(columns, dict) or set(columns) == {"b64"}:
        columns = {_only_needed(inputs): columns}
    arrays.check_names(list(columns), inputs.specs, inputs.needed)
    return {name: arrays.of_json(value, inputs.specs[name]) for name, value in columns.items()}


def read_one_row(body: Mapping[str, Any], inputs: Inputs) -> Arrays:
    """The arrays of a body that is one row, each input by its name."""
    return _of_rows([body], inputs)


def written(outputs: Arrays, by_row: bool, named: bool = False) -> dict[str, Any]:
    """The answer's body; of an only output its values alone, unless `named`."""
    columns = {name: array.tolist() for name, array in outputs.items()}
    only = len(columns) == 1 and not named
    if not by_row:
        return {"outputs": next(iter(columns.values())) if only else columns}
    if only:
        return {"predictions": next(iter(columns.values()))}
    rows = zip(*columns.values(), strict=True)
    return {"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}


def check_keys(body: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raises Refusal where a body has a key that means nothing."""
    for key in body:
        if key not in known:
            hint = nearest(key[:80], known)
            raise invalid(f"there is no '{key[:80]}'; expected {', '.join(known)}{hint}")


def _of_rows(instances: Any, inputs: Inputs) -> Arrays:
    if not isinstance(instances, list) or not instances:
        raise invalid("instances is no list of rows; expected at least one")
    if not isinstance(instances[0], dict) or set(instances[0]) == {"b64"}:
        instances = [{_only_needed(inputs): row} for row in instances]
    for i, row in enumerate(instances):
        if not isinstance(row, dict):
            raise invalid(f"row {i} of instances is no object; expected one, as row 0 is")
        if i == 0 or row.keys() != instances[0].keys():
            arrays.check_names(list(row), inputs.specs, inputs.needed)
    names = dict.fromkeys(name for row in instances for name in row)
    return {
        n: _column([_value(row, n, inputs) for row in instances], inputs.specs[n]) for n in names
    }


def _value(row: Mapping[str, Any], name: str, inputs: Inputs) -> Any:
    """A row's value of an input that other rows have: what it is where nobody gives it."""
    if name in row:
        return row[name]
    if name not in inputs.defaults:
        raise invalid(f"{name} is missing in a row; expected it in all of them or in none")
    return inputs.defaults[name]()


def _column(values: list[Any], spec: Spec) -> np.ndarray:
    """One input of all rows; what a signature has once has to be the same in all of them."""
    if spec.has_rows:
        return arrays.of_json(values, spec)
    shape = (None, *spec.shape)
    return requests.common(arrays.of_json(values, spec._replace(shape=shape)), spec)


def _only_needed(inputs: Inputs) -> str:
    if len(inputs.needed) != 1:
        names = ", ".join(inputs.needed)
        raise invalid(f"expected an object that names the inputs: {names}")
    return inputs.needed[0]
