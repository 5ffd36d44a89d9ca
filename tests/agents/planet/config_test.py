from __future__ import annotations

import dataclasses

import pytest

from agents.planet import PlaNetConfig
from agents.planet.config import _AT_LEAST_ONE, _AT_LEAST_ZERO

FIELDS = {field.name: field.default for field in dataclasses.fields(PlaNetConfig)}


def message_of(**values) -> str:
    with pytest.raises(ValueError) as error:
        PlaNetConfig(**values)
    # gin adds a line of its own, which pipelines/experiment.py takes off again.
    return str(error.value).split("\n  In call to configurable")[0]


def spoilt(name: str, value: float):
    """`value` in the place of a field's default, as a list where that is one."""
    return [value] if isinstance(FIELDS[name], tuple) else value


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_every_field_refuses_a_value_of_the_wrong_type(name: str):
    message = message_of(**{name: {}})
    assert message.startswith(f"PlaNetConfig.{name} = {{}}; expected ") and "\n" not in message


@pytest.mark.parametrize("name", _AT_LEAST_ONE)
def test_counts_are_at_least_one(name: str):
    value = spoilt(name, 0)
    assert message_of(**{name: value}) == f"PlaNetConfig.{name} = {value}; expected at least 1"


@pytest.mark.parametrize("name", _AT_LEAST_ZERO)
def test_scales_are_not_negative(name: str):
    assert message_of(**{name: -1.0}) == f"PlaNetConfig.{name} = -1.0; expected at least 0"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sequence_length": 1}, "sequence_length = 1; expected at least 2"),
        ({"pixel_bits": 9}, "pixel_bits = 9; expected 1 to 8"),
        ({"pixel_bits": 0}, "pixel_bits = 0; expected 1 to 8"),
        ({"gradient_clip": 0.0}, "gradient_clip = 0.0; expected a positive and finite number"),
        (
            {"gradient_clip": float("nan")},
            "gradient_clip = nan; expected a positive and finite number",
        ),
        (
            {"gradient_clip": float("inf")},
            "gradient_clip = inf; expected a positive and finite number",
        ),
        (
            {"samples_per_insert": 0.0},
            "samples_per_insert = 0.0; expected a positive and finite number",
        ),
        (
            {"planning_candidates": 10, "planning_elites": 11},
            "planning_elites = 11; expected at most planning_candidates, which is 10",
        ),
        (
            {"sequence_length": 4, "overshooting_distance": 4},
            "overshooting_distance = 4; expected less than sequence_length, which is 4",
        ),
        (
            {"encoder_kernels": [4, 4]},
            "encoder_kernels = [4, 4]; expected one for each of encoder_channels, which are 4",
        ),
        (
            {"decoder_kernels": [5, 5]},
            "decoder_kernels = [5, 5]; expected one for each of decoder_channels and one more: 4",
        ),
        (
            {"planning_precision": "bfloat16", "planning_backend": "tensorflow"},
            "planning_precision = 'bfloat16'; expected 'float32' "
            "with planning_backend 'tensorflow'",
        ),
        ({"dynamics": "lstm"}, "dynamics = 'lstm'; expected one of 'rssm', 'ssm', 'rnn'"),
    ],
)
def test_values_that_do_not_fit_together_are_named_in_one_line(values, message: str):
    assert message_of(**values) == f"PlaNetConfig.{message}"


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((5,), "PlaNet learns from square images, got observations of shape (5,); expected "),
        ((64, 32, 3), "PlaNet learns from square images, got observations of shape (64, 32, 3)"),
        ((8, 8, 3), "PlaNetConfig.encoder_kernels = (4, 4, 4, 4) do not fit images of 8×8"),
        ((48, 48, 3), "PlaNetConfig.decoder_kernels = (5, 5, 6, 6) make images of side 64; expe"),
    ],
)
def test_images_that_the_convolutions_do_not_fit_are_refused(shape, message: str):
    with pytest.raises(ValueError) as error:
        PlaNetConfig().check_image(shape)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)
    PlaNetConfig().check_image((64, 64, 3))
