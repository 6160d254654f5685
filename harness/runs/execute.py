"""A system and a track in, a run and its manifest out; what a killed run had finished is not done again."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from harness.adapters.card import LoadedCard
from harness.adapters.contract import Context, Record, Request
from harness.adapters.process_state import put_back, seed_everything
from harness.adapters.requirements import installed_versions
from harness.adapters.source_files import own_files
from harness.collections.view import Collection
from harness.compute.kept_results import drop_results
from harness.compute.platform import PeakMemory, describe, git_state
from harness.errors import Finding, InvalidInput
from harness.files.package import package_root
from harness.files.writing import exclusive, gzip_bytes, write_together
from harness.files.yaml_records import without_absolute_paths
from harness.records import Ranking
from harness.runs.identity import input_digests
from harness.runs.journal import Journal
from harness.runs.manifest import (
    SCHEMA_VERSION,
    Implementation,
    Manifest,
    Method,
    PartRecord,
    TrackRecord,
    manifest_bytes,
    write_manifest,
)
from harness.runs.prepared import Group, Made, Prepared, prepared
from harness.runs.provenance import Execution, Git, Platform, execution_of
from harness.runs.recorded import Recorded
from harness.runs.track_runs import TrackRuns
from harness.runs.trec import format_run, without_own_document
from harness.tracks import Part, Track


@dataclass(frozen=True)
class Outcome:
    """Where the run lies, and whether it was there already or how many of its rankings were resumed.

    ``edited``: keys of the card that were brought up to date in a recorded run. ``notes``: what its manifest notes of how it
    was made, such as texts that were cut, and queries without a ranking.
    """

    folder: Path
    reused: bool
    resumed: int
    queries: int
    edited: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


Replacing = Literal["nothing", "another", "anything"]
"""Which recorded run a new one may replace: none, one that is another run, or even the very same one."""


def run_system(
    runs: TrackRuns, loaded: LoadedCard, context: Context, *, strict: bool = False, replacing: Replacing = "nothing"
) -> Outcome:
    """Make a card's system and run it on a track; see ``run_prepared``."""
    return run_prepared(prepared(runs, loaded, context), context, strict=strict, replacing=replacing)


def run_prepared(run: Prepared, context: Context, *, strict: bool = False, replacing: Replacing = "nothing") -> Outcome:
    """Run a system on a track, unless the recorded run is that run already.

    Where only the card's prose has changed since, the recorded card is brought up to date and nothing is run. With ``strict``
    a recorded run counts only if the library versions, all source files and the device are those of today, too.

    Raises ``InvalidInput`` that names what differs when another run is recorded that may not be replaced, or what keeps it
    from standing on the rows that it names.
    """
    run = run.now()
    recorded = run.recorded()
    another = recorded.why_another(strict)
    if recorded.is_anything and replacing != "anything":
        if another or recorded.edited:
            run.check_not_withdrawn()
        if not another:
            rewrite_card(run, recorded)
            return Outcome(run.folder, reused=True, resumed=0, queries=run.queries, edited=recorded.edited)
        if replacing == "nothing":
            raise another_run(run, another)
    run.check_not_withdrawn()
    run.check_rows()
    made = run.ready()

    with exclusive(run.work / "lock"):
        # What one system noted must not stand in the manifest of the next one.
        own = replace(context, work=run.work, record=Record())
        if requires := run.loaded.card.requires:
            own.record.facts["requires"] = installed_versions(requires)
        if run.remarks:
            own.record.note(*run.remarks)
        memory = PeakMemory()
        groups = run.groups()
        journals = [run.journal(group) for group in groups]
        resumed = 0
        seed_everything(context.seed)
        with put_back() if made.adapter.modules is not None else contextlib.nullcontext():
            for group, path in zip(groups, journals, strict=True):
                resumed += _search(run.name, made, run.request(group), own, path)
        texts: dict[str, bytes] = {}
        unanswered: list[str] = []
        for group, path in zip(groups, journals, strict=True):
            made_of_group, without = _texts_of(group, path, run)
            texts |= made_of_group
            unanswered += without
        manifest = _manifest(run, made, _execution(own, memory), texts)
        _record_run(run, texts, manifest)
        drop_results(run.work)
        for path in journals:
            path.unlink()
    notes = (*manifest.notes, *_of_unanswered(unanswered, run.queries))
    return Outcome(run.folder, reused=False, resumed=resumed, queries=run.queries, notes=notes)


def another_run(run: Prepared, reasons: Iterable[str]) -> InvalidInput:
    """What to say where a recorded run would have to be replaced, and nobody asked for that."""
    findings = [Finding("error", run.name, reason) for reason in reasons]
    return InvalidInput(
        f"{run.folder} holds another run than the one that would be made now; nothing was run", findings
    )


def rewrite_card(run: Prepared, recorded: Recorded) -> None:
    """Bring the recorded card up to date where its prose has changed; the run, which does not depend on it, stays."""
    if recorded.manifest is None or not recorded.edited:
        return
    with run.at.writing() as folder:
        write_manifest(folder, recorded.manifest.model_copy(update={"method": Method(card=run.today.card)}))


def _manifest(run: Prepared, made: Made, execution: Execution, texts: Mapping[str, bytes]) -> Manifest:
    identity = run.today.identity
    # Both taken again: what was fetched for the run, or loaded by a name that only the run knew, was not known before.
    inputs, sources = input_digests(made.system), made.adapter.sources()
    return Manifest(
        schema_version=SCHEMA_VERSION,
        tag=run.name,
        track=track_record(run.track),
        method=Method(card=run.today.card),
        data={
            part.name: part_record(part, run.collections[part.name], texts[part.name], identity.parts[part.name].rows)
            for part in run.parts
        },
        implementation=Implementation(
            versions=identity.versions,
            inputs={name: digest for name, digest in inputs.items() if digest is not None},
            files=own_files(sources),
            git=Git(**git_state(package_root())),
            source=sources,
        ),
        platform=Platform.model_validate(describe()),
        execution=execution,
    )


def track_record(track: Track) -> TrackRecord:
    """What manifests say of the track."""
    return TrackRecord(
        name=track.name,
        version=track.version,
        depth=track.depth,
        measures=track.measures,
        parts=tuple(part.name for part in track.parts),
        exclude_own_document=track.exclude_own_document,
    )


def _search(name: str, made: Made, request: Request, context: Context, path: Path) -> int:
    """Let the system rank what the journal does not hold yet; returns how many rankings it held already."""
    with Journal(path) as journal:
        finished = frozenset(ranking.query_id for ranking in journal.read())
        # A search whose rankings are all recorded is begun all the same: it notes what the manifest says about it.
        own = replace(context, finished=finished)
        for ranking in searched(name, made, request, own):
            journal.append(ranking)
        journal.sync()
    return len(finished)


def searched(name: str, made: Made, request: Request, context: Context) -> Iterator[Ranking]:
    """What a system that is prepared first ranks for a request, held against the contract as it comes.

    Rankings of queries that ``context.finished`` names are left out. Raises ``InvalidInput`` that names system and query.
    """
    prepare: Callable[..., None] | None = getattr(made.system, "prepare", None)
    if prepare is not None:
        with made.adapter.guarded(f"system {name}"):
            prepare(request.docs, context)
    wanted, finished = {query.query_id for query in request.queries}, context.finished
    with context.progress.task(f"{name}: rankings", len(wanted), "queries", done=len(finished)) as advance:
        for ranking in _checked(_rankings(name, made, request, context), request, wanted, name):
            if ranking.query_id not in finished:
                yield ranking
                advance(1)


def _rankings(name: str, made: Made, request: Request, context: Context) -> Iterator[Ranking]:
    """What the system gives, one after the other, so that errors of its code are known from ours."""
    where = f"system {name}"
    with made.adapter.guarded(where):
        rankings = iter(made.system.search(request, context))
    while True:
        with made.adapter.guarded(where):
            ranking = next(rankings, None)
            if ranking is None:
                return
        yield ranking


def _checked(rankings: Iterable[Ranking], request: Request, wanted: set[str], name: str) -> Iterator[Ranking]:
    """Hold every ranking against the contract. Raises ``InvalidInput`` that names the system and the query."""
    seen: set[str] = set()
    for ranking in rankings:
        if not isinstance(ranking, Ranking):
            raise InvalidInput(f"system {name} gave a {type(ranking).__name__} where the contract asks for a Ranking")
        scores = np.asarray(ranking.scores)
        fault = ""
        if ranking.query_id not in wanted:
            fault = "the request has no such query"
        elif ranking.query_id in seen:
            fault = "a second ranking of this query"
        elif scores.ndim != 1 or (len(scores) and scores.dtype.kind not in "fiu"):
            fault = "the scores are not a row of numbers"
        elif len(ranking.doc_ids) != len(scores):
            fault = f"{len(ranking.doc_ids)} doc ids, but {len(scores)} scores"
        elif len(ranking.doc_ids) > request.depth:
            fault = f"{len(ranking.doc_ids)} documents, but the depth is {request.depth}"
        elif len(set(ranking.doc_ids)) < len(ranking.doc_ids):
            fault = "a document is a duplicate"
        elif not (np.abs(scores.astype(np.float64)) <= np.finfo(np.float32).max).all():
            fault = "a score is not a finite 32-bit number"
        elif strangers := [doc_id for doc_id in ranking.doc_ids if doc_id not in request.docs]:
            fault = f"the collection has no document {strangers[0]!r}"
        if fault:
            raise InvalidInput(f"system {name}, query {ranking.query_id}: {fault}")
        seen.add(ranking.query_id)
        yield ranking


def _record_run(run: Prepared, texts: Mapping[str, bytes], manifest: Manifest) -> None:
    """Replace what is recorded, the manifest last; another process that does the same waits."""
    files = [(run.at.run_file(name), gzip_bytes(text)) for name, text in texts.items()]
    with run.at.writing():
        write_together([*files, (run.at.manifest_file, manifest_bytes(manifest))])


def _texts_of(group: Group, journal: Path, run: Prepared) -> tuple[dict[str, bytes], list[str]]:
    """By part, its run file before compression; and the queries, as part/query, for which nothing was found."""
    found = {ranking.query_id: ranking for ranking in Journal(journal).read()}
    texts, without = {}, []
    for part, collection in group.parts:
        rankings = []
        for query in collection.queries:
            ranking = found.get(f"{part.name}/{query.query_id}")
            if ranking is not None:
                ranking = ranking._replace(query_id=query.query_id)
                ranking = without_own_document(ranking, run.track.depth) if run.track.exclude_own_document else ranking
            if ranking is not None and len(ranking.doc_ids):
                rankings.append(ranking)
            else:
                without.append(f"{part.name}/{query.query_id}")
        texts[part.name] = "".join(format_run(rankings, run.name)).encode()
    return texts, without


def _of_unanswered(unanswered: Sequence[str], queries: int) -> list[str]:
    if not unanswered:
        return []
    return [f"no ranking for {len(unanswered)} of {queries} queries (first: {unanswered[0]}); they score 0"]


def part_record(
    part: Part, collection: Collection, text: bytes, rows: Mapping[str, str | None] | None = None
) -> PartRecord:
    """What the manifest says of a part whose run file, uncompressed, is ``text``; ``rows``: digests of what it stands on."""
    digests = collection.digests
    return PartRecord(
        dataset=str(without_absolute_paths(part.dataset)),
        lang=part.lang,
        docs=digests.docs,
        queries=digests.queries,
        query_count=len(collection.queries),
        ranking=hashlib.sha256(text).hexdigest(),
        rows={name: digest for name, digest in (rows or {}).items() if digest},
    )


def _execution(context: Context, memory: PeakMemory) -> Execution:
    noted = context.record
    return execution_of(noted.facts, noted.stages, context.seed, context.workers, memory.bytes())
