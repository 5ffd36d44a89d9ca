"""Protects the set-up: requirements.lock, setup.py, the installed packages and make's targets."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import setuptools
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
TARGETS = ("help", "setup", "run", "test", "lint", "bench", "learn", "clean")
SYSTEM = ROOT / "tools" / "system.sh"


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What setup.py says to setuptools."""
    arguments: dict[str, Any] = {}
    monkeypatch.setattr(setuptools, "setup", arguments.update)
    monkeypatch.chdir(ROOT)
    runpy.run_path("setup.py")
    return arguments


@pytest.fixture(scope="module")
def lock() -> dict[str, Version]:
    """Name → version, of every line of requirements.lock that is not a comment."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line.split("==") for line in lines if not line.lstrip().startswith("#")]
    return {canonicalize_name(name): Version(version) for name, version in pins}


def files(folder: str, pattern: str) -> list[Path]:
    return sorted((ROOT / folder).rglob(pattern))


def unmet(requirements: list[str], lock: dict[str, Version]) -> list[str]:
    """The requirements that hold on this machine and that `lock` leaves out or contradicts."""
    parsed = [Requirement(text) for text in requirements]
    relevant = [one for one in parsed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return [
        str(one)
        for one in relevant
        if (version := lock.get(canonicalize_name(one.name))) is None
        or not one.specifier.contains(version, prereleases=True)
    ]


def test_lock_satisfies_setup_py(declared, lock):
    extras = declared["extras_require"]
    assert unmet([*declared["install_requires"], *extras["cpu"], *extras["dev"]], lock) == []


def test_lock_is_complete(lock):
    needed = [text for name in lock for text in metadata.requires(name) or []]
    assert len(needed) > len(lock)
    assert unmet(needed, lock) == []


def test_installed_versions_are_the_locked_ones(lock):
    installed = {name: Version(metadata.version(name)) for name in lock}
    assert installed == lock


def test_cpu_and_gpu_bring_one_tensorflow_of_the_same_version(declared):
    extras = declared["extras_require"]
    (cpu,), (gpu,) = (list(map(Requirement, extras[extra])) for extra in ("cpu", "gpu"))
    assert (cpu.name, gpu.name, gpu.extras) == ("tensorflow-cpu", "tensorflow", {"and-cuda"})
    assert cpu.specifier == gpu.specifier
    base = {Requirement(text).name for text in declared["install_requires"]}
    assert base.isdisjoint({"tensorflow", "tensorflow-cpu"})


def test_every_package_is_installed(declared):
    inits = [path for name in ("agents", "pipelines", "ops") for path in files(name, "*.py")]
    packages = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in inits}
    assert packages == set(declared["packages"])


@pytest.mark.parametrize("target", TARGETS)
def test_make_knows_target(target: str):
    result = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_make_help_lists_every_target():
    text = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^ *make (\w+)", text, re.MULTILINE) == list(TARGETS)


def run_system(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SYSTEM), *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def fake_python(folder: Path, name: str, version: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\necho {version}\n")
    (folder / name).chmod(0o755)


def test_python_is_found_by_running_it_not_by_its_name(tmp_path: Path):
    (tmp_path / "bash").symlink_to("/bin/bash")
    (tmp_path / "python3.11").write_text("#!/bin/sh\nexit 127\n")  # A shim, switched off.
    (tmp_path / "python3.11").chmod(0o755)
    fake_python(tmp_path, "python3", "3.11.9")
    result = run_system("python", PATH=str(tmp_path))
    assert (result.stdout, result.stderr) == (f"{tmp_path}/python3\n", "")


def test_another_python_is_named_in_one_line(tmp_path: Path):
    fake_python(tmp_path, "python3", "3.12.4")
    result = run_system("python", str(tmp_path / "python3"))
    assert result.returncode == 1
    assert result.stdout == ""
    assert re.fullmatch(r"error: Python 3\.11 is needed, found 3\.12\.4 .*\n", result.stderr)


def ordinary_user(folder: Path) -> None:
    """Makes `id`, if it is found in the folder, say that nothing may be installed."""
    (folder / "id").write_text("#!/bin/sh\necho 1000\n")
    (folder / "id").chmod(0o755)


def test_missing_renderer_is_named_with_its_command(tmp_path: Path):
    (tmp_path / "python").symlink_to("/bin/false")
    ordinary_user(tmp_path)
    result = run_system("renderer", "python", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert result.returncode == 1
    assert re.fullmatch(r"error: a renderer .* sudo apt-get install .* libegl1 .*\n", result.stderr)


@pytest.mark.parametrize("compiler", ["g++", "missing-g++ --flag"])
def test_a_missing_compiler_is_told_and_no_reason_to_end(tmp_path: Path, compiler: str):
    ordinary_user(tmp_path)
    (tmp_path / "g++").symlink_to("/bin/true")
    path = f"{tmp_path}:{os.environ['PATH']}"
    result = run_system("libraries", "/bin/true", PATH=path, CXX=compiler)
    warning = r"warning: g\+\+ is missing: .* sudo apt-get install g\+\+.*\n"
    assert result.returncode == 0
    assert re.fullmatch("" if compiler == "g++" else warning, result.stderr)


@pytest.mark.parametrize(
    ("wanted", "packages"), [("", "libegl1 .*"), ("egl", "libegl1 .*"), ("osmesa", "libosmesa6")]
)
def test_a_missing_library_of_the_renderer_that_is_wanted_is_named(tmp_path, wanted, packages):
    ordinary_user(tmp_path)
    (tmp_path / "g++").symlink_to("/bin/true")
    path = f"{tmp_path}:{os.environ['PATH']}"
    result = run_system("libraries", "/bin/false", PATH=path, CXX="g++", MUJOCO_GL=wanted)
    command = f"sudo apt-get install --yes --no-install-recommends {packages}"
    assert result.returncode == 1
    assert re.fullmatch(rf"error: a renderer .* is missing; .*{command}\)\n", result.stderr)


# Notes what it is called with; builds the ops where there is a compiler.
VENV_PYTHON = """#!/bin/sh
echo "$@" >> calls
case "$*" in
  -\\ *) [ ! -e no-renderer ] ;;
  *build_ext*) [ -e no-compiler ] || touch ops/cem/_cem_ops.so ops/mcts/_mcts_ops.so ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What make needs of the project, for a user who may install nothing."""
    folder = tmp_path / "checkout"
    for name in ("cem", "mcts"):
        (folder / "ops" / name / "cc").mkdir(parents=True)
        (folder / "ops" / name / "cc" / f"{name}.cc").touch()
    (folder / "tools").mkdir()
    for name in ("Makefile", "setup.py", "requirements.lock", "tools/system.sh"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").write_text(VENV_PYTHON)
    (folder / ".venv" / "bin" / "python").chmod(0o755)
    ordinary_user(tmp_path)
    return folder


def make_setup(checkout: Path) -> tuple[str, list[str]]:
    """What `make setup` says, and what Python was called with."""
    path = f"{checkout.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["make", "setup"],
        cwd=checkout,
        env={**os.environ, "PATH": path, "MUJOCO_GL": ""},
        capture_output=True,
        text=True,
    )
    calls = checkout / "calls"
    called = calls.read_text().splitlines() if calls.exists() else []
    calls.unlink(missing_ok=True)
    return done.stdout + done.stderr, called


def test_a_missing_renderer_is_told_before_anything_is_fetched_or_compiled(checkout):
    (checkout / "no-renderer").touch()
    said, called = make_setup(checkout)
    assert "error: a renderer (EGL or OSMesa) is missing; install it" in said
    assert called == ["- egl osmesa"]


def test_make_builds_once_there_is_a_compiler_and_then_no_more(checkout):
    (checkout / "no-compiler").touch()
    said, called = make_setup(checkout)
    assert "Installing requirements.lock" in said and "Compiling the native ops" in said
    builds = [line for line in called if "build_ext" in line]
    assert builds == ["setup.py --quiet build_ext --inplace"]
    assert any("pip" in line and "--editable ." in line for line in called)

    (checkout / "no-compiler").unlink()
    said, called = make_setup(checkout)
    assert "Compiling the native ops" in said and "Installing" not in said
    assert [line for line in called if "build_ext" in line] == builds

    said, called = make_setup(checkout)
    assert "Nothing to be done" in said and called == []
