"""Protects the choice of a renderer: a working one, the user's own, or a line of packages."""

from __future__ import annotations

import os
import subprocess
import sys

import mujoco
import pytest

from pipelines.environments import control_suite, rendering
from pipelines.system.errors import UserError

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

AGAIN = """
from pipelines.environments import control_suite
from pipelines.system.errors import UserError
for seed in range(2):
    environment = control_suite(seed=seed, observation="state")
    environment.reset()
    for _ in range(2):
        try:
            environment.render(16, 16)
        except UserError as error:
            print(error)
"""


def run(observation: str, hide: bool = False, **variables: str) -> list[str]:
    return printed(SCRIPT.format(hide=hide, observation=observation), **variables)


def printed(script: str, **variables: str) -> list[str]:
    unset = ("MUJOCO_GL", "PYOPENGL_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY")
    inherited = {name: value for name, value in os.environ.items() if name not in unset}
    command, environment = [sys.executable, "-c", script], inherited | variables
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


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


def test_without_a_display_glfw_is_refused_however_often_and_state_works():
    lines = printed(AGAIN, MUJOCO_GL="glfw")
    assert len(lines) == 4 and len(set(lines)) == 1
    assert lines[0].startswith("the renderer MUJOCO_GL=glfw finds no display, expected egl or osm")


def test_a_renderer_that_has_failed_once_is_not_tried_again(monkeypatch):
    """After a context that could not be made, the next one ends the process inside MuJoCo."""
    tries = []

    def fail(*arguments, **options):
        tries.append(arguments)
        raise mujoco.FatalError("no context\nand more")

    monkeypatch.setattr(rendering, "_failures", [])
    rendering.import_suite()
    from dm_control.mujoco import engine

    monkeypatch.setattr(engine, "Camera", fail)
    environment = control_suite(seed=0, observation="state")
    environment.reset()
    for _ in range(2):
        with pytest.raises(UserError, match=r"^the renderer draws no frame \(no context\), expec"):
            environment.render(16, 16)
    assert len(tries) == 1
