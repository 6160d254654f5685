"""What differs between the manifests of two runs, the likeliest cause of different rankings first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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

_SHOWN = 60
"""Characters of a value that are printed whole."""

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
            words = [f"{change.field}: {_in_words(change)}" for change in own[:shown]]
            more = [f"and {len(own) - shown} more"] if len(own) > shown else []
            lines.append(f"{kind}: {'; '.join(words + more)}")
    return lines


def _in_words(change: Change) -> str:
    """Both values; of long ones what they do not share, since the beginnings of two long values are often the same."""
    one, two = (_text(value) for value in (change.recorded, change.now))
    if max(len(one), len(two)) <= _SHOWN:
        return f"{one} -> {two}"
    words = [text.replace(",", " ").split() for text in (one, two)]
    gone, new = (_few([w for w in own if w not in others]) for own, others in (words, words[::-1]))
    are_lists = set(words[0]) & set(words[1]) and len(max([*words[0], *words[1]], key=len)) <= _SHOWN
    if are_lists and (gone or new):
        return " and ".join([*([f"without {gone}"] if gone else []), *([f"with {new}"] if new else [])])
    start = next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    return " -> ".join(_from(text, start) for text in (one, two))


def _text(value: Any) -> str:
    text = "none" if value is ABSENT else str(value)
    is_digest = len(text) in (40, 64) and not text.strip("0123456789abcdef")
    return text[:12] if is_digest else text


def _few(words: Sequence[str]) -> str:
    """Words as far as there is room, and how many more there are."""
    kept: list[str] = []
    for word in words:
        if kept and len(" ".join([*kept, word])) > _SHOWN:
            return f"{' '.join(kept)} and {len(words) - len(kept)} more"
        kept.append(word)
    return " ".join(kept)


def _from(text: str, start: int) -> str:
    """The text around the place from which on it differs."""
    first = max(0, start - _SHOWN // 3)
    cut = text[first : first + _SHOWN]
    return ("..." if first else "") + cut + ("..." if first + _SHOWN < len(text) else "")
