"""``xdr data pack``: all that a track and some cards need, in one folder that can be carried to a machine without a network."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from harness import progress
from harness.adapters.card import LoadedCard, load_card
from harness.adapters.consent import NOTHING, Consent
from harness.adapters.contract import Pin, inputs_of, rows_of
from harness.collections.storage.pinned import files_noted, verified_path
from harness.dense.hub_cache import copy_folder, snapshot_place
from harness.dense.model_places import model_folder
from harness.errors import Finding, InvalidInput, XdrError
from harness.files.writing import atomic_write, sha256_of_file
from harness.tracks import Part, Track


@dataclass(frozen=True)
class Packed:
    """``files``: paths below the folder; ``beside``: what lies beside the cards, which whoever carries them takes along.

    ``below``: cards that were not asked for, but have to be run before those that were.
    """

    files: tuple[str, ...]
    size_bytes: int
    beside: tuple[Path, ...]
    below: tuple[str, ...] = ()


def pack(track: Track, cards: Iterable[LoadedCard], folder: Path, consent: Consent = NOTHING) -> Packed:
    """Copy what the track's collections and the cards' models and texts are read from; what is not here is fetched first.

    So are those of the rows that a card stands on: of ``cards`` the one of that name, else the one that ships. A file that is
    there already, whole, is not copied again. Raises ``InvalidInput`` with all that cannot be had.
    """
    troubles: list[Finding] = []
    names: set[str] = set()
    snapshots: set[tuple[str, str]] = set()
    beside: set[Path] = set()
    with progress.task(f"read the collections of {track.name}", len(track.parts), "parts") as advance:
        for part in track.parts:
            names |= _files_of(part, troubles)
            advance(1)
    asked = {card.card.name: card for card in cards}
    inputs, below = _inputs(asked, consent, troubles)
    for own in inputs:
        for place in own.values():
            if isinstance(place, Pin):
                names.update(place.files)
                snapshots |= {(place.repository, place.digest)} if place.repository else set()
                beside |= {place.place} if place.place else set()
            elif not _is_ours(place):
                beside.add(place)
    paths = list(_had(names, snapshots, troubles))
    if troubles:
        raise InvalidInput(f"nothing was packed for track {track.name}", troubles)
    for source, place in paths:
        _copy(source, folder / place)
    size = sum(file.stat().st_size for _, place in paths for file in _files(folder / place))
    return Packed(tuple(sorted(place.as_posix() for _, place in paths)), size, tuple(sorted(beside)), below)


def _inputs(
    asked: Mapping[str, LoadedCard], consent: Consent, troubles: list[Finding]
) -> tuple[list[Mapping[str, Path | Pin]], tuple[str, ...]]:
    """What each card and each row below it reads, and the names of the rows that were not asked for, in that order."""
    known = dict(asked)
    waiting, found = list(asked), list[Mapping[str, Path | Pin]]()
    while waiting:
        name = waiting.pop(0)
        try:
            system = known[name].system(consent)
            found.append(inputs_of(system))
            for row in rows_of(system):
                if row not in known:
                    known[row] = load_card(row)
                    waiting.append(row)
        except XdrError as error:
            troubles.append(Finding("error", name, str(error)))
    return found, tuple(name for name in known if name not in asked)


def _files_of(part: Part, troubles: list[Finding]) -> set[str]:
    """The pinned files that a part's passages, questions, judgements and answers are read from."""
    with files_noted() as names:
        try:
            collection = part.collection
            _ = collection.docs, collection.queries, collection.qrels, collection.answers
        except XdrError as error:
            troubles.append(Finding("error", f"part {part.name}", str(error)))
    return names


def _had(
    names: Iterable[str], snapshots: Iterable[tuple[str, str]], troubles: list[Finding]
) -> Iterator[tuple[Path, Path]]:
    """Each file or folder on this machine, with its place in the folder that is packed."""
    for name in sorted(names):
        try:
            yield verified_path(name), Path(name)
        except XdrError as error:
            troubles.append(Finding("error", name, str(error)))
    for repository, revision in sorted(snapshots):
        try:
            yield model_folder(repository, revision, Path("/")), Path("hub") / snapshot_place(repository, revision)
        except XdrError as error:
            troubles.append(Finding("error", repository, str(error)))


def _is_ours(place: Path) -> bool:
    """Whether it lies in this package, which is on the other machine as well."""
    homes = [Path(str(resources.files(name))).resolve() for name in ("harness", "systems")]
    return any(place.resolve().is_relative_to(home) for home in homes)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        copy_folder(source, target)
        return
    size = source.stat().st_size
    if target.is_file() and target.stat().st_size == size and sha256_of_file(target) == sha256_of_file(source):
        return
    with (
        source.open("rb") as reader,
        atomic_write(target) as writer,
        progress.task(f"copy {target.name}", size, "bytes"),
    ):
        shutil.copyfileobj(reader, writer, 1 << 20)


def _files(place: Path) -> Iterator[Path]:
    yield from (path for path in (place.rglob("*") if place.is_dir() else [place]) if path.is_file())
