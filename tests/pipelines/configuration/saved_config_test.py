"""Protects that a log directory is no program: nothing of it is imported or called but ours."""

from __future__ import annotations

import sys

import gin
import pytest

from pipelines.configuration import experiment
from pipelines.system.errors import UserError

OURS = "import agents.planet\nimport pipelines.environments\n"
RUN = f"{OURS}Experiment.builder = @PlaNetBuilder()\nExperiment.environment = @control_suite\n"

called: list[str] = []


@gin.configurable(module="tests.strangers")
def stranger(name: str = "nobody"):
    """What some library might have made configurable."""
    called.append(name)


@pytest.fixture(autouse=True)
def on_the_path(tmp_path, monkeypatch):
    """A module that would tell that it was imported."""
    (tmp_path / "evil.py").write_text(f"import sys\nsys.modules[{__name__!r}].called.append('!')\n")
    monkeypatch.syspath_prepend(tmp_path)
    called.clear()
    yield
    assert called == [] and "evil" not in sys.modules


def line_for(tmp_path, text: str) -> str:
    (tmp_path / "config.gin").write_text(text)
    with pytest.raises(UserError) as error:
        experiment.parse_saved(tmp_path)
    assert "\n" not in str(error.value)
    return str(error.value).replace(str(tmp_path), "DIR")


def test_what_a_run_writes_is_read_again(tmp_path):
    bindings = ["m = 7", "Experiment.num_episodes = %m"]
    bindings += ["Experiment.evaluation_environment = @a/control_suite"]
    bindings += ["a/control_suite.task = 'cartpole_swingup'"]
    bindings += ["Experiment.builder = @b/singleton()", "b/singleton.constructor = @PlaNetBuilder"]
    made = experiment.parse(["gin/planet_small.gin"], bindings)
    (tmp_path / "config.gin").write_text(gin.config_str())
    again = experiment.parse_saved(tmp_path)
    assert (again.num_episodes, again.builder.name) == (7, "planet")
    assert again.builder.config == made.builder.config
    assert again.evaluation_environment(seed=0).name == "dm_control/cartpole_swingup"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("import evil\n", "line 1: cannot import 'evil'"),
        (f"{RUN}import evil as agents\n", "line 5: cannot import 'evil'"),
        ("from evil import x\n", "line 1: cannot import 'evil.x'"),
        ("import agents_of_evil\n", "line 1: cannot import 'agents_of_evil'"),
        (
            "from __gin__ import dynamic_registration\nimport agents.planet\n"
            "agents.planet.builder.tf.io.write_file.filename = 'x'\n",
            "line 1: cannot import '__gin__.dynamic_registration'",
        ),
        (f"{RUN}include 'evil.gin'\n", "line 5: cannot include 'evil.gin'"),
        ("include 'evil/package.gin'\n", "line 1: cannot include 'evil/package.gin'"),
    ],
)
def test_nothing_else_is_imported_or_included(tmp_path, text, line):
    (tmp_path / "evil.gin").write_text("import evil\n")
    assert line_for(tmp_path, text) == (
        f"DIR/config.gin, {line}; a log directory is no code: expected modules of agents and "
        "pipelines alone, and no include"
    )


@pytest.mark.parametrize(
    "binding",
    [
        "Experiment.builder = @stranger()",
        "Experiment.builder = @tests.strangers.stranger()",
        "Experiment.environment = @scope/stranger",
        "PlaNetConfig.encoder_channels = [1, {'a': (2, @stranger())}]",
        "m = @stranger()\nPlaNetConfig.batch_size = %m",
        "one/singleton.constructor = @stranger\nPlaNetConfig.batch_size = @one/singleton()",
        "stranger.name = 'me'",
        "scope/strangers.stranger.name = 'me'",
        "stranger:\n    name = 'me'",
    ],
)
def test_nothing_of_others_is_configured_or_called(tmp_path, binding):
    line = line_for(tmp_path, f"{RUN}{binding}\n")
    assert line.startswith("DIR/config.gin configures '")
    assert f"stranger' of {__name__}; a log directory is no code" in line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{RUN}Experiment.bilder = 3\n", "DIR/config.gin, line 5: Experiment has no parameter"),
        (f"{RUN}nonsense\n", "DIR/config.gin, line 5: Couldn't parse statement"),
        (f"{RUN}@x\n", "DIR/config.gin, line 5: "),
        (f"{RUN}m = {'(' * 100_000}\n", "DIR/config.gin: nested too deeply to be read"),
        ("import agents.plant\n", "DIR/config.gin, line 1: no module named 'agents.plant'"),
        ("", "Experiment.builder is None"),
    ],
)
def test_what_is_wrong_otherwise_is_told_as_ever(tmp_path, text, line):
    assert line_for(tmp_path, text).startswith(line)


def test_what_is_no_text_and_what_is_not_there_is_one_line(tmp_path):
    with pytest.raises(UserError, match=rf"^cannot read {tmp_path}/config.gin: No such file or di"):
        experiment.parse_saved(tmp_path)
    (tmp_path / "config.gin").write_bytes(b"\xff\x00")
    with pytest.raises(UserError, match=rf"^{tmp_path}/config.gin: .*; expected text in UTF-8$"):
        experiment.parse_saved(tmp_path)
