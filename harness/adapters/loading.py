"""The class that a card's ``adapter`` names, or a track's measure: an installed one, or one in a Python file, loaded alone.

A file adapter and the modules beside it become a package of their own, under a name that no other load has. Inside of it
``import helper`` means the ``helper.py`` beside it, when it is loaded and when a function runs later, and nowhere else:
adapters of one process do not see each other's modules, nor what another one added to ``sys.path``.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.adapters.own_modules import OwnModules
from harness.adapters.source_files import is_ours, own_files, own_source_digests, source_digests
from harness.errors import InvalidInput, WrongUsage, XdrError, unknown_name
from harness.registry import Plugins

PLUGINS = Plugins("adapter", "xdr.systems")
COMMAND = "command"


@dataclass(frozen=True)
class Adapter:
    """A class that makes systems; ``modules``: those of its card's own files, None where it is an installed one."""

    kind: type[Any]
    modules: OwnModules | None = None

    def own_files(self) -> dict[str, str]:
        """Those of ``sources`` that are not this project's: by them a foreign adapter is identified."""
        if self.modules is None and is_ours(Path(inspect.getfile(self.kind))):
            return {}  # what belongs to this project imports nothing else that would count
        return own_files(self.sources())

    def sources(self) -> dict[str, str]:
        """SHA-256 by name of all project files that it depends on; of its own modules what was really loaded so far.

        Names of own files are relative to the card's folder, those of this package begin with ``harness/`` or ``systems/``.
        Raises ``InvalidInput`` where a file has another content than was loaded.
        """
        if self.modules is None:
            return source_digests(Path(inspect.getfile(self.kind)))
        digests = own_source_digests(self.modules)
        for name, digest in self.modules.loaded().items():
            if digests.setdefault(name, digest) != digest:
                raise InvalidInput(f"{name} of the adapter was changed after it was loaded; run it again")
        return digests

    @contextlib.contextmanager
    def guarded(self, where: str) -> Iterator[None]:
        """Around a call of the adapter's code: an error of a card's own code is told by the lines of that code alone."""
        try:
            yield
        except XdrError:
            raise
        except (Exception, SystemExit) as error:
            if self.modules is None:
                raise
            raise InvalidInput(f"{where}: {described(error, self.modules)}") from error


def described(error: BaseException, modules: OwnModules) -> str:
    """An error of own code in words, with the lines of that code that led to it; frames of others are left out."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if modules.has_run(Path(frame.filename))]
    if isinstance(error, SystemExit):
        last = f"it ended the process (exit status {error.code!r})"
    else:
        last = "".join(traceback.format_exception_only(error)).strip()
    lines = "".join(traceback.format_list(frames)).rstrip()
    text = f"{last}\n{lines}" if lines else last
    return text.replace(f"{modules.package}.", "").replace(f'"{Path.cwd()}{os.sep}', '"')


def adapter_names() -> list[str]:
    return PLUGINS.names()


def is_executable(adapter: str, folder: Path) -> bool:
    path = folder / adapter
    return ("/" in adapter or path.is_file()) and ":" not in adapter and os.access(path, os.X_OK) and path.is_file()


def brings_code(adapter: str) -> bool:
    """Whether a card with this ``adapter`` runs code of its own, by its name alone."""
    return ":" in adapter or adapter == COMMAND or adapter not in adapter_names()


def load_adapter(adapter: str, folder: Path) -> Adapter:
    """The adapter of a card in ``folder``. A file is read anew each time, whatever was loaded from it before.

    Raises ``WrongUsage`` where there is none of that name, ``InvalidInput`` where its file cannot be imported.
    """
    if ":" in adapter:
        return Adapter(*class_in_file("adapter", adapter, folder))
    if is_executable(adapter, folder):
        adapter = COMMAND
    elif "/" in adapter:
        raise WrongUsage(
            f"adapter {adapter!r} is not an executable file in {folder} (chmod +x?), nor of the form path/file.py:Class"
        )
    return Adapter(PLUGINS.get(adapter, "or path/file.py:Class, or an executable like ./search.sh"))


def class_in_file(what: str, reference: str, folder: Path) -> tuple[type[Any], OwnModules]:
    """The class that ``file.py:Class`` means, relative to ``folder``, and the modules that it was loaded with.

    ``what`` it is to be, for messages. Raises ``WrongUsage`` where there is none, ``InvalidInput`` where it cannot be imported.
    """
    file, _, name = reference.rpartition(":")
    path = folder / file
    if not path.is_file():
        raise WrongUsage(f"{what} {reference!r}: no file {path}")
    if path.suffix != ".py":
        raise WrongUsage(f"{what} {reference!r}: {path} is not a Python file")
    modules = OwnModules(path, folder)
    try:
        module = modules.load()
    except XdrError:
        raise
    except (Exception, SystemExit) as error:
        raise InvalidInput(f"{what} {reference!r}: {path} cannot be imported: {described(error, modules)}") from error
    found = getattr(module, name, None)
    if not inspect.isclass(found):
        classes = [n for n, value in vars(module).items() if inspect.isclass(value) and _is_own(value, modules)]
        raise unknown_name(f"class in {path}", name, classes)
    return found, modules


def _is_own(kind: type[Any], modules: OwnModules) -> bool:
    module = sys.modules.get(kind.__module__)
    return module is not None and module.__name__.startswith(f"{modules.package}.")
