from __future__ import annotations

import numpy as np
import pytest
from dm_env import specs

from agents.planet import PlaNetConfig
from tests.agents.config_contract import ConfigContract, message_of


class TestPlaNetConfig(ConfigContract):
    config = PlaNetConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sequence_length": 1}, "sequence_length = 1; expected at least 2"),
        ({"pixel_bits": 9}, "pixel_bits = 9; expected at least 1 and at most 8"),
        (
            {"learning_rate": float("1e999")},
            "learning_rate = inf; expected a finite number that float32 holds",
        ),
        ({"gradient_clip": 0.0}, "gradient_clip = 0.0; expected more than 0"),
        ({"samples_per_insert": 0.0}, "samples_per_insert = 0.0; expected more than 0 or None"),
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
        ({"reward_layers": [9] * 16}, f"reward_layers = {[9] * 16}; expected at most 15 layers"),
        ({"dynamics": "lstm"}, "dynamics = 'lstm'; expected one of 'rssm', 'ssm', 'rnn'"),
    ],
)
def test_values_that_do_not_fit_together_are_named_in_one_line(values, message: str):
    assert message_of(PlaNetConfig, **values) == f"PlaNetConfig.{message}"


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
        PlaNetConfig().check_image(specs.Array(shape, np.uint8))
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_images_of_any_channels_fit_and_of_another_type_do_not():
    for channels in (1, 3, 4):
        PlaNetConfig().check_image(specs.Array((64, 64, channels), np.uint8))
    with pytest.raises(ValueError, match=r"^PlaNet learns from images of uint8, got float32$"):
        PlaNetConfig().check_image(specs.Array((64, 64, 3), np.float32))
