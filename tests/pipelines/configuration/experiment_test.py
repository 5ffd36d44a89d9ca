"""Protects the line that answers each mistake in gin files and bindings."""

from __future__ import annotations

import pathlib
import re

import pytest

from pipelines.configuration import experiment
from pipelines.system.errors import UserError, first_line

ROOT = pathlib.Path(__file__).resolve().parents[3]
TINY = str(pathlib.Path(__file__).parents[1] / "tiny_planet.gin")


def line_for(files: list[str], bindings: list[str]) -> str:
    """The line that the user sees."""
    with pytest.raises(UserError) as error:
        experiment.parse(files, bindings)
    return first_line(error.value)


def test_files_and_bindings_make_an_experiment_and_the_last_one_wins(tmp_path):
    more = tmp_path / "more.gin"
    more.write_text("Experiment.num_episodes = 7\nExperiment.context_frames = 8\n")
    made = experiment.parse([TINY, str(more)], ["Experiment.context_frames = 9"])
    assert (made.num_episodes, made.context_frames, made.evaluation_interval) == (7, 9, 2)
    assert made.builder.name == "planet"


def test_nothing_is_left_of_what_was_parsed_before():
    experiment.parse([TINY], ["Experiment.num_episodes = 7"])
    assert experiment.parse([TINY]).num_episodes == 4


@pytest.mark.parametrize(
    ("binding", "line"),
    [
        (
            "PlaNetConfg.batch_size = 3",
            "--gin_bindings, line 1: no configurable named 'PlaNetConfg'"
            "; did you mean 'PlaNetConfig'?",
        ),
        (
            "PlaNetConfig.batchsize = 3",
            "--gin_bindings, line 1: PlaNetConfig has no parameter 'batchsize'"
            "; did you mean 'batch_size'?",
        ),
        (
            "control_suite.imagesize = 3",
            "--gin_bindings, line 1: control_suite has no parameter 'imagesize'"
            "; did you mean 'image_size'?",
        ),
        (
            "free_nats = 3",
            "--gin_bindings: no file uses a macro %free_nats; expected a binding such as "
            "PlaNetConfig.batch_size = 16; did you mean 'PlaNetConfig.free_nats'?",
        ),
        ("PlaNetConfig.batch_size = 'x'", "PlaNetConfig.batch_size = 'x'; expected int"),
        ("PlaNetConfig.batch_size = 2.5", "PlaNetConfig.batch_size = 2.5; expected int"),
        ("Experiment.deterministic = 1", "Experiment.deterministic = 1; expected bool"),
        (
            "PlaNetConfig.planning_horizon = -1",
            "PlaNetConfig.planning_horizon = -1; expected at least 1",
        ),
        (
            "PlaNetConfig.planning_elites = 9",
            "PlaNetConfig.planning_elites = 9; expected at most planning_candidates, which is 8",
        ),
        ("Experiment.num_episodes = 0", "Experiment.num_episodes = 0; expected at least 1"),
        (
            "Experiment.replay_port = 0",
            "Experiment.replay_port = 0; expected at least 1 and at most 65535 or None",
        ),
        (
            "Experiment.replay_port = 99999",
            "Experiment.replay_port = 99999; expected at least 1 and at most 65535 or None",
        ),
        (
            "Experiment.replay_timeout = 0.5",
            "Experiment.replay_timeout = 0.5; expected at least 1 and at most 86400",
        ),
        (
            "Experiment.replay_timeout = 1e999",
            "Experiment.replay_timeout = inf; expected a finite number that float32 holds",
        ),
        (
            "Experiment.checkpoint_minutes = 1e999",
            "Experiment.checkpoint_minutes = inf; expected a finite number that float32 holds",
        ),
        (
            "Experiment.checkpoint_minutes = -1e999",
            "Experiment.checkpoint_minutes = -inf; expected a finite number that float32 holds",
        ),
        (
            "Experiment.builder = @PlaNetBuildr()",
            "--gin_bindings, line 1: no configurable named 'PlaNetBuildr'"
            "; did you mean 'PlaNetBuilder'?",
        ),
        (
            "Experiment.builder = 3",
            "Experiment.builder is 3; expected a builder, as in @PlaNetBuilder()",
        ),
        (
            "Experiment.environment = 'x'",
            "Experiment.environment is 'x'; expected an environment's factory, as in "
            "@control_suite",
        ),
        (
            "Experiment.environment = @control_suite()",
            "control_suite() needs 'seed'; expected the name alone, as in @name, where a factory "
            "is wanted",
        ),
        (
            "Experiment.evaluation_environment = 'x'",
            "Experiment.evaluation_environment is 'x'; expected an environment's factory, as in "
            "@control_suite",
        ),
        (
            "PlaNetConfig.batch_size = foo",
            "--gin_bindings, line 1: not a value; expected a number, a quoted 'text', a list, "
            "@name or @name()",
        ),
        (
            "PlaNetConfig.batch_size = %foo",
            "macro %foo is used and nowhere defined; expected a line foo = VALUE",
        ),
        (
            "nonsense",
            "--gin_bindings, line 1: Couldn't parse statement, expected ':' or '='; expected a "
            "line such as PlaNetConfig.batch_size = 16",
        ),
    ],
)
def test_a_wrong_binding_is_one_line(binding, line):
    assert line_for([TINY], [binding]) == line


def test_what_learns_nothing_is_evaluated_where_it_plays():
    tiny = str(pathlib.Path(__file__).parents[1] / "tiny_simulator_cem.gin")
    line = line_for([tiny], ["Experiment.evaluation_environment = @control_suite"])
    assert line == (
        "Experiment.evaluation_environment is set, but simulator_cem learns nothing and is "
        "evaluated where it plays; expected Experiment.environment alone"
    )


def test_what_learns_nothing_has_no_rounds_of_collecting():
    tiny = str(pathlib.Path(__file__).parents[1] / "tiny_simulator_cem.gin")
    line = line_for([tiny], ["Experiment.collected_episodes = 3"])
    assert line == (
        "Experiment.collected_episodes is 3, but simulator_cem learns nothing; expected None"
    )


def test_the_second_of_two_bindings_is_named():
    line = line_for([TINY], ["PlaNetConfig.batch_size = 3", "PlaNetConfig.batchsize = 3"])
    assert line.startswith("--gin_bindings, line 2: ")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "import agents.planet\nPlaNetConfig.batch_size == 3\n",
            "FILE, line 2: Couldn't parse statement, expected ':' or '=' in "
            "'PlaNetConfig.batch_size == 3'; expected a line such as PlaNetConfig.batch_size = 16",
        ),
        (
            "PlaNetConfig.encoder_channels = [3, 4\n",
            "FILE, line 2: EOF in multi-line statement; expected a closing bracket or quote",
        ),
        (
            "import agents.planett\n",
            "FILE, line 1: no module named 'agents.planett'; did you mean 'agents.planet'?",
        ),
        ("import agent.planet\n", "FILE, line 1: no module named 'agent'; did you mean 'agents'?"),
        ("include 'nothing.gin'\n", "FILE, line 1: gin file 'nothing.gin' does not exist"),
        (
            "import agents.planet\n",
            "Experiment.builder is None; expected a builder, as in @PlaNetBuilder()",
        ),
        ("\xff\x00", "FILE: "),
    ],
)
def test_a_wrong_file_is_one_line_that_names_it(tmp_path, text, line, capfd):
    path = tmp_path / "wrong.gin"
    path.write_bytes(text.encode("latin-1"))
    assert line_for([str(path)], []).startswith(line.replace("FILE", str(path)))
    assert capfd.readouterr() == ("", ""), "gin's own log lines are held back"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (
            f"{ROOT}/gin/planet_smal.gin",
            f"gin file '{ROOT}/gin/planet_smal.gin' does not exist"
            f"; did you mean '{ROOT}/gin/planet_small.gin'?",
        ),
        ("nowhere/file.gin", "gin file 'nowhere/file.gin' does not exist"),
        (f"{ROOT}/gin", f"gin file '{ROOT}/gin' is a folder"),
    ],
)
def test_a_missing_file_is_one_line_with_the_nearest_one(path, line):
    assert re.match(re.escape(line), line_for([path], []))


def test_no_file_at_all_is_one_line():
    expected = "--gin_file is missing; expected a file such as gin/planet_small.gin"
    assert line_for([], []) == expected
