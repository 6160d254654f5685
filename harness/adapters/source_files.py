"""Which source files a result depends on: the adapter's file and every file of ours that it imports, however deep.

Imports are read from the syntax tree, those inside functions and with a constant name included, so the answer does not
depend on what this process happened to load.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from harness.adapters.own_modules import OURS, OwnModules
from harness.files.package import package_root
from harness.files.writing import sha256_of_file

_FACE = "xdr_bench"


def source_digests(start: Path) -> dict[str, str]:
    """SHA-256 by name of an installed adapter's file ``start`` and of all project files that it imports, directly or not.

    Beside the packages of this project, the package that ``start`` belongs to counts, and for a file outside any
    package the modules in its folder. Names are those of modules as paths, wherever the installation lies.
    """
    home = _home(start)
    first = [start, *_files_of(home, ".".join(start.parent.relative_to(home).parts))]
    files = _closure(first, lambda path: _imported_files(path, start, home))
    return dict(sorted((_name_of(path, home), sha256_of_file(path)) for path in files))


def own_source_files(modules: OwnModules) -> list[Path]:
    """A card's adapter and the files around it that it imports, directly or not; none of this package."""
    return [path for path in _closure([modules.file], lambda path: _own_imports(path, modules)) if not is_ours(path)]


def own_source_digests(modules: OwnModules) -> dict[str, str]:
    """SHA-256 by name of a card's adapter and of all project files that it imports, directly or not.

    Names of its own files are relative to the card's folder.
    """
    files = _closure([modules.file], lambda path: _own_imports(path, modules))
    names = {path: _name_of(path, package_root()) if is_ours(path) else modules.name_of(path) for path in files}
    return dict(sorted((name, sha256_of_file(path)) for path, name in names.items()))


def _closure(first: Iterable[Path], imported: Callable[[Path], Iterable[Path]]) -> list[Path]:
    found = dict.fromkeys(first)
    waiting = list(found)
    while waiting:
        new = [file for file in dict.fromkeys(imported(waiting.pop())) if file not in found]
        found.update(dict.fromkeys(new))
        waiting.extend(new)
    return list(found)


def _own_imports(path: Path, modules: OwnModules) -> Iterator[Path]:
    if is_ours(path):
        yield from _imported_files(path, path, package_root())
        return
    if path.suffix != ".py":
        return
    for name in _imported_names(path.read_bytes(), modules.package_of(path)):
        if name.partition(".")[0] in OURS:
            yield from _our_files(name)
        else:
            yield from modules.find(name)


def is_ours(path: Path) -> bool:
    """Whether a file belongs to this project's packages, ``harness`` and ``systems``."""
    root, parts = package_root().parts, path.parts
    return parts[: len(root)] == root and not OURS.isdisjoint(parts[len(root) : len(root) + 1])


def own_files(sources: Mapping[str, str]) -> dict[str, str]:
    """Of source digests, those of files that are not this project's: a foreign adapter's own."""
    return {name: digest for name, digest in sources.items() if name.split("/", 1)[0] not in OURS}


def _home(start: Path) -> Path:
    """The folder that the start file's modules are named from: the first one upwards that is not a package."""
    folder = start.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def _name_of(path: Path, home: Path) -> str:
    real = path.resolve()
    base = package_root() if is_ours(real) else home.resolve()
    return real.relative_to(base).as_posix() if real.is_relative_to(base) else path.name


def _imported_files(path: Path, start: Path, home: Path) -> Iterator[Path]:
    if path == _face():
        return  # what is used of it was followed by name
    own = start.relative_to(home).parts[0] if start.parent != home else ""
    package = path.parent.relative_to(home).parts if path.is_relative_to(home) else ()
    ours, foreign = _parted(_imported_names(path.read_bytes(), package))
    yield from ours
    for name in foreign:
        first, *others = name.split(".")
        if first == own:
            yield from _files_of(home, name)
        elif not own:
            # A folder may be anything, site-packages too: of what lies there only single modules count.
            yield from (file for file in _files_of(home, first) if file.parent == home and not others)


# Asked before and after every run, of a hundred files that import each other.
@functools.lru_cache(maxsize=4096)
def _parted(names: tuple[str, ...]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The files of this project that these names stand for, each once, and the names that are not of this project."""
    ours = [file for name in names if name.partition(".")[0] in OURS for file in _our_files(name)]
    return tuple(dict.fromkeys(ours)), tuple(name for name in names if name.partition(".")[0] not in OURS)


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
    package, _, member = name.partition(".")
    home = _homes().get(member) if package == _FACE else None
    return (*_files_of(package_root(), name), *(_our_files(home) if home else ()))


def _face() -> Path:
    return package_root() / _FACE / "__init__.py"


@functools.cache
def _homes() -> dict[str, str]:
    """The module behind each name of the public package, which imports them for type checkers, and otherwise when asked."""
    nodes = ast.walk(ast.parse(_face().read_bytes()))
    found = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {alias.asname or alias.name: node.module for node in found for alias in node.names if node.module}


# By content: a leaderboard asks about the same hundred files for every system, before and after its disk check.
@functools.lru_cache(maxsize=4096)
def _imported_names(source: bytes, package: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_names_in(ast.parse(source), package))


def _names_in(tree: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    nodes = list(ast.walk(tree))
    aliases = [alias for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    faces = {alias.asname or alias.name for alias in aliases if alias.name == _FACE}
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in faces:
            yield f"{_FACE}.{node.attr}"
        elif isinstance(node, ast.ImportFrom):
            beginning = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*beginning, *([node.module] if node.module else [])])
            if module:
                yield module
            yield from (f"{module}.{alias.name}".lstrip(".") for alias in node.names if alias.name != "*")
        elif isinstance(node, ast.Call) and node.args and _name_called(node) in ("import_module", "__import__"):
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str) and not name.value.startswith("."):
                yield name.value


def _name_called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
