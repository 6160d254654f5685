"""What differs between the manifests of two runs, the likeliest cause of different rankings first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.config import Record
from harness.manifest import Manifest

ABSENT = None
"""Stands for a field that one of the manifests does not have."""

SUSPICION = (
    "data",
    "model files and generated text",
    "adapter source",
    "card",
    "track",
    "harness source",
    "library versions",
    "settings of the run",
    "device and processor",
    "operating system",
    "isolation",
    "commit",
)
"""Kinds of fields, from what surely moves a ranking to what hardly can."""

_NOT_COMPARED = {"stages", "peak memory bytes"}
"""Times and memory are never twice the same, and no cause of anything."""

_KIND_OF_EXECUTION = {
    "device": "device and processor",
    "isolation": "isolation",
    "provenance": "isolation",
    "engine": "operating system",
    "workers": "operating system",
}


class Change(Record):
    """One field of the manifest, its name dotted, with its value in either run; null where a run lacks it."""

    kind: str
    field: str
    recorded: Any
    now: Any


def changes_between(recorded: Manifest, now: Manifest) -> tuple[Change, ...]:
    """All fields that differ, in order of suspicion, and by name within a kind. Rankings are results, so not among them."""
    one, two = dict(_fields(recorded)), dict(_fields(now))
    found = [
        Change(kind=kind, field=field, recorded=one.get((kind, field), ABSENT), now=two.get((kind, field), ABSENT))
        for kind, field in one.keys() | two.keys()
        if one.get((kind, field), ABSENT) != two.get((kind, field), ABSENT)
    ]
    return tuple(sorted(found, key=lambda change: (SUSPICION.index(change.kind), change.field)))


def _fields(manifest: Manifest) -> Iterator[tuple[tuple[str, str], Any]]:
    for part, record in manifest.data.items():
        for name, value in record.model_dump(exclude={"ranking"}).items():
            yield ("data", f"{part}.{name}"), value
    for name, value in manifest.implementation.get("inputs", {}).items():
        yield ("model files and generated text", name), value
    for name, value in manifest.implementation.get("source", {}).items():
        yield ("harness source" if name.startswith("harness/") else "adapter source", name), value
    for name, value in _leaves(manifest.card):
        yield ("card", name), value
    for name, value in _leaves(manifest.track):
        yield ("track", name), value
    software = manifest.platform.get("software", {})
    yield ("library versions", "python"), software.get("python", ABSENT)
    for name, value in software.get("libraries", {}).items():
        yield ("library versions", name), value
    for name, value in manifest.execution.items():
        if name not in _NOT_COMPARED:
            yield (_KIND_OF_EXECUTION.get(name, "settings of the run"), name), value
    for name, value in _leaves(manifest.platform.get("hardware", {})):
        yield ("device and processor", name), value
    for name, value in _leaves(manifest.platform.get("operating system", {})):
        yield ("operating system", name), value
    for name, value in manifest.implementation.get("git", {}).items():
        yield ("commit", name), value


def _leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def described(changes: tuple[Change, ...], shown: int = 3) -> list[str]:
    """One line for every kind that has changes, naming the first of them with their values."""
    lines = []
    for kind in SUSPICION:
        own = [change for change in changes if change.kind == kind]
        if own:
            words = [f"{change.field}: {_short(change.recorded)} -> {_short(change.now)}" for change in own[:shown]]
            more = [f"and {len(own) - shown} more"] if len(own) > shown else []
            lines.append(f"{kind}: {'; '.join(words + more)}")
    return lines


def _short(value: Any) -> str:
    text = "none" if value is ABSENT else str(value)
    is_digest = len(text) in (40, 64) and not text.strip("0123456789abcdef")
    return text[:12] if is_digest else text if len(text) <= 60 else text[:57] + "..."
