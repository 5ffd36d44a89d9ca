from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

import pytest

from agents.config import (
    AtLeast,
    AtMost,
    Count,
    LessThan,
    MoreThan,
    Positive,
    Scale,
    Share,
    check,
    expect,
)


@dataclasses.dataclass
class Config:
    count: int = 1
    rate: float = 0.5
    flag: bool = True
    name: str = "a"
    limit: float | None = None
    kind: Literal["x", "y"] = "x"
    layers: tuple[int, ...] = (1, 2)
    anything: Any = None
    size: Count = 1
    bits: Annotated[int, AtLeast(1), AtMost(8)] = 5
    scale: Scale = 0.0
    temperature: Positive = 1.0
    share: Share = 0.5
    decay: Annotated[float, MoreThan(0), LessThan(1)] | None = None
    widths: tuple[Count, ...] = ()


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"rate": 1},  # An int is a float to gin's users.
        {"limit": 3},
        {"layers": [4, 5]},  # gin reads lists.
        {"layers": ()},
        {"anything": object()},
        {"count": -(2**31), "rate": -3.4e38},
        {"size": 2**31 - 1, "bits": 8, "scale": 0, "temperature": 1.2e-38},
        {"share": 0, "widths": [1, 2]},
        {"share": 1, "decay": 0.5},
    ],
)
def test_fitting_values_pass(values: dict[str, Any]):
    check(Config(**values))


NOT_HELD = "expected a finite number that float32 holds"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 1.5}, "Config.count = 1.5; expected int"),
        ({"count": True}, "Config.count = True; expected int"),
        ({"count": None}, "Config.count = None; expected int"),
        ({"count": 2**31}, "Config.count = 2147483648; expected an integer that int32 holds"),
        ({"rate": "fast"}, "Config.rate = 'fast'; expected float"),
        ({"rate": False}, "Config.rate = False; expected float"),
        ({"rate": float("1e999")}, f"Config.rate = inf; {NOT_HELD}"),
        ({"rate": float("nan")}, f"Config.rate = nan; {NOT_HELD}"),
        ({"rate": -1e300}, f"Config.rate = -1e+300; {NOT_HELD}"),
        ({"rate": 10**400}, f"Config.rate = 1{'0' * 400}; {NOT_HELD}"),
        ({"temperature": 1e-60}, f"Config.temperature = 1e-60; {NOT_HELD}"),
        ({"flag": 1}, "Config.flag = 1; expected bool"),
        ({"name": 3}, "Config.name = 3; expected str"),
        ({"limit": "x"}, "Config.limit = 'x'; expected float or None"),
        ({"limit": float("-inf")}, f"Config.limit = -inf; {NOT_HELD} or None"),
        ({"kind": "z"}, "Config.kind = 'z'; expected one of 'x', 'y'"),
        ({"kind": ["x"]}, "Config.kind = ['x']; expected one of 'x', 'y'"),
        ({"layers": 3}, "Config.layers = 3; expected a list of int"),
        ({"layers": (1, 2.5)}, "Config.layers = (1, 2.5); expected a list of int"),
        ({"size": 0}, "Config.size = 0; expected at least 1"),
        ({"size": "1"}, "Config.size = '1'; expected int"),
        ({"bits": 9}, "Config.bits = 9; expected at least 1 and at most 8"),
        ({"scale": -1e-6}, "Config.scale = -1e-06; expected at least 0"),
        ({"temperature": 0}, "Config.temperature = 0; expected more than 0"),
        ({"share": 1.5}, "Config.share = 1.5; expected at least 0 and at most 1"),
        ({"decay": 0.0}, "Config.decay = 0.0; expected more than 0 and less than 1 or None"),
        # As a float32 it is 1.
        (
            {"decay": 1 - 1e-9},
            "Config.decay = 0.999999999; expected more than 0 and less than 1 or None",
        ),
        ({"decay": "x"}, "Config.decay = 'x'; expected float or None"),
        ({"widths": [2, 0]}, "Config.widths = [2, 0]; expected each at least 1"),
        ({"widths": [2, "a"]}, "Config.widths = [2, 'a']; expected a list of int"),
        ({"widths": 3}, "Config.widths = 3; expected a list of int"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_what_was_expected(values, message: str):
    with pytest.raises(ValueError) as error:
        check(Config(**values))
    assert str(error.value) == message


def test_what_fields_say_of_each_other_is_said_in_the_same_words():
    expect(Config(), "count", True, "nothing")
    with pytest.raises(ValueError, match=r"^Config\.count = 1; expected more than size$"):
        expect(Config(), "count", False, "more than size")
