"""The Python modules of one card: a package under a private name, whose modules import each other by their plain names.

Python looks for a module by its plain name in ``sys.modules`` and ``sys.path``, which a whole process shares. The modules here
have a builtin ``__import__`` of their own instead, which asks beside the adapter first, so that neither of the two changes.
"""

from __future__ import annotations

import builtins
import hashlib
import importlib
import itertools
import os
import sys
import sysconfig
import threading
import weakref
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.abc import Loader
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from harness.files.writing import sha256_of_file

OURS = frozenset({"harness", "systems", "xdr_bench"})
"""Packages that are this project's wherever an adapter lies."""

_PREFIX = "xdr_adapter_"
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
_numbers = itertools.count(1)
_packages: weakref.WeakValueDictionary[str, OwnModules] = weakref.WeakValueDictionary()
_latest: dict[Path, str] = {}
_changing = threading.RLock()


class OwnModules:
    """The adapter in ``file``, and what it imports of the files around it; names are relative to ``base``, the card's folder.

    Its modules are looked for in ``roots``: the folder of the file, and those that the adapter adds to ``sys.path``, where they
    do not stay. A file in a package below the card's folder is a module of that package.
    """

    def __init__(self, file: Path, base: Path) -> None:
        self.file, self.base = _absolute(file), _absolute(base)
        self.roots = [self.file.parent]
        self._home = self._first_that_is_no_package()
        path_digest = hashlib.sha256(str(self.file).encode("utf-8", "surrogateescape")).hexdigest()
        self.package = f"{_PREFIX}{path_digest[:12]}_{next(_numbers)}"
        self._digests: dict[Path, str] = {}
        self._modules: dict[str, ModuleType] = {}
        self._builtins = {**vars(builtins), "__import__": self._import}
        self._importlib = _Importlib(self)
        self._path_before = frozenset(sys.path)
        self._modules_before = {name: id(module) for name, module in list(sys.modules.items())}

    def load(self) -> ModuleType:
        """Run the adapter's file, whatever an earlier load of it left. Raises whatever its code raises."""
        with _changing:
            if _finder not in sys.meta_path:
                sys.meta_path.insert(0, _finder)
            if (former := _packages.get(_latest.get(self.file, ""))) is not None:
                former._leave()
            _packages[self.package] = self
            _latest[self.file] = self.package
        package = ModuleType(self.package)
        package.__path__ = self._locations()
        sys.modules[self.package] = self._modules[self.package] = package
        # A file that the adapter loads by its place would be compiled beside it.
        writes_none, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        try:
            return self._imported(".".join(self.file.relative_to(self._home).with_suffix("").parts))
        finally:
            sys.dont_write_bytecode = writes_none
            self._take_paths()
            self._take_modules()

    def _first_that_is_no_package(self) -> Path:
        folder = self.file.parent
        while folder != self.base and folder.name.isidentifier() and (folder / "__init__.py").is_file():
            folder = folder.parent
        return folder

    @property
    def own_package(self) -> str:
        """The package that the file belongs to; empty where it belongs to none."""
        return self.file.relative_to(self._home).parts[0] if self._home != self.file.parent else ""

    def package_of(self, path: Path) -> tuple[str, ...]:
        """From where relative imports of a file start: the names of its packages, outermost first."""
        for root in (self._home, *self.roots):
            if path.parent.is_relative_to(root):
                return path.parent.relative_to(root).parts
        return ()

    def has_run(self, path: Path) -> bool:
        """Whether a file was loaded as one of these modules."""
        return _absolute(path) in self._digests

    def name_of(self, path: Path) -> str:
        """A file's name in manifests: relative to the card's folder, with ``..`` where it does not lie below."""
        return Path(os.path.relpath(_absolute(path), self.base)).as_posix()

    def digest_of(self, name: str) -> str:
        """SHA-256 of the file of that name, as it is now; empty where there is none."""
        path = self.base / name
        return sha256_of_file(path) if path.is_file() else ""

    def loaded(self) -> dict[str, str]:
        """SHA-256 by name of what was really loaded so far, in whatever way the adapter loaded it."""
        self._take_paths()
        self._take_modules()
        return {self.name_of(path): digest for path, digest in self._digests.items()}

    def find(self, name: str) -> list[Path]:
        """Files of the own module of that dotted name, and of the packages that importing it runs first; none if none is.

        Nothing is imported.
        """
        files: list[Path] = []
        top, *steps = name.split(".")
        if not self._is_own(top) and not self._is_plain_folder(top):
            return []
        locations: Sequence[str] = self._locations()
        for step in (top, *steps):
            spec = _spec_in(step, locations, self)
            if spec is None:
                break
            if spec.has_location and spec.origin is not None:
                files.append(_absolute(Path(spec.origin)))
            locations = spec.submodule_search_locations or ()
        return files

    # How its modules import

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002 - as Python's own calls them
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if level:
            self._return()
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        top = name.partition(".")[0]
        if top == "importlib":
            builtins.__import__(name, globals, locals, fromlist or (), 0)
            if name == "importlib":
                return self._importlib
        elif self._is_own(top):
            return self._own_import(name, fromlist)
        try:
            found = builtins.__import__(name, globals, locals, fromlist or (), 0)
        except ModuleNotFoundError as error:
            if error.name != top or not self._is_plain_folder(top):
                raise
            return self._own_import(name, fromlist)
        return self._importlib if top == "importlib" and not fromlist else found

    def _own_import(self, name: str, fromlist: Sequence[str] | None) -> ModuleType:
        module = self._imported(name)
        if fromlist:
            return builtins.__import__(f"{self.package}.{name}", None, None, fromlist, 0)
        return module if "." not in name else self._imported(name.partition(".")[0])

    def _imported(self, name: str) -> ModuleType:
        self._return()
        return importlib.import_module(f"{self.package}.{name}")

    def _is_own(self, top: str) -> bool:
        """Whether a module or package of that name lies beside the adapter; a folder of data of that name is none."""
        self._take_paths()
        if top in OURS:
            return False
        return top == self.own_package or any(_has_module(root, top) for root in self.roots)

    def _is_plain_folder(self, top: str) -> bool:
        """Whether a folder without ``__init__.py`` could be meant. One of data may have the name of an installed package."""
        return top not in OURS and any((root / top).is_dir() for root in self.roots)

    def _locations(self) -> list[str]:
        return [str(root) for root in dict.fromkeys([self._home, *self.roots])]

    def _take_paths(self) -> None:
        """Make folders that the adapter added to ``sys.path`` its own, and the path as it was."""
        added = [entry for entry in sys.path if entry not in self._path_before and _is_folder_of_sources(entry)]
        if added:
            sys.path[:] = [entry for entry in sys.path if entry not in added]
            self.roots[:] = dict.fromkeys([*(_absolute(Path(entry)) for entry in added), *self.roots])
            self._modules[self.package].__path__ = self._locations()

    def _take_modules(self) -> None:
        """Note files around the adapter that it loaded under other names, by importlib's tools for instance, and let go of
        these names.
        """
        for name, module in list(sys.modules.items()):
            if (
                self._modules_before.get(name) == id(module)
                or name.partition(".")[0] in OURS
                or name.startswith(_PREFIX)
            ):
                continue
            file = getattr(module, "__file__", None)
            if not isinstance(file, str) or not Path(file).is_file() or not _is_source(Path(file)):
                continue
            path = _absolute(Path(file))
            if any(path.is_relative_to(root) for root in (self.base, *self.roots)):
                self._digests.setdefault(path, sha256_of_file(path))
                del sys.modules[name]

    # Its place in sys.modules: that of the latest load of a file, so that what earlier ones hold can be freed

    def _leave(self) -> None:
        with _changing:
            own = {name for name in sys.modules if name == self.package or name.startswith(f"{self.package}.")}
            self._modules |= {name: sys.modules.pop(name) for name in own}

    def _return(self) -> None:
        with _changing:
            if self.package not in sys.modules:
                sys.modules.update(self._modules)

    def kept(self, name: str) -> ModuleType | None:
        return self._modules.get(name)

    # What its loaders ask for

    def note(self, path: Path, data: bytes) -> None:
        """Note the content of a file that is about to run."""
        self._digests[_absolute(path)] = hashlib.sha256(data).hexdigest()

    def prepare(self, module: ModuleType) -> None:
        """Let a module import in its own way."""
        module.__dict__["__builtins__"] = self._builtins


class _Importlib(ModuleType):
    """importlib for own modules: ``import_module("helper")`` finds what ``import helper`` does."""

    def __init__(self, owner: OwnModules) -> None:
        super().__init__("importlib", importlib.__doc__)
        self._owner = weakref.ref(owner)

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib, name)

    def import_module(self, name: str, package: str | None = None) -> ModuleType:
        owner = self._owner()
        if owner is None or name.startswith("."):
            return importlib.import_module(name, package)
        return owner._import(name, fromlist=("__name__",))


class _SourceLoader(SourceFileLoader):
    """Runs a file as it is now: no compiled form is read, which may be an older one, and none is left beside it."""

    def __init__(self, owner: OwnModules, fullname: str, path: str) -> None:
        super().__init__(fullname, path)
        self._owner = owner

    def get_code(self, fullname: str) -> CodeType:
        data = Path(self.path).read_bytes()
        self._owner.note(Path(self.path), data)
        code: CodeType = self.source_to_code(data, self.path)
        return code

    def exec_module(self, module: ModuleType) -> None:
        self._owner.prepare(module)
        super().exec_module(module)


class _ExtensionLoader(ExtensionFileLoader):
    def __init__(self, owner: OwnModules, fullname: str, path: str) -> None:
        super().__init__(fullname, path)
        self._owner = owner

    def exec_module(self, module: ModuleType) -> None:
        self._owner.note(Path(self.path), Path(self.path).read_bytes())
        super().exec_module(module)


class _Kept(Loader):
    """Gives back a module that was taken out of ``sys.modules``."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """It ran already."""


class _Finder:
    """Finds modules of private packages, and no others."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        owner = _packages.get(name.partition(".")[0]) if name.startswith(_PREFIX) else None
        if owner is None:
            return None
        if (module := owner.kept(name)) is not None:
            return ModuleSpec(name, _Kept(module), is_package=hasattr(module, "__path__"))
        return _spec_in(name, path or (), owner)


_finder = _Finder()


def _spec_in(name: str, locations: Sequence[str], owner: OwnModules) -> ModuleSpec | None:
    """The module of that name in the first of these folders that has it; else a namespace of its folders there."""
    # Made with a module's name and path, as the classes of loaders are.
    details: tuple[tuple[Any, list[str]], ...] = (
        (partial(_ExtensionLoader, owner), list(EXTENSION_SUFFIXES)),
        (partial(_SourceLoader, owner), list(SOURCE_SUFFIXES)),
    )
    portions: list[str] = []
    for location in locations:
        finder = FileFinder(location, *details)
        spec = finder.find_spec(name)
        if spec is not None and spec.loader is not None:
            return spec
        portions += (spec.submodule_search_locations or []) if spec is not None else []
    if not portions:
        return None
    namespace = ModuleSpec(name, None, is_package=True)
    namespace.submodule_search_locations = portions
    return namespace


def _has_module(root: Path, name: str) -> bool:
    suffixes = (*SOURCE_SUFFIXES, *EXTENSION_SUFFIXES)
    return (root / name / "__init__.py").is_file() or any((root / f"{name}{suffix}").is_file() for suffix in suffixes)


def _is_folder_of_sources(entry: str) -> bool:
    return Path(entry).is_dir() and _is_source(Path(entry))


def _is_source(path: Path) -> bool:
    """Whether a path is no part of an installation, of Python itself or of packages."""
    return not (_INSTALLED & set(path.parts) or _absolute(path).is_relative_to(_STANDARD_LIBRARY))


def _absolute(path: Path) -> Path:
    """Without ``..`` and without following links: a file is where its card says, wherever its content comes from."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps "..", Path.resolve follows links
