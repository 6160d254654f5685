"""Which source files a result depends on: the adapter's file and every file of ours that it imports, however deep."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from harness.files import sha256_of_file

_OURS = ("harness", "systems")


def source_digests(start: Path) -> dict[str, str]:
    """SHA-256 by name of the file ``start`` and of all project files that it imports, directly or not.

    Imports are read from the syntax tree, those inside functions included, so the answer does not depend on what this
    process happened to load. Beside the packages ``harness`` and ``systems``, modules in the folder of ``start`` count.
    """
    found: dict[str, str] = {}
    waiting = [(_name_of(start), start)]
    while waiting:
        name, path = waiting.pop()
        if name in found:
            continue
        found[name] = sha256_of_file(path)
        waiting.extend((_name_of(target), target) for target in _imported_files(path, start.parent))
    return dict(sorted(found.items()))


def package_root() -> Path:
    return Path(__file__).resolve().parent.parent


def _name_of(path: Path) -> str:
    try:
        return path.resolve().relative_to(package_root()).as_posix()
    except ValueError:
        return path.name


def _imported_files(path: Path, folder: Path) -> Iterator[Path]:
    for name in _imported_names(ast.parse(path.read_bytes())):
        if name.split(".")[0] in _OURS:
            target = package_root() / Path(*name.split("."))
            for candidate in (target.with_suffix(".py"), target / "__init__.py"):
                if candidate.is_file():
                    yield candidate
        elif (beside := folder / f"{name.split('.')[0]}.py").is_file():
            yield beside


def _imported_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
