"""Protects paths on their way from the command line to libraries that take some for patterns."""

from __future__ import annotations

import os
import pathlib

import pytest
from absl import flags

from pipelines.system import command_line
from pipelines.system.errors import UserError
from pipelines.system.paths import PathParser, lasting_literal, literal


def parsed(argument: str) -> str:
    values = flags.FlagValues()
    flag = flags.DEFINE(PathParser(), "logdir", None, "Where.", flag_values=values)
    command_line.read_flags(["program", f"--logdir={argument}"], values)
    return flag.value


@pytest.mark.parametrize("name", ["a/b", "../x y", "lr=[1,2]", "a\\b", "a~", "./~", "ü日", "-"])
def test_a_path_is_what_it_is(name):
    assert parsed(name) == name


def test_a_tilde_is_a_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert (parsed("~"), parsed("~/runs/a")) == ("/home/me", "/home/me/runs/a")
    assert parsed("~root/x") == os.path.expanduser("~root/x") != "~root/x"


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        ("", ""),
        ("~nobody-of-this-name/x", "~nobody-of-this-name/x"),
        ("a\nb", "a\\nb"),
        ("a\x1b[31m", "a\\x1b[31m"),
        ("a\udcff", "a\\udcff"),
    ],
)
def test_what_no_path_should_be_is_one_line(argument, shown):
    with pytest.raises(UserError) as error:
        parsed(argument)
    assert str(error.value) == f"--logdir is '{shown}'; expected {PathParser.syntactic_help}"


@pytest.mark.parametrize("name", ["plain", "lr=[1,2]", "a\\b", "*", "?"])
def test_a_literal_leads_to_the_same_folder_and_has_no_pattern(tmp_path, name):
    (tmp_path / name).mkdir()
    descriptors = len(os.listdir("/proc/self/fd"))
    with literal(tmp_path / name) as place:
        assert not set(place) & set("*?[\\")
        pathlib.Path(place, "file").write_text("there")
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert (tmp_path / name / "file").read_text() == "there"
    place = lasting_literal(tmp_path / name)
    assert pathlib.Path(place, "file").read_text() == "there"


def test_a_folder_that_is_not_there_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError), literal(tmp_path / "[a]"):
        pass
