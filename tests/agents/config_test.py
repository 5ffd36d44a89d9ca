from __future__ import annotations

import dataclasses
from typing import Any, Literal

import pytest

from agents.config import check_at_least, check_types


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


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"rate": 1},  # An int is a float to gin's users.
        {"limit": 3},
        {"layers": [4, 5]},  # gin reads lists.
        {"layers": ()},
        {"anything": object()},
    ],
)
def test_fitting_values_pass(values: dict[str, Any]):
    check_types(Config(**values))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 1.5}, "Config.count = 1.5; expected int"),
        ({"count": True}, "Config.count = True; expected int"),
        ({"count": None}, "Config.count = None; expected int"),
        ({"rate": "fast"}, "Config.rate = 'fast'; expected float"),
        ({"rate": False}, "Config.rate = False; expected float"),
        ({"flag": 1}, "Config.flag = 1; expected bool"),
        ({"name": 3}, "Config.name = 3; expected str"),
        ({"limit": "x"}, "Config.limit = 'x'; expected float or None"),
        ({"kind": "z"}, "Config.kind = 'z'; expected one of 'x', 'y'"),
        ({"kind": ["x"]}, "Config.kind = ['x']; expected one of 'x', 'y'"),
        ({"layers": 3}, "Config.layers = 3; expected a list of int"),
        ({"layers": (1, 2.5)}, "Config.layers = (1, 2.5); expected a list of int"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_what_was_expected(values, message: str):
    with pytest.raises(ValueError) as error:
        check_types(Config(**values))
    assert str(error.value) == message


def test_check_at_least_looks_into_lists_and_passes_none():
    config = Config(layers=(3, 0))
    check_at_least(config, 0, ("count", "layers", "limit"))
    with pytest.raises(ValueError) as error:
        check_at_least(config, 1, ("count", "layers"))
    assert str(error.value) == "Config.layers = (3, 0); expected at least 1"


def test_check_at_least_refuses_what_is_not_a_number():
    with pytest.raises(ValueError, match=r"Config\.rate = nan; expected at least 0"):
        check_at_least(Config(rate=float("nan")), 0, ("rate",))
