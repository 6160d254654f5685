"""Which source files a result depends on: the adapter's file and every file of ours that it imports, however deep."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

from harness.files import sha256_of_file

_OURS = ("harness", "systems")


def source_digests(start: Path) -> dict[str, str]:
    """SHA-256 by name of the file ``start`` and of all project files that it imports, directly or not.

    Imports are read from the syntax tree, those inside functions included, so the answer does not depend on what this
    process happened to load. Beside the packages ``harness`` and ``systems``, the package that ``start`` belongs to counts,
    and for a file outside any package the modules in its folder.
    """
    home = _home(start)
    found: dict[str, str] = {}
    waiting = [start, *_files_of(home, ".".join(start.parent.relative_to(home).parts))]
    known = set(waiting)
    while waiting:
        path = waiting.pop()
        found.setdefault(_name_of(path, home), sha256_of_file(path))
        imported = [file for file in dict.fromkeys(_imported_files(path, start, home)) if file not in known]
        known.update(imported)
        waiting.extend(imported)
    return dict(sorted(found.items()))


@functools.cache
def package_root() -> Path:
    return Path(__file__).resolve().parent.parent


def _home(start: Path) -> Path:
    """The folder that the start file's modules are named from: the first one upwards that is not a package."""
    folder = start.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def _name_of(path: Path, home: Path) -> str:
    real = path.resolve()
    for base in (package_root(), home.resolve()):
        if real.is_relative_to(base):
            return real.relative_to(base).as_posix()
    return path.name


def _imported_files(path: Path, start: Path, home: Path) -> Iterator[Path]:
    own = start.relative_to(home).parts[0] if start.parent != home else ""
    package = path.parent.relative_to(home).parts if path.is_relative_to(home) else ()
    for name in _imported_names(path.read_bytes(), package):
        first, *others = name.split(".")
        if first in _OURS:
            yield from _our_files(name)
        elif first == own:
            yield from _files_of(home, name)
        elif not own:
            # A folder may be anything, site-packages too: of what lies there only single modules count.
            yield from (file for file in _files_of(home, first) if file.parent == home and not others)


def _files_of(base: Path, name: str) -> Iterator[Path]:
    """The module of that dotted name, and the packages that importing it runs first."""
    steps = name.split(".")
    for count in range(1, len(steps) + 1):
        target = base.joinpath(*steps[:count])
        for candidate in (target.with_suffix(".py"), target / "__init__.py"):
            if candidate.is_file():
                yield candidate


# Nothing is added to this package while it runs.
@functools.cache
def _our_files(name: str) -> tuple[Path, ...]:
    return tuple(_files_of(package_root(), name))


# By content: a leaderboard asks about the same hundred files for every system, before and after its disk check.
@functools.lru_cache(maxsize=4096)
def _imported_names(source: bytes, package: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_names_in(ast.parse(source), package))


def _names_in(tree: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            beginning = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*beginning, *([node.module] if node.module else [])])
            if module:
                yield module
                yield from (f"{module}.{alias.name}" for alias in node.names)
