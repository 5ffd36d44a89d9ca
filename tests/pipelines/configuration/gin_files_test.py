"""Protects that gin files, and what they include, are found from anywhere, and told before."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import gin
import pytest

from pipelines.configuration import experiment, gin_files
from pipelines.system.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A current directory that is not the project's root."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def write(path: pathlib.Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("path", ["gin/pets.gin", str(ROOT / "gin" / "pets.gin")])
def test_a_shipped_file_and_what_it_includes_are_found_from_anywhere(path):
    made = experiment.parse([path])
    assert (made.builder.name, made.num_episodes) == ("pets", 51)


def test_what_is_included_is_looked_for_beside_the_including_file_first(tmp_path):
    outer = "include 'inner/middle.gin'\nExperiment.context_frames = 8\n"
    outer = write(tmp_path / "a" / "outer.gin", outer)
    write(tmp_path / "a" / "inner" / "middle.gin", "include 'gin/pets.gin'\ninclude 'last.gin'\n")
    write(tmp_path / "a" / "inner" / "last.gin", "Experiment.num_episodes = 7\n")
    for folder in ("here", "here/inner", "a"):  # None of these is beside middle.gin.
        write(tmp_path / folder / "last.gin", "Experiment.num_episodes = 8\n")
    made = experiment.parse([outer])
    assert (made.builder.name, made.num_episodes, made.context_frames) == ("pets", 7, 8)


def test_the_current_directory_comes_before_the_shipped_files(tmp_path):
    text = f"include '{ROOT}/gin/pets.gin'\nExperiment.num_episodes = 3\n"
    write(tmp_path / "here" / "gin" / "pets.gin", text)
    assert experiment.parse(["gin/pets.gin"]).num_episodes == 3


def test_bindings_may_include_too(tmp_path):
    write(tmp_path / "here" / "more.gin", "Experiment.num_episodes = 5\n")
    made = experiment.parse(["gin/pets.gin"], ["include 'more.gin'"])
    assert made.num_episodes == 5


def test_an_installed_packages_files_are_found(tmp_path, monkeypatch):
    """`pip install` puts them where data goes; gin/ itself is the name of another package."""
    write(tmp_path / "share" / "gin" / "mine.gin", "include 'gin/pets.gin'")
    monkeypatch.setattr(gin_files, "SHIPPED", (tmp_path / "share", ROOT))
    assert experiment.parse(["gin/mine.gin"]).num_episodes == 51


def test_gin_is_as_it_was_afterwards(tmp_path):
    original = gin.config.parse_config_file
    with pytest.raises(UserError):
        experiment.parse([write(tmp_path / "a.gin", "include 'gin/pets.gin'\nnonsense\n")])
    assert gin.config.parse_config_file is original


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("include 'nowhere.gin'", "FILE, line 1: gin file 'nowhere.gin' does not exist"),
        (
            "\n\ninclude 'gin/petz.gin'",
            "FILE, line 3: gin file 'gin/petz.gin' does not exist; did you mean 'gin/pets.gin'?",
        ),
        ("include 'gin'", "FILE, line 1: gin file 'gin' is a folder; expected a file that ends in"),
        ("include 'a.gin'", "FILE, line 1: 'a.gin' includes itself"),
        ("include 'b.gin'", "b.gin, line 1: './a.gin' includes itself"),
        ("include 3", "FILE, line 1: Expected file path as string"),
        (f"include '{'x' * 300}'", f"FILE, line 1: gin file '{'x' * 300}' does not exist"),
        (r"include '\0'", "FILE, line 1: gin file '\0' does not exist"),
        ("m = " + "[" * 100_000, "FILE: nested too deeply to be read"),
    ],
)
def test_an_include_that_leads_nowhere_is_one_line(tmp_path, text, line):
    path = write(tmp_path / "a.gin", text)
    write(tmp_path / "b.gin", "include './a.gin'")
    with pytest.raises(UserError) as error:
        gin_files.check([path])
    assert str(error.value).startswith(line.replace("FILE", path)) or re.search(
        rf"/{re.escape(line)}$", str(error.value)
    )
    assert "\n" not in str(error.value)


def test_missing_files_are_told_before_tensorflow_is_imported(tmp_path):
    script = (
        "import sys\nfrom pipelines import run\n"
        "status = run.main(['run.py', '--gin_file=gin/petz.gin'])\n"
        "assert not {'tensorflow', 'reverb'} & set(sys.modules)\nsys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        2,
        "error: gin file 'gin/petz.gin' does not exist; did you mean 'gin/pets.gin'?\n",
    )
