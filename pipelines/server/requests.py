"""From named inputs to a call of the policy: what is left out is filled in, what is wrong said."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from pipelines.server import arrays
from pipelines.server.arrays import Limits, Spec
from pipelines.server.batching import Call
from pipelines.server.loaded import ROWS, SIMULATIONS, START, Arrays, LoadedPolicy
from pipelines.server.refusals import Refusal, Why, invalid
from pipelines.system.errors import nearest

# An input of ours on every step of a policy that searches: how long it may take.
TIME_LIMIT = "time_limit_ms"
_TIME_SPEC = Spec(TIME_LIMIT, np.dtype(np.int32), (), 3)
_DEFAULT = "serving_default"
_ROW_SEED = Spec("seed", np.dtype(np.int32), (None, 2), 3)


class Inputs(NamedTuple):
    """What a signature takes over the network.

    Attributes:
      name: the signature that answers.
      specs: of the inputs, by name.
      needed: those that nothing can stand for.
      defaults: makes a row's value of those that have rows, where only some rows are given one.
    """

    name: str
    specs: Mapping[str, Spec]
    needed: tuple[str, ...]
    defaults: Mapping[str, Callable[[], Any]]


def inputs_of(policy: LoadedPolicy, signature: str, by_row: bool = False) -> Inputs:
    """The inputs of a signature; `by_row`: each row has its own seed, whatever the signature.

    Raises:
      Refusal: there is no such signature.
    """
    name = signature or _DEFAULT
    if (known := policy.inputs.get((name, by_row))) is not None:
        return known
    if name not in policy.signatures:
        listed = ", ".join(policy.signatures)
        raise invalid(
            f"there is no signature '{name[:80]}'; expected one of {listed}"
            f"{nearest(name[:80], policy.signatures)}"
        )
    policy.inputs[name, by_row] = made = _inputs_of(policy, name, by_row)
    return made


def _inputs_of(policy: LoadedPolicy, name: str, by_row: bool) -> Inputs:
    specs = dict(policy.signatures[name].inputs)
    if name == START:
        return Inputs(name, specs, tuple(specs), {})
    specs |= {option: policy.signatures[ROWS].inputs[option] for option in policy.options}
    if SIMULATIONS in policy.options:
        specs[TIME_LIMIT] = _TIME_SPEC
    if by_row:
        specs["seed"] = _ROW_SEED
    needed = tuple(name for name in specs if name.startswith("observation"))
    defaults = {name: row[0].tolist for name, row in policy.start.items()}
    return Inputs(name, specs, needed, {**defaults, "seed": lambda: _drawn(1)[0].tolist()})


def call_of(
    policy: LoadedPolicy,
    inputs: Inputs,
    given: Arrays,
    limits: Limits,
    simulations_within: Mapping[str, int] | None = None,
) -> Call:
    """The call that a request is.

    Args:
      policy: that is asked.
      inputs: of the signature.
      given: arrays of the right types.
      limits: of this server.
      simulations_within: the number of simulations for `time_limit_ms`, where that is given.

    Raises:
      Refusal: an input is unknown, missing, of a wrong shape or with wrong values.
    """
    arrays.check_names(list(given), inputs.specs, inputs.needed)
    rows = arrays.count_rows(given, inputs.specs, limits.rows)
    arrays.check_values({n: x for n, x in given.items() if inputs.specs[n].has_rows})
    if inputs.name == START:
        count = int(given["batch_size"])
        if not 1 <= count <= limits.rows:
            raise invalid(f"batch_size is {count}; expected 1 to {limits.rows}")
        return Call(START, {}, given, 1)
    carried = {n: np.repeat(x, rows, axis=0) for n, x in policy.start.items() if n not in given}
    shared = _options(policy, given, limits, simulations_within or {})
    batched = {n: x for n, x in given.items() if n not in shared and n not in ("seed", TIME_LIMIT)}
    seed = given.get("seed")
    if seed is None:
        seed = _drawn(rows)
    elif seed.ndim == 1 and rows > 1:  # One seed for all: as the signature `step` has it.
        name = "step_with_options" if shared else "step"
        return Call(name, {**batched, **carried}, {**shared, "seed": seed}, rows)
    return Call(ROWS, {**batched, **carried, "seed": seed.reshape(rows, 2)}, shared, rows)


def _options(
    policy: LoadedPolicy, given: Arrays, limits: Limits, simulations_within: Mapping[str, int]
) -> Arrays:
    """The policy's options, as given or by default, within the bounds."""
    values = {name: int(given.get(name, value)) for name, value in policy.options.items()}
    if TIME_LIMIT in given:
        if SIMULATIONS in given:
            raise invalid(f"got {TIME_LIMIT} and {SIMULATIONS}; expected one of them")
        values |= simulations_within
    for name, value in values.items():
        most = policy.most.get(name)
        if name == SIMULATIONS and limits.simulations is not None:
            most = min(limits.simulations, most or limits.simulations)
            if name not in given:
                value = values[name] = min(value, most)
        if value < 1 or (most is not None and value > most):
            bounds = f"1 to {most}" if most is not None else "at least 1"
            raise invalid(f"{name} is {value}; expected {bounds}")
    return {name: np.int32(value) for name, value in values.items()}


def time_limit(given: Arrays, limits: Limits) -> int | None:
    """Milliseconds that the request allows; None: it does not say.

    Raises:
      Refusal: it is out of this server's bounds.
    """
    if TIME_LIMIT not in given:
        return None
    value = int(given[TIME_LIMIT])
    if not 1 <= value <= limits.milliseconds:
        raise invalid(f"{TIME_LIMIT} is {value}; expected 1 to {limits.milliseconds}")
    return value


def common(array: np.ndarray, spec: Spec) -> np.ndarray:
    """The one value of an input that all rows share, given once a row.

    Raises:
      Refusal: they differ.
    """
    if len(array) and not (array == array[0]).all():
        raise invalid(f"{spec.name} differs between instances; expected the same in all of them")
    return array[0] if len(array) else array


def _drawn(rows: int) -> np.ndarray:
    """Seeds that nobody knows before, int32 [rows, 2]."""
    return np.frombuffer(os.urandom(8 * rows), np.int32).reshape(rows, 2)


def unknown_format() -> Refusal:
    """Of a body that is neither rows nor columns."""
    return Refusal(Why.INVALID, "expected 'instances' (rows) or 'inputs' (columns)")
