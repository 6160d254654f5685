"""A card and a track as a run that could be made: system, data, and all that the run depends on. Nothing is computed."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.adapters.card import Card, LoadedCard
from harness.adapters.contract import Context, Request, System, check_system, rows_of
from harness.adapters.loading import Adapter
from harness.collections.view import Collection
from harness.compute.platform import describe
from harness.errors import InvalidInput, WrongUsage, XdrError
from harness.files.yaml_records import digest_of, without_absolute_paths
from harness.runs.identity import Identity, PartIdentity, input_digests, versions_of
from harness.runs.recorded import Recorded, Today, held_against
from harness.runs.rows import check_rows, digests_below, rankings_of
from harness.runs.run_folder import RunFolder
from harness.runs.track_runs import TrackRuns
from harness.runs.trained_for import check_trained_for
from harness.tracks import Part, Track


@dataclass(frozen=True)
class Made:
    """A system with the adapter that made it, and the digests of those files by which a foreign one is identified."""

    adapter: Adapter
    system: System
    files: Mapping[str, str]


@dataclass(frozen=True)
class Prepared:
    """A system and a track, with all that a run depends on, before anything is computed or written.

    ``trouble``: why the system cannot be made here; a recorded run is shown all the same. ``rows``: the runs of other rows that
    it stands on, which need not be there yet. ``remarks``: what a reader of the run should know of its models' training.
    """

    loaded: LoadedCard
    trouble: XdrError | None
    made: Made | None
    parts: tuple[Part, ...]
    today: Today
    at: RunFolder
    home: Path
    rows: tuple[RunFolder, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.at.name

    @property
    def track(self) -> Track:
        return self.at.track

    @property
    def folder(self) -> Path:
        return self.at.path

    @functools.cached_property
    def work(self) -> Path:
        """Where it is made, and what a killed run leaves lies: what was ranked for another run is not gone on from."""
        key = digest_of([self.today.identity.model_dump(mode="json"), self.today.environment()])
        return self.home / self.track.name / f"{self.name}-{key[:16]}"

    @functools.cached_property
    def collections(self) -> Mapping[str, Collection]:
        return {part.name: part.collection for part in self.parts}

    def ready(self) -> Made:
        """The system, which misses nothing. Raises ``InvalidInput`` or ``WrongUsage`` where it cannot search here."""
        if self.made is None:
            raise self.trouble or InvalidInput(f"system {self.name} cannot be made")
        with self.made.adapter.guarded(f"system {self.name}"):
            check_system(self.made.system)
        return self.made

    @property
    def queries(self) -> int:
        return sum(len(collection.queries) for collection in self.collections.values())

    def recorded(self) -> Recorded:
        return held_against(self.at, self.today)

    def check_not_withdrawn(self) -> None:
        if withdrawal := self.at.withdrawal:
            raise WrongUsage(
                f"{self.folder} was withdrawn on {withdrawal.date} and stays as it is; a corrected system is a new row: "
                "give its card another name"
            )

    def check_rows(self, expected: frozenset[str] = frozenset()) -> None:
        """Raise ``InvalidInput`` where rows below cannot be read; ``expected``: names of those that are made before it."""
        check_rows(self.name, self.rows, [part.name for part in self.parts], expected)

    def now(self) -> Prepared:
        """The same, with the rows that it stands on as they are recorded now: they may have been made since."""
        if not self.rows:
            return self
        identity = self.today.identity
        parts = {
            name: part.model_copy(update={"rows": digests_below(self.rows, name)})
            for name, part in identity.parts.items()
        }
        today = replace(self.today, identity=identity.model_copy(update={"parts": parts}))
        return replace(self, today=today)

    def request(self, group: Group) -> Request:
        """What the system is asked for, with what the rows that it stands on have found."""
        request = group.request(request_depth(self.track))
        parts = [part.name for part, _ in group.parts]
        return replace(request, rows={row.name: rankings_of(row, parts) for row in self.rows})

    def groups(self) -> list[Group]:
        return list(_groups(self.parts, self.collections))

    def journal(self, group: Group) -> Path:
        return self.work / f"rankings-{group.docs_digest[:16]}.jsonl"


@dataclass(frozen=True)
class Group:
    """Parts that share their passages, so that one request serves them all."""

    docs_digest: str
    parts: tuple[tuple[Part, Collection], ...]

    def request(self, depth: int) -> Request:
        queries = tuple(
            query._replace(query_id=f"{part.name}/{query.query_id}", lang=query.lang or part.lang)
            for part, collection in self.parts
            for query in collection.queries
        )
        return Request(self.parts[0][1].docs, queries, depth)


def request_depth(track: Track) -> int:
    """What a system is asked for: one passage more where the question's own may be among them, and is left out then."""
    return track.depth + track.exclude_own_document


def recorded_card(card: Card) -> Card:
    """A card as manifests have it: what it says itself, and nothing of the machine that it lies on."""
    return Card.model_validate(without_absolute_paths(card.model_dump(mode="json", exclude_defaults=True)))


def prepared(runs: TrackRuns, loaded: LoadedCard, context: Context) -> Prepared:
    """The one making of a card's system in a command: what is done with it afterwards is done with what this returns.

    Raises ``WrongUsage`` where the system serves none of the track's languages, ``InvalidInput`` where data are missing."""
    track, card = runs.track, loaded.card
    parts = tuple(part for part in track.parts if card.serves(part.lang))
    if not parts:
        raise WrongUsage(f"{card.name} serves none of the languages of track {track.name}; see `languages` in its card")
    made, trouble = _made(loaded, context)
    remarks = _checked_training(card, made, parts)
    rows = tuple(runs.row(name) for name in _rows(card.name, made))
    identity = Identity(
        adapter=card.adapter,
        versions=made and versions_of(made.system),
        parameters=without_absolute_paths(card.model_dump(mode="json")["parameters"]),
        inputs=made and _input_digests(card.name, made),
        files=made and made.files,
        parts={part.name: _part_identity(part, rows) for part in parts},
        depth=track.depth,
        seed=context.seed,
        exclude_own_document=track.exclude_own_document,
    )

    @functools.cache
    def environment() -> dict[str, Any]:
        sources = made.adapter.sources() if made else {}
        return {"source": sources, "software": describe()["software"], "device": context.device}

    modules = made.adapter.modules if made else None
    today = Today(identity, recorded_card(card), environment, modules.digest_of if modules else None)
    return Prepared(
        loaded,
        trouble,
        made,
        parts,
        today,
        runs.run(card.name),
        context.work,
        rows,
        remarks,
    )


def _rows(name: str, made: Made | None) -> tuple[str, ...]:
    if made is None:
        return ()
    with made.adapter.guarded(f"system {name}"):
        return rows_of(made.system)


def _made(loaded: LoadedCard, context: Context) -> tuple[Made | None, XdrError | None]:
    try:
        adapter = loaded.adapter(context.consent)
        system = loaded.made_by(adapter)
        return Made(adapter, system, adapter.own_files()), None
    except XdrError as error:
        return None, error


def _checked_training(card: Card, made: Made | None, parts: Sequence[Part]) -> tuple[str, ...]:
    if made is None:
        return ()
    with made.adapter.guarded(f"system {card.name}"):
        return check_trained_for(card, made.system, [part.dataset for part in parts])


def _input_digests(name: str, made: Made) -> dict[str, str | None]:
    with made.adapter.guarded(f"system {name}"):
        return input_digests(made.system)


def _part_identity(part: Part, rows: Sequence[RunFolder]) -> PartIdentity:
    digests = part.collection.digests
    below = digests_below(rows, part.name)
    return PartIdentity(lang=part.lang, docs=digests.docs, queries=digests.queries, rows=below)


def _groups(parts: Sequence[Part], collections: Mapping[str, Collection]) -> Iterator[Group]:
    by_docs: dict[str, list[tuple[Part, Collection]]] = {}
    for part in parts:
        by_docs.setdefault(collections[part.name].docs.digest, []).append((part, collections[part.name]))
    for digest, members in by_docs.items():
        yield Group(digest, tuple(members))
