"""What the package imports is what it declares, and what it declares has a lower bound that can be installed and tested."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
FILES = sorted(path for folder in ("harness", "systems", "xdr_bench") for path in (ROOT / folder).rglob("*.py"))
# Each of these looks for the libraries of its extra itself, and says which extra is missing.
ROOMS = {
    "harness/collections/romanize.py": "train",
    "harness/compute/graph": "fast",
    "harness/compute/": "ray",
    "harness/recipes/train/": "train",
    "harness/segmenters.py": "segment",
}
# Imported by a dependency that does not say so, or only where it is installed.
NEEDED_BY_OTHERS = {"pandas": "repro-eval", "language-data": "langcodes"}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(requirements: list[str]) -> set[str]:
    return {plain(re.split(r"[<>=!~;\[ ]", line)[0]) for line in requirements}


BASE = declared(PROJECT["dependencies"])
EXTRAS = {name: declared(lines) for name, lines in PROJECT["optional-dependencies"].items()}


def imports(tree: ast.AST, in_function: bool = False) -> Iterator[tuple[str, bool]]:
    """Names of the top-level packages that are imported, and whether that is within a function; not those for types."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], in_function) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0], in_function
        inside = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from imports(node, inside)


@pytest.fixture(scope="module")
def foreign() -> dict[str, list[tuple[str, bool]]]:
    """By file, the distributions that it imports, and whether within a function."""
    known = metadata.packages_distributions()
    ours = {"harness", "systems", "xdr_bench", *sys.stdlib_module_names}
    return {
        path.relative_to(ROOT).as_posix(): [
            (plain(known.get(name, [name])[0]), inside)
            for name, inside in imports(ast.parse(path.read_text("utf-8")))
            if name not in ours
        ]
        for path in FILES
    }


def test_every_import_is_declared_or_belongs_to_the_extra_of_its_room(
    foreign: dict[str, list[tuple[str, bool]]],
) -> None:
    faults = []
    for file, names in foreign.items():
        extra = next((extra for room, extra in ROOMS.items() if file.startswith(room)), None)
        for name, inside in names:
            if name not in BASE and not (extra and inside and name in EXTRAS[extra]):
                faults.append(f"{file} imports {name}")
    assert faults == []


def test_every_dependency_is_imported_or_needed_by_another(foreign: dict[str, list[tuple[str, bool]]]) -> None:
    imported = {name for names in foreign.values() for name, _ in names}
    named = {plain(name) for path in FILES for name in re.findall(r"version\([\'\"]([\w.-]+)", path.read_text("utf-8"))}
    assert set(NEEDED_BY_OTHERS.values()) <= BASE
    assert BASE - imported - named - set(NEEDED_BY_OTHERS) == set()


def test_every_dependency_has_a_lower_bound_that_constraints_meet() -> None:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    pinned = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if "==" in line
    )
    versions = {canonicalize_name(name): version for name, version in pinned.items()}
    for requirement in map(Requirement, PROJECT["dependencies"]):
        assert any(bound.operator == ">=" for bound in requirement.specifier), requirement
        assert versions[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_the_lowest_versions_are_written_down_by_a_command() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / ".ci/lowest.py"], capture_output=True, text=True, check=True, timeout=60
    )
    lines = done.stdout.splitlines()
    assert {plain(line.partition("==")[0]) for line in lines} == BASE
    assert "typer==0.16" in lines
