"""Protects the set-up: requirements.lock, setup.py, the installed packages and make's targets."""

from __future__ import annotations

import os
import re
import runpy
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


def test_missing_renderer_is_named_with_its_command(tmp_path: Path):
    (tmp_path / "python").symlink_to("/bin/false")
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")  # An ordinary user.
    (tmp_path / "id").chmod(0o755)
    result = run_system("renderer", "python", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert result.returncode == 1
    assert re.fullmatch(r"error: a renderer .* sudo apt-get install .* libegl1 .*\n", result.stderr)
