"""Protects Bazel's view of the tree: every file has a rule, and every import a dependency."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("agents", "pipelines", "ops")
FOLDERS = (*PACKAGES, "tests")


@dataclasses.dataclass(frozen=True)
class Rule:
    """A rule of a BUILD file; paths and labels are relative to the repository, as `a/b:name`."""

    label: str
    sources: frozenset[str]
    dependencies: frozenset[str]


def build_folders() -> list[Path]:
    below = (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("BUILD")))
    return [ROOT, *(path.parent for path in below)]


def glob_in(folder: Path, include: list[str], exclude: list[str]) -> list[str]:
    """Bazel's glob: files below `folder`, but not in folders that have a BUILD of their own."""
    inner = [path for path in build_folders() if path != folder and folder in path.parents]
    found = {path for pattern in include for path in folder.glob(pattern) if path.is_file()}
    found -= {path for pattern in exclude for path in folder.glob(pattern)}
    found = {path for path in found if not any(path.is_relative_to(other) for other in inner)}
    return sorted(path.relative_to(folder).as_posix() for path in found)


def absolute_label(package: str, label: str) -> str:
    """`:name` and `//a/b` in the BUILD of `package`, written out as `package:name` and `a/b:b`."""
    if label.startswith(":"):
        return package + label
    path, _, name = label.removeprefix("//").partition(":")
    return f"{path}:{name or path.rpartition('/')[2]}"


def rules_of(folder: Path) -> list[Rule]:
    """Evaluates the BUILD file of `folder`, whose language is a subset of Python."""
    package = folder.relative_to(ROOT).as_posix().removeprefix(".")
    rules: list[Rule] = []

    def record(name: str = "", srcs=(), deps=(), **_) -> None:
        paths = (f"{package}/{source}".removeprefix("/") for source in srcs)
        labels = (absolute_label(package, label) for label in deps)
        rules.append(Rule(f"{package}:{name}", frozenset(paths), frozenset(labels)))

    text = (folder / "BUILD").read_text()
    calls = [node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    functions = {call.id: record for call in calls if isinstance(call, ast.Name)}
    functions["glob"] = lambda include, exclude=(): glob_in(folder, include, exclude)
    functions["package"] = lambda **_: None
    exec(compile(text, str(folder / "BUILD"), "exec"), functions)
    return rules


RULES = {rule.label: rule for folder in build_folders() for rule in rules_of(folder)}


def python_files(*folders: str) -> list[str]:
    paths = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [path.relative_to(ROOT).as_posix() for path in paths]


def is_external(label: str) -> bool:
    return label.startswith("@")


def reachable_sources(label: str, seen: set[str] | None = None) -> set[str]:
    seen = set() if seen is None else seen
    if label in seen or is_external(label):
        return set()
    seen.add(label)
    below = (reachable_sources(dependency, seen) for dependency in RULES[label].dependencies)
    return set(RULES[label].sources).union(*below)


def module_file(module: str) -> str | None:
    """The file of a module of ours, or None if `module` is none."""
    stem = module.replace(".", "/")
    candidates = (f"{stem}.py", f"{stem}/__init__.py")
    return next((path for path in candidates if (ROOT / path).is_file()), None)


def imported_files(path: str) -> set[str]:
    """The files of ours that `path` imports, anywhere in it."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for inner in (f"{node.module}.{alias.name}" for alias in node.names):
                modules.add(inner if module_file(inner) else node.module)
    ours = (module for module in modules if module.split(".")[0] in FOLDERS)
    return {file for module in ours if (file := module_file(module))}


def test_every_python_file_is_in_a_rule():
    known = set().union(*(rule.sources for rule in RULES.values()))
    assert sorted(set(python_files(*FOLDERS)) - known) == []


@pytest.mark.parametrize("name", ["cem", "games", "mcts"])
def test_native_ops_are_made_of_every_source(name: str):
    rule = RULES[f"ops/{name}:_{name}_ops.so"]
    files = [path for pattern in ("*.cc", "*.h") for path in (ROOT / "ops" / name).rglob(pattern)]
    assert files
    assert {path.relative_to(ROOT).as_posix() for path in files} == rule.sources
    assert rule.dependencies == {"@tensorflow//:tensorflow"}
    assert 'name = "tensorflow"' in (ROOT / "WORKSPACE").read_text()


def test_rules_name_only_what_exists():
    files = [source for rule in RULES.values() for source in rule.sources if ":" not in source]
    assert [path for path in files if not (ROOT / path).is_file()] == []
    labels = {label for rule in RULES.values() for label in rule.dependencies}
    ours = {label for label in labels if not is_external(label)}
    assert sorted(ours - set(RULES)) == []


@pytest.mark.parametrize("label", sorted(RULES))
def test_imports_are_covered_by_dependencies(label: str):
    available = reachable_sources(label)
    missing = {
        (source, imported)
        for source in RULES[label].sources
        if source.endswith(".py")
        for imported in imported_files(source) - available
    }
    assert sorted(missing) == [], f"add these to the deps of //{label}"


def test_one_rule_reaches_every_library_file():
    assert set(python_files(*PACKAGES)) <= reachable_sources(":lookahead")


@pytest.mark.parametrize(
    ("package", "forbidden"), [("ops", ("agents", "pipelines")), ("agents", ("pipelines",))]
)
def test_imports_point_one_way(package: str, forbidden: tuple[str, ...]):
    found = {
        (path, imported)
        for path in python_files(package)
        for imported in imported_files(path)
        if imported.split("/")[0] in forbidden
    }
    assert sorted(found) == []
