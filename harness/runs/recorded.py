"""What lies in a run's folder, held against the run that a card would make there today."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.adapters.card import Card
from harness.errors import InvalidInput, WrongUsage
from harness.files.two_values import in_words, leaves
from harness.runs.identity import Identity, PartIdentity, compared, identity_of
from harness.runs.manifest import Manifest, check_no_links
from harness.runs.run_folder import RunFolder
from harness.tracks import Track


@dataclass(frozen=True)
class Recorded:
    """What is recorded, and how it differs from what would be run now.

    ``faults``: why the files are no run in order. ``differences``: what makes it another run. ``environment`` finds other
    sources, libraries and devices. ``edited``: keys of the card whose prose has changed since. ``untold``: inputs and runs
    below it that are not on this machine, so that nobody can tell whether they are those of the run. ``lacking``: by part that
    the run does not have in the form that the track has it now, why.
    """

    manifest: Manifest | None = None
    faults: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    environment: Callable[[], Iterable[str]] = tuple
    edited: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()
    lacking: tuple[tuple[str, str], ...] = ()

    @property
    def is_anything(self) -> bool:
        return self.manifest is not None or bool(self.faults)

    def why_another(self, strict: bool) -> tuple[str, ...]:
        """Why the recorded run is not the one that would be made; empty where it is."""
        return self.faults or (*self.differences, *(self.environment() if strict else ()))


@dataclass(frozen=True)
class Today:
    """What would be recorded: the run's identity, the card as manifests have it, and the evidence, which takes a while.

    ``file_digest``: of a file of the adapter's own by its name, empty where there is none; for those that it loads by a
    name which only a run knows.
    """

    identity: Identity
    card: Card
    environment: Callable[[], Mapping[str, Any]]
    file_digest: Callable[[str], str] | None = None

    def beside(self, recorded: Identity) -> Identity:
        """The identity, with the adapter's files that only the recorded run could tell of."""
        files, known = recorded.files or {}, self.identity.files
        if self.file_digest is None or known is None:
            return self.identity
        further = {name: digest for name in files if name not in known and (digest := self.file_digest(name))}
        return self.identity.model_copy(update={"files": known | further})


def held_against(run: RunFolder, today: Today) -> Recorded:
    """Look at what is recorded. Raises ``InvalidInput`` when the folder holds symbolic links."""
    check_no_links(run.path)
    if not run.is_recorded:
        return Recorded()
    try:
        track, manifest = run.track, run.manifest
        run.check_files()
    except (InvalidInput, WrongUsage) as error:
        return Recorded(faults=(str(error),))
    if not manifest.is_made_here:
        return Recorded(manifest, differences=("it was submitted as finished run files",))
    recorded = identity_of(manifest)
    now = today.beside(recorded)
    if manifest.track.version != track.version:
        # What a later version asks in another way makes dashes of an older run, not another run.
        asked_before = {"depth": recorded.depth, "exclude_own_document": recorded.exclude_own_document}
        now = now.model_copy(update=asked_before)
    found = compared(recorded, now)
    lacking = run.lacking
    parts = _different_parts(track, manifest, today.identity.parts)
    return Recorded(
        manifest,
        differences=(*found.differences, *(text for name, text in parts if name not in lacking)),
        environment=lambda: _environment(manifest, today.environment()),
        edited=tuple(sorted(_edited(manifest.card, today.card))),
        untold=(*found.untold, *_rows_not_here(today.identity.parts)),
        lacking=tuple(lacking.items()),
    )


def _different_parts(track: Track, manifest: Manifest, parts: Mapping[str, PartIdentity]) -> Iterator[tuple[str, str]]:
    for name in (part.name for part in track.parts):
        one, two = manifest.data.get(name), parts.get(name)
        if one is None and two is not None:
            yield name, f"part {name}: not run"
        elif one is not None and two is None:
            yield name, f"part {name}: run, and the card does not declare its language now"
        elif one is not None and two is not None:
            for key in ("lang", "docs", "queries"):
                before, now = getattr(one, key), getattr(two, key)
                if before != now:
                    yield name, f"part {name}, {key}: {in_words(before, now)}"
            for row, digest in two.rows.items():
                if digest is not None and one.rows.get(row) != digest:
                    yield name, f"part {name}, the run of {row}: {in_words(one.rows.get(row), digest or 'not run')}"


def _rows_not_here(parts: Mapping[str, PartIdentity]) -> Iterator[str]:
    names = (row for part in parts.values() for row, digest in part.rows.items() if digest is None)
    yield from (f"the run of {row}" for row in dict.fromkeys(names))


def _environment(manifest: Manifest, today: Mapping[str, Any]) -> Iterator[str]:
    recorded = {
        "source": manifest.implementation.source,
        "software": manifest.platform.software.model_dump(by_alias=True),
        "device": manifest.execution.device,
    }
    one, two = dict(leaves(recorded)), dict(leaves(today))
    for name in sorted(one.keys() | two.keys()):
        if one.get(name) != two.get(name) and not (name == "device" and two.get(name) == "auto"):
            yield f"{name}: {in_words(one.get(name), two.get(name))}"


def _edited(recorded: Card, today: Card) -> list[str]:
    return [name for name in Card.model_fields if getattr(recorded, name) != getattr(today, name)]
