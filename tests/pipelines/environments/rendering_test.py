"""Protects the choice of a renderer: a working one, the user's own, or a line of packages."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# Plays in a fresh process, for dm_control chooses its renderer once, when it is imported.
SCRIPT = """
import sys
from pipelines.environments import control_suite, rendering
from pipelines.system.errors import UserError
if {hide}:
    rendering._egl_works = rendering._osmesa_works = lambda: False
try:
    environment = control_suite(seed=0, observation={observation!r})
    print(environment.reset().observation.shape)
    environment.render(16, 16)
except UserError as error:
    print(str(error).splitlines()[0])
"""


def run(observation: str, hide: bool = False, **variables: str) -> list[str]:
    inherited = {k: v for k, v in os.environ.items() if k not in ("MUJOCO_GL", "PYOPENGL_PLATFORM")}
    finished = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(hide=hide, observation=observation)],
        env=inherited | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return finished.stdout.splitlines()


def test_a_working_renderer_is_found_when_none_is_named():
    assert run("pixels") == ["(64, 64, 3)"]


@pytest.mark.parametrize("observation", ["pixels", "state"])
def test_without_a_renderer_state_works_and_pixels_name_the_packages(observation):
    *before, line = run(observation, hide=True)
    assert before == ([] if observation == "pixels" else ["(5,)"])
    assert "no offscreen renderer" in line
    assert "libegl1" in line and "libosmesa6" in line


def test_a_renderer_that_cannot_be_loaded_is_named():
    (line,) = run("pixels", MUJOCO_GL="glide")
    assert line.startswith("the renderer MUJOCO_GL=glide cannot be loaded")
    assert "libegl1" in line
