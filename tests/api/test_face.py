"""The public package: light, whole, typed, and ours whatever else lies on the path."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from own_measure import Found

import xdr_bench
from harness.adapters.source_files import source_digests

FACE = Path(xdr_bench.__file__)
HEAVY = (
    "faiss",
    "ir_datasets",
    "ir_measures",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "scipy",
    "torch",
    "transformers",
)


def python(program: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program]
    env = {**os.environ, **environment}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def imported_for_type_checkers() -> dict[str, tuple[str, str]]:
    """Module and name there, by public name."""
    [block] = [node for node in ast.parse(FACE.read_text("utf-8")).body if isinstance(node, ast.If)]
    found = [(node.module, alias) for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    return {alias.asname or alias.name: (module or "", alias.name) for module, alias in found}


def test_importing_it_imports_nothing_heavy() -> None:
    done = python(f"import sys, xdr_bench\nprint([name for name in {HEAVY!r} if name in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


def test_importing_it_makes_the_collections_loadable_by_name() -> None:
    done = python("import xdr_bench, ir_datasets\nprint(ir_datasets.load('xdr-mini/fi').queries_count())")
    assert done.stdout.strip() == "80", done.stderr


def test_every_public_name_is_what_type_checkers_take_it_for() -> None:
    typed = imported_for_type_checkers()
    assert sorted(typed) == xdr_bench.__all__ == dir(xdr_bench)
    for name, (module, there) in typed.items():
        assert getattr(xdr_bench, name) is getattr(importlib.import_module(module), there), name


def test_a_name_that_it_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'xdr_bench' has no attribute 'Rankin'"):
        _ = xdr_bench.Rankin  # type: ignore[attr-defined]
    assert not hasattr(xdr_bench, "__wrapped__")


def test_it_brings_its_types_along() -> None:
    assert (FACE.parent / "py.typed").is_file()
    assert (FACE.parent.parent / "harness" / "py.typed").is_file()


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder with packages of somebody's own that have the names of ours."""
    for name in ("harness", "systems"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('not meant')\n")
    return tmp_path


@pytest.mark.parametrize(
    "command", ["-m xdr_bench list systems", "-c 'import xdr_bench; xdr_bench.load_card(\"bm25\")'"]
)
def test_foreign_packages_of_its_names_are_told_and_not_obeyed(lab: Path, command: str) -> None:
    env = {**os.environ, "PYTHONPATH": "."}
    done = subprocess.run(
        f"{sys.executable} {command}", shell=True, cwd=lab, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    [line] = done.stderr.splitlines()
    assert f"{lab / 'harness'} and {lab / 'systems'} cannot be imported" in line


def test_a_foreign_package_that_is_loaded_already_ends_the_import_with_one_line(lab: Path) -> None:
    (lab / "systems" / "__init__.py").write_text("")
    done = python("import systems, xdr_bench", cwd=lab)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: xdr-bench needs its own packages")
    assert f"'systems' from {lab / 'systems'}" in last


def test_a_folder_without_a_package_in_it_is_no_matter(tmp_path: Path) -> None:
    for name in ("harness", "systems"):
        (tmp_path / name).mkdir()
    done = python("import xdr_bench; xdr_bench.load_card('bm25')", cwd=tmp_path, PYTHONPATH=".")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "line", ["from xdr_bench import Ranking, Request", "import xdr_bench as x\ny = x.Request, x.Ranking"]
)
def test_what_an_adapter_uses_of_it_is_among_the_sources_of_its_run(tmp_path: Path, line: str) -> None:
    (tmp_path / "adapter.py").write_text(f"{line}\n")
    found = source_digests(tmp_path / "adapter.py")
    assert {"adapter.py", "xdr_bench/__init__.py", "harness/adapters/contract.py", "harness/records.py"} <= found.keys()
    assert not [name for name in found if name.startswith(("harness/leaderboard/", "harness/cli/", "harness/runs/"))]


TestFound = xdr_bench.measure_conformance_tests(Found)
