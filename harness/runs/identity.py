"""What identifies a run: all that its rankings depend on, by declared versions and by digests, never by anybody's prose.

The same record is told of a recorded run, from its manifest, and of the run that a card, a track and this installation would
make; two runs are one where these records agree. Sources, library versions and the device are evidence: they stand in the
manifest, and nobody runs a night of work again for a comment in one of our files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import Field

from harness.adapters.contract import Pin, inputs_of
from harness.files.toml_records import Record
from harness.files.two_values import PINNED, in_words, leaves
from harness.files.writing import sha256_of_tree
from harness.files.yaml_records import without_absolute_paths
from harness.runs.manifest import Manifest


class PartIdentity(Record):
    """What was asked in one part: the digests of passages and questions, and the language that questions are taken for.

    ``rows``: digests of the rankings that the system stands on, by row; null where a row has no run yet.
    """

    lang: str
    docs: str
    queries: str
    rows: dict[str, str | None] = Field(default_factory=dict)


class Identity(Record):
    """``versions``: of the adapter and of what it declares to use. ``files``: digests of the adapter's own files, where it is
    none of this project's. ``inputs``: digests of model files and generated texts, or of their pins; null where one is not on
    this machine. ``seed``: null where nothing was run.

    ``versions`` are null in a run recorded before adapters had any, and so is all that only the adapter can say, where it
    cannot be loaded.
    """

    adapter: str
    versions: dict[str, int] | None
    parameters: dict[str, Any]
    inputs: dict[str, str | None] | None
    files: dict[str, str] | None
    parts: dict[str, PartIdentity]
    depth: int
    seed: int | None
    exclude_own_document: bool = False


class Compared(NamedTuple):
    """Fields that make two runs different, in words; and inputs that cannot be compared, since they are not here."""

    differences: tuple[str, ...]
    untold: tuple[str, ...]


def identity_of(manifest: Manifest) -> Identity:
    """That of a recorded run."""
    made = manifest.implementation
    return Identity(
        adapter=manifest.card.adapter,
        versions=made.versions,
        parameters=dict(manifest.card.parameters),
        inputs=dict(made.inputs),
        files=made.files,
        parts={
            name: PartIdentity(lang=p.lang, docs=p.docs, queries=p.queries, rows=dict(p.rows))
            for name, p in manifest.data.items()
        },
        depth=manifest.track.depth,
        seed=manifest.execution.seed,
        exclude_own_document=manifest.track.exclude_own_document,
    )


def versions_of(system: object) -> dict[str, int]:
    """The versions that an adapter declares: its own, 0 where it has none, and those of what it uses."""
    return {"adapter": getattr(system, "version", 0), **getattr(system, "versions", {})}


def input_digests(system: object) -> dict[str, str | None]:
    """Digests of what the adapter reads beside the collection, by its names; null where one is not on this machine."""
    found: dict[str, str | None] = {}
    for name, place in sorted(inputs_of(system).items()):
        if isinstance(place, Pin):
            digest = PINNED + place.digest if place.digest else None
        else:
            digest = sha256_of_tree(place) if place.exists() else None
        found[str(without_absolute_paths(name))] = digest
    return found


def compared(recorded: Identity, now: Identity) -> Compared:
    """All but the parts, which a track may gain and lose: see ``harness.runs.recorded``."""
    single = ("adapter", "depth", "exclude_own_document", "seed")
    found = [_said(name, getattr(recorded, name), getattr(now, name)) for name in single]
    if recorded.versions is not None and now.versions is not None:
        found += _by_key("version of ", recorded.versions, now.versions)
    found += _by_key("parameters.", dict(leaves(recorded.parameters)), dict(leaves(now.parameters)))
    before, after = recorded.inputs or {}, now.inputs
    if after is None:
        untold = {*before, "adapter"}
    else:
        # Before there were pins, what had been made from a pinned file was hashed.
        untold = {k for k, v in after.items() if v is None or (v.startswith(PINNED) and recorded.versions is None)}
        found += _by_key("", *({k: v for k, v in run.items() if k not in untold} for run in (before, after)))
    # Their names hang on where the installation lies, and a file that was only moved is the same file.
    if now.files is not None and sorted((recorded.files or {}).values()) != sorted(now.files.values()):
        found += _by_key("file ", recorded.files or {}, now.files)
    return Compared(tuple(filter(None, found)), tuple(sorted(untold)))


def _by_key(prefix: str, recorded: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [_said(f"{prefix}{key}", recorded.get(key), now.get(key)) for key in sorted(recorded.keys() | now.keys())]


def _said(name: str, recorded: Any, now: Any) -> str:
    """A field that differs, in words; empty where it does not."""
    return "" if recorded == now else f"{name}: {in_words(recorded, now)}"
