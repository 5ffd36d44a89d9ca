"""Protects the building of the native ops: with a compiler, without one, and what is said of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("cem", "games", "mcts")
LIBRARIES = [f"_{name}_ops.so" for name in NAMES]

# Notes when it is called, and leaves what it was asked for; beside its folder lies what it notes.
COMPILER = """#!{python}
import pathlib, sys, time
here = pathlib.Path(__file__).parent.parent
target = pathlib.Path(sys.argv[sys.argv.index("-o") + 1])
if any(word in " ".join(sys.argv) for word in (here / "refused").read_text().split()):
    sys.exit(f"{{target.name}}: refused")
if "-c" in sys.argv:
    (here / "running" / target.name).touch()
    while "together" in (here / "mode").read_text() and len(list((here / "running").iterdir())) < 2:
        time.sleep(0.01)
target.parent.mkdir(parents=True, exist_ok=True)
target.write_text("made")
with open(here / "calls", "a") as calls:
    calls.write(f"{{target.name}}\\n")
"""

TENSORFLOW = """
class sysconfig:
    get_compile_flags = staticmethod(lambda: ["-I/headers"])
    get_link_flags = staticmethod(lambda: ["-L/libraries"])
"""


class Checkout:
    """A copy of the project, a compiler that is quick, and a TensorFlow that has flags."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tools = folder / "checkout", folder / "bin"
        ignored = shutil.ignore_patterns(".*", "build", "runs", "*.so", "tests", "__pycache__")
        shutil.copytree(ROOT, self.folder, ignore=ignored)
        for name in ("bin", "running", "tensorflow"):
            (folder / name).mkdir()
        for name, text in (("refused", "nothing-is"), ("mode", ""), ("calls", "")):
            (folder / name).write_text(text)
        (folder / "tensorflow" / "__init__.py").write_text(TENSORFLOW)
        self.compiler = self.tools / "fake-g++"
        self.compiler.write_text(COMPILER.format(python=sys.executable))
        self.compiler.chmod(0o755)
        self._base = folder

    def run(self, *command: str, **variables: str) -> str:
        """Runs Python on the command; returns what it said."""
        compilers = {name: str(self.compiler) for name in ("CC", "CXX", "LDSHARED", "LDCXXSHARED")}
        path = os.pathsep.join([str(self._base)])
        environment = {**os.environ, **compilers, "PYTHONPATH": path, "PATH": str(self.tools)}
        done = subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env=environment | variables,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def build(self, **variables: str) -> str:
        return self.run("setup.py", "--quiet", "build_ext", "--inplace", **variables)

    def note(self, name: str, text: str) -> None:
        (self._base / name).write_text(text)

    def calls(self) -> list[str]:
        """What was compiled or linked since the last call."""
        made = (self._base / "calls").read_text().split()
        self.note("calls", "")
        return made

    def built(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("ops/*/*.so"))


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    return Checkout(tmp_path)


def sources(name: str) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in (ROOT / "ops" / name).glob("cc/**/*.cc")]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core")
def test_files_are_compiled_side_by_side_and_each_is_told(checkout):
    checkout.note("mode", "together")  # The first one waits for the second one to begin.
    said = checkout.build()
    assert checkout.built() == LIBRARIES
    for name in NAMES:
        told = re.findall(rf"^compiled (ops/{name}/\S+), (\d+) of (\d+)$", said, re.MULTILINE)
        assert sorted(file for file, *_ in told) == sorted(sources(name))
        assert [int(count) for _, count, _ in told] == list(range(1, len(told) + 1))
        assert {int(of) for *_, of in told} == {len(told)}
        assert f"ops/{name} is built, for CPUs\n" in said
    assert len(said.splitlines()) == len(checkout.calls()), "as many lines as files made"


def test_only_what_has_changed_is_built_again(checkout):
    checkout.build()
    checkout.calls()
    assert checkout.build() == "" and checkout.calls() == []
    later = time.time() + 10
    os.utime(next(checkout.folder.glob("ops/cem/cc/kernels/*.h")), (later, later))
    checkout.build()
    assert "_cem_ops.so" in (calls := checkout.calls()) and "_mcts_ops.so" not in calls


def test_an_editable_installation_takes_what_is_built_and_else_builds_it(checkout):
    install = "from setuptools import build_meta; build_meta.build_editable('.')"
    checkout.run("-c", install)
    assert checkout.built() == LIBRARIES and checkout.calls()
    checkout.run("-c", install)
    assert checkout.built() == LIBRARIES and checkout.calls() == []


def test_without_a_compiler_one_line_a_library_says_so_and_the_next_time_builds_them(checkout):
    said = checkout.build(CXX="missing-g++", CC="missing-g++")
    for name in NAMES:
        assert f"warning: ops/{name} is not built: command 'missing-g++' failed: No such" in said
    assert said.count("\n") == len(NAMES) and checkout.built() == []
    checkout.build()
    assert checkout.built() == LIBRARIES


def test_what_does_not_compile_any_more_leaves_no_library_of_old_sources(checkout):
    checkout.build()
    changed = checkout.folder / "ops" / "cem" / "cc" / "kernels" / "planner.cc"
    later = time.time() + 10
    os.utime(changed, (later, later))
    checkout.note("refused", "planner.cc")
    said = checkout.build()
    assert "warning: ops/cem is not built: command" in said
    assert checkout.built() == ["_games_ops.so", "_mcts_ops.so"]


def test_without_tensorflow_it_says_that(checkout):
    checkout.note("tensorflow/__init__.py", "raise ImportError('no TensorFlow here')")
    said = checkout.build()
    assert "warning: ops/cem is not built: no TensorFlow here; plain TensorFlow serves" in said
    assert checkout.built() == []


def test_a_wheel_brings_the_ops_the_gin_files_and_the_models(checkout, tmp_path):
    checkout.run("setup.py", "--quiet", "bdist_wheel", "--dist-dir", str(tmp_path / "dist"))
    (wheel,) = (tmp_path / "dist").iterdir()
    files = set(zipfile.ZipFile(wheel).namelist())
    data = "lookahead-0.1.0.data/data/share/lookahead"
    shipped = {f"{data}/{path.relative_to(ROOT)}" for path in (ROOT / "gin").glob("*.gin")}
    libraries = {f"ops/{name}/_{name}_ops.so" for name in NAMES}
    models = "pipelines/environments/models"
    assert len(shipped) > 10
    assert shipped | libraries | {f"{models}/pets_reacher.xml", "pipelines/run.py"} <= files
    assert not [file for file in files if file.startswith("gin/")], "that is gin-config's"
    assert checkout.built() == [], "the checkout is as it was"


def test_pip_builds_the_ops_with_the_tensorflow_that_they_will_run_on():
    pinned = re.search(r'TENSORFLOW_VERSION = "(.*)"', (ROOT / "setup.py").read_text())[1]
    with open(ROOT / "pyproject.toml", "rb") as file:
        wanted = tomllib.load(file)["build-system"]["requires"]
    assert f"tensorflow-cpu=={pinned}" in wanted
