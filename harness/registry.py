"""Plug-ins by name: this package's own, and those that installed distributions declare as entry points.

A name belongs to one of them. Where two claim it, or where what it stands for cannot be imported, this is an error of whoever
asks for that name, and of nobody else: nothing is imported before it is asked for.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from harness.errors import InvalidInput, XdrError, unknown_name

_OWN = "xdr-bench"


def declared(group: str) -> tuple[metadata.EntryPoint, ...]:
    """The entry points of a group. Every installed distribution is looked at once for each state of ``sys.path``."""
    return _declared(group, tuple(sys.path))


@functools.cache
def _declared(group: str, path: tuple[str, ...]) -> tuple[metadata.EntryPoint, ...]:
    return tuple(metadata.entry_points(group=group))


@functools.cache
def _known_as(dist: metadata.Distribution) -> tuple[str, str]:
    """Name and version. Each asking reads and parses all that the distribution says of itself, its README included."""
    return dist.name, dist.version


@dataclass(frozen=True)
class Origin:
    """Where an entry point comes from."""

    entry: metadata.EntryPoint

    @property
    def is_own(self) -> bool:
        return self.entry.dist is not None and _known_as(self.entry.dist)[0] == _OWN

    def __str__(self) -> str:
        """
        >>> print(Origin(metadata.EntryPoint("title", "titles:Title", "xdr.measures")))
        an unknown distribution
        """
        dist = self.entry.dist
        return " ".join(_known_as(dist)) if dist is not None else "an unknown distribution"


@dataclass(frozen=True)
class Plugins:
    """The plug-ins of one kind. ``kind``: in words, for messages; ``group``: of entry points."""

    kind: str
    group: str

    def outside(self, own: Iterable[str] = ()) -> dict[str, str]:
        """Names that other distributions declare, and where from. ``own``: names of this package that are not entry points."""
        found: dict[str, list[str]] = {}
        for entry in self._entries():
            origin = Origin(entry)
            if not origin.is_own:
                found.setdefault(entry.name, []).append(str(origin))
        taken = {*own, *(entry.name for entry in self._entries() if Origin(entry).is_own)}
        return {
            name: " and ".join([*origins, *([_OWN] if name in taken else [])])
            + (", which clash" if len(origins) + (name in taken) > 1 else "")
            for name, origins in sorted(found.items())
        }

    def names(self) -> list[str]:
        """Of all entry points, this package's and others'."""
        return sorted({entry.name for entry in self._entries()})

    def own(self) -> list[str]:
        """Of this package's entry points."""
        return sorted(entry.name for entry in self._entries() if Origin(entry).is_own)

    def find(self, name: str, own: bool = False) -> Any:
        """What the entry point of that name stands for; None where there is none.

        ``own``: whether this package has something of that name that is no entry point. Raises ``InvalidInput`` where several
        claim the name, and where it cannot be imported; both name the distributions.
        """
        entries = [entry for entry in self._entries() if entry.name == name]
        claims = [*([f"{_OWN} itself"] if own else []), *(str(Origin(entry)) for entry in entries)]
        if len(claims) > 1:
            raise InvalidInput(
                f"the {self.kind} {name!r} is claimed by {' and by '.join(claims)}, and a name belongs to one: "
                "uninstall one of the distributions, or have its author choose another name"
            )
        return self._loaded(entries[0]) if entries else None

    def get(self, name: str, hint: str = "") -> Any:
        """As ``find``; raises ``WrongUsage`` with the closest names where there is none."""
        found = self.find(name)
        if found is None:
            raise unknown_name(self.kind, name, self.names(), hint)
        return found

    def broken(self, name: str, reason: str) -> InvalidInput:
        """The error of what an entry point of that name stands for, with the distribution that has to be fixed."""
        entry = next(entry for entry in self._entries() if entry.name == name)
        return InvalidInput(
            f"the {self.kind} {name!r} of {Origin(entry)} ({self.group}: {entry.value}) cannot be used: {reason}; "
            "fix that distribution, or uninstall it"
        )

    def _entries(self) -> list[metadata.EntryPoint]:
        return list(declared(self.group))

    def _loaded(self, entry: metadata.EntryPoint) -> Any:
        try:
            return entry.load()
        except XdrError:
            raise
        except (Exception, SystemExit) as error:
            if Origin(entry).is_own:
                raise
            raise self.broken(entry.name, f"{type(error).__name__}: {error}") from error
