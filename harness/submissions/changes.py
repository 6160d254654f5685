"""What differs between the manifests of two runs, the likeliest cause of different rankings first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import JsonValue

from harness.files.toml_records import Record
from harness.files.two_values import in_words, leaves
from harness.runs.manifest import Manifest

ABSENT = None
"""Stands for a field that one of the manifests does not have."""

SUSPICION = (
    "data",
    "model files and generated text",
    "declared versions",
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
    recorded: JsonValue
    now: JsonValue


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
    made, platform = manifest.implementation, manifest.platform.model_dump(mode="json", by_alias=True)
    software = platform["software"]
    execution = manifest.execution.model_dump(
        mode="json", by_alias=True, exclude={"stages", "notes", "peak_memory_bytes"}
    )
    settings = {**_told(execution.pop("facts")), **execution}
    tables: list[tuple[str, Mapping[str, Any]]] = [
        ("model files and generated text", made.inputs),
        ("declared versions", made.versions or {}),
        ("adapter source", {name: digest for name, digest in made.source.items() if not name.startswith("harness/")}),
        ("harness source", {name: digest for name, digest in made.source.items() if name.startswith("harness/")}),
        ("card", manifest.card.model_dump(mode="json", exclude_defaults=True)),
        ("track", manifest.track.model_dump(mode="json", exclude={"parts"})),
        ("library versions", {"python": software["python"], **software["libraries"]}),
        ("library versions", {"kernel settings": software["kernel settings"]}),
        ("device and processor", platform["hardware"]),
        ("operating system", platform["operating system"]),
        ("commit", made.git.model_dump(exclude_none=True)),
    ]
    for part, record in manifest.data.items():
        for name, value in leaves(record.model_dump(exclude={"ranking"})):
            yield ("data", f"{part}.{name}"), value
    for kind, table in tables:
        for name, value in leaves(table):
            yield (kind, name), value
    for name, value in settings.items():
        yield (_KIND_OF_EXECUTION.get(name, "settings of the run"), name), value


def _told(facts: Mapping[str, Any]) -> dict[str, Any]:
    """An adapter's facts without the seconds of a training, other ones each time: the digest tells recipes apart."""
    training = facts.get("training")
    if not isinstance(training, dict):
        return dict(facts)
    return {**facts, "training": {name: value for name, value in training.items() if name != "seconds"}}


def described(changes: tuple[Change, ...], shown: int = 3) -> list[str]:
    """One line for every kind that has changes, naming the first of them with their values."""
    lines = []
    for kind in SUSPICION:
        own = [change for change in changes if change.kind == kind]
        if own:
            words = [f"{change.field}: {in_words(change.recorded, change.now)}" for change in own[:shown]]
            more = [f"and {len(own) - shown} more"] if len(own) > shown else []
            lines.append(f"{kind}: {'; '.join(words + more)}")
    return lines
