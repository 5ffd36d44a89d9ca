"""Protects the tree's order: imports go one way, rooms stand in no circle, files stay short."""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Each may import those before it, and itself.
ORDER = ("ops", "agents", "pipelines")
MOST_LINES = 400


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path) -> set[tuple[str, ...]]:
    """The modules of ours that a file imports, anywhere in it, as the parts of their names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {tuple(name.split(".")) for name in found if name.split(".")[0] in ORDER}


@pytest.mark.parametrize("package", ORDER)
def test_imports_go_one_way(package: str):
    allowed = ORDER[: ORDER.index(package) + 1]
    files = sources(package)
    assert files
    wrong = {
        (path.relative_to(ROOT).as_posix(), ".".join(module))
        for path in files
        for module in imported(path)
        if module[0] not in allowed
    }
    assert wrong == set()


@pytest.mark.parametrize("package", ORDER)
def test_no_folder_imports_one_that_imports_it(package: str):
    """What lies at a package's top counts file by file; a folder below counts as one."""
    graph: dict[str, set[str]] = {}
    for path in sources(package):
        parts = path.relative_to(ROOT / package).with_suffix("").parts
        if parts[-1] == "__init__" and len(parts) == 1:
            continue
        needed = {module[1] for module in imported(path) if module[0] == package}
        graph.setdefault(parts[0], set()).update(needed - {parts[0]})
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert len(order) >= 3


@pytest.mark.parametrize("package", [*ORDER, "tests"])
def test_no_file_is_longer_than_a_reader_can_take_in(package: str):
    lengths = {path: len(path.read_text().splitlines()) for path in sources(package)}
    too_long = {path.name: count for path, count in lengths.items() if count > MOST_LINES}
    assert too_long == {}


def test_pipelines_know_no_agent():
    """Builders, learners and policies by their interfaces; never one system's."""
    systems = {path.parent.name for path in (ROOT / "agents").glob("*/builder.py")}
    assert {"muzero", "planet", "pets"} <= systems
    wrong = {
        (path.relative_to(ROOT).as_posix(), ".".join(module))
        for path in sources("pipelines")
        for module in imported(path)
        if module[0] == "agents" and module[1] in systems
    }
    assert wrong == set()
