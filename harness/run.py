"""A system and a track in, a run and its manifest out; what a killed run had finished is not done again."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.card import LoadedCard
from harness.collections.view import Collection, load
from harness.errors import InvalidInput, WrongUsage
from harness.files import (
    exclusive,
    explained_write_errors,
    folder_lock,
    gzip_bytes,
    sha256_of_tree,
    write_together,
)
from harness.journal import Journal
from harness.limits import RUN_BYTES
from harness.loading import Adapter
from harness.manifest import (
    FILE_NAME,
    SCHEMA_VERSION,
    Manifest,
    PartRecord,
    check_no_links,
    digest_of,
    manifest_bytes,
    read_manifest,
    run_file,
    without_absolute_paths,
)
from harness.platform_info import PeakMemory, describe, git_state
from harness.process_state import put_back, seed_everything
from harness.reading import read_bytes
from harness.records import Ranking
from harness.requirements import installed_versions
from harness.runs import format_run
from harness.sources import package_root
from harness.system import Context, Record, Request, System, inputs_of
from harness.tracks import Part, Track
from harness.withdrawal import read_withdrawal


@dataclass(frozen=True)
class Outcome:
    """Where the run lies, and whether it was there already or how many of its rankings were resumed."""

    folder: Path
    reused: bool
    resumed: int
    queries: int


@dataclass(frozen=True)
class Prepared:
    """A system and a track, with all that a run depends on, before anything is computed or written."""

    adapter: Adapter
    system: System
    name: str
    parts: tuple[Part, ...]
    collections: Mapping[str, Collection]
    sources: Mapping[str, str]
    files: Mapping[str, str]
    keys: Mapping[str, str]
    folder: Path
    work: Path

    def is_there(self, strict: bool) -> bool:
        """Whether the recorded run is this one; see ``run_system``."""
        check_no_links(self.folder)
        keys = self.keys if strict else {"inputs": self.keys["inputs"]}
        return is_recorded(self.folder, keys) and self._further_sources_are_those_recorded()

    def _further_sources_are_those_recorded(self) -> bool:
        """Of own modules that were loaded by a name which only the run itself knew."""
        if (modules := self.adapter.modules) is None:
            return True
        recorded: Mapping[str, str] = read_manifest(self.folder).implementation["source"]
        return all(modules.digest_of(name) == digest for name, digest in recorded.items() if name not in self.sources)

    def check_not_withdrawn(self) -> None:
        if withdrawal := read_withdrawal(self.folder):
            raise WrongUsage(
                f"{self.folder} was withdrawn on {withdrawal.date} and stays as it is; a corrected system is a new row: "
                "give its card another name"
            )

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


def run_folder(runs: Path, track: Track, system_name: str) -> Path:
    return runs / track.name / system_name


def run_system(track: Track, loaded: LoadedCard, runs: Path, context: Context, *, strict: bool = True) -> Outcome:
    """Run a system on a track, unless the recorded run is that run already.

    With ``strict`` a recorded run counts only if the library versions and all source files are those of today, too;
    without, it counts if its inputs are: card, data, depth, model files, the adapter's own source files.
    """
    card = loaded.card
    run = prepared(track, loaded, runs, context)
    parts, collections, folder = run.parts, run.collections, run.folder
    if run.is_there(strict):
        return Outcome(folder, reused=True, resumed=0, queries=sum(len(c.queries) for c in collections.values()))
    run.check_not_withdrawn()

    with exclusive(run.work / "lock"):
        # What one system noted must not stand in the manifest of the next one.
        own = replace(context, work=run.work, record=Record())
        if card.requires:
            own.record.facts["requires"] = installed_versions(card.requires)
        memory = PeakMemory()
        groups = run.groups()
        journals = [run.journal(group) for group in groups]
        resumed = 0
        seed_everything(context.seed)
        with put_back() if run.adapter.modules is not None else contextlib.nullcontext():
            for group, path in zip(groups, journals, strict=True):
                resumed += _search(run, group.request(track.depth), own, path)
        texts: dict[str, bytes] = {}
        for group, path in zip(groups, journals, strict=True):
            texts |= _texts_of(group, path, card.name)
        records = {part.name: part_record(part, collections[part.name], texts[part.name]) for part in parts}
        manifest = Manifest(
            schema_version=SCHEMA_VERSION,
            tag=card.name,
            track={"name": track.name, "version": track.version, "depth": track.depth},
            method={"card": without_absolute_paths(card.model_dump(mode="json", exclude_defaults=True))},
            data=records,
            implementation={
                "git": git_state(package_root()),
                "source": run.adapter.sources(),
                "inputs": {without_absolute_paths(name): digest for name, digest in run.files.items()},
            },
            platform=describe(),
            execution=_execution(own, memory),
            reuse=run.keys,
        )
        _record_run(folder, texts, manifest)
        for path in journals:
            path.unlink()
    return Outcome(folder, reused=False, resumed=resumed, queries=sum(r.query_count for r in records.values()))


def prepared(track: Track, loaded: LoadedCard, runs: Path, context: Context) -> Prepared:
    """Raises ``WrongUsage`` where the system serves none of the track's languages, ``InvalidInput`` where data are missing."""
    card = loaded.card
    parts = tuple(part for part in track.parts if card.serves(part.lang))
    if not parts:
        raise WrongUsage(f"{card.name} serves none of the languages of track {track.name}; see `languages` in its card")
    collections = {part.name: load(part.dataset_id) for part in parts}
    adapter = loaded.adapter(context.consent)
    system = loaded.made_by(adapter)
    sources = adapter.sources()
    with adapter.guarded(f"system {card.name}"):
        files = {name: sha256_of_tree(path) for name, path in sorted(inputs_of(system).items())}
    keys = _reuse_keys(track, loaded, collections, sources, files, context)
    work = context.work / track.name / f"{card.name}-{digest_of(keys)[:16]}"
    return Prepared(
        adapter, system, card.name, parts, collections, sources, files, keys, run_folder(runs, track, card.name), work
    )


def is_recorded(folder: Path, keys: Mapping[str, str]) -> bool:
    """Whether the folder holds a complete run with these digests, its files being those that the manifest describes."""
    try:
        manifest = read_manifest(folder)
        return all(manifest.reuse.get(name) == key for name, key in keys.items()) and all(
            hashlib.sha256(read_bytes(run_file(folder, part), RUN_BYTES)).hexdigest() == record.ranking
            for part, record in manifest.data.items()
        )
    except (InvalidInput, WrongUsage):
        return False


def _reuse_keys(
    track: Track,
    loaded: LoadedCard,
    collections: Mapping[str, Collection],
    sources: Mapping[str, str],
    files: Mapping[str, str],
    context: Context,
) -> dict[str, str]:
    own_sources = {
        name: digest for name, digest in sources.items() if not name.startswith("harness/") or "/dense/" in name
    }
    # A key that cards have gained since counts only where it is filled, so that the runs of older cards stay theirs.
    gained = {name for name in ("bibtex", "requires") if not getattr(loaded.card, name)}
    inputs = {
        "card": loaded.card.model_dump(mode="json", exclude=gained),
        "track": (track.name, track.version),
        "depth": track.depth,
        "data": {name: (c.digests.docs, c.digests.queries) for name, c in collections.items()},
        "source": own_sources,
        "files": files,
        "seed": context.seed,
    }
    return {"inputs": digest_of(inputs), "environment": digest_of([sources, describe()["software"], context.device])}


def _groups(parts: Sequence[Part], collections: Mapping[str, Collection]) -> Iterator[Group]:
    by_docs: dict[str, list[tuple[Part, Collection]]] = {}
    for part in parts:
        by_docs.setdefault(collections[part.name].docs.digest, []).append((part, collections[part.name]))
    for digest, members in by_docs.items():
        yield Group(digest, tuple(members))


def _search(run: Prepared, request: Request, context: Context, path: Path) -> int:
    """Let the system rank what the journal does not hold yet; returns how many rankings it held already."""
    with Journal(path) as journal:
        finished = frozenset(ranking.query_id for ranking in journal.read())
        wanted = {query.query_id for query in request.queries}
        # A search whose rankings are all recorded is begun all the same: it notes what the manifest says about it.
        own = replace(context, finished=finished)
        prepare: Callable[..., None] | None = getattr(run.system, "prepare", None)
        if prepare is not None:
            with run.adapter.guarded(f"system {run.name}"):
                prepare(request.docs, own)
        with context.progress.task(f"{run.name}: rankings", len(wanted), "queries", done=len(finished)) as advance:
            for ranking in _checked(_rankings(run, request, own), request, wanted, run.name):
                if ranking.query_id not in finished:
                    journal.append(ranking)
                    advance(1)
        journal.sync()
    return len(finished)


def _rankings(run: Prepared, request: Request, context: Context) -> Iterator[Ranking]:
    """What the system gives, one after the other, so that errors of its code are known from ours."""
    where = f"system {run.name}"
    with run.adapter.guarded(where):
        rankings = iter(run.system.search(request, context))
    while True:
        with run.adapter.guarded(where):
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
            fault = "a document stands twice"
        elif not (np.abs(scores.astype(np.float64)) <= np.finfo(np.float32).max).all():
            fault = "a score is not a finite 32-bit number"
        elif strangers := [doc_id for doc_id in ranking.doc_ids if doc_id not in request.docs]:
            fault = f"the collection has no document {strangers[0]!r}"
        if fault:
            raise InvalidInput(f"system {name}, query {ranking.query_id}: {fault}")
        seen.add(ranking.query_id)
        yield ranking


def _record_run(folder: Path, texts: Mapping[str, bytes], manifest: Manifest) -> None:
    """Replace the run in ``folder``, the manifest last; another process that does the same waits."""
    files = [(run_file(folder, name), gzip_bytes(text)) for name, text in texts.items()]
    with explained_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with folder_lock(folder):
        write_together([*files, (folder / FILE_NAME, manifest_bytes(manifest))])


def _texts_of(group: Group, journal: Path, tag: str) -> dict[str, bytes]:
    """By part, its run file before compression."""
    found = {ranking.query_id: ranking for ranking in Journal(journal).read()}
    texts = {}
    for part, collection in group.parts:
        ranked = ((query.query_id, found.get(f"{part.name}/{query.query_id}")) for query in collection.queries)
        rankings = (ranking._replace(query_id=query_id) for query_id, ranking in ranked if ranking is not None)
        texts[part.name] = "".join(format_run(rankings, tag)).encode()
    return texts


def part_record(part: Part, collection: Collection, text: bytes) -> PartRecord:
    """What the manifest says of a part whose run file, uncompressed, is ``text``."""
    digests = collection.digests
    return PartRecord(
        dataset=str(without_absolute_paths(part.dataset)),
        lang=part.lang,
        docs=digests.docs,
        queries=digests.queries,
        query_count=len(collection.queries),
        ranking=hashlib.sha256(text).hexdigest(),
    )


def _execution(context: Context, memory: PeakMemory) -> dict[str, object]:
    return {
        "seed": context.seed,
        "device": context.record.facts.get("device", "cpu"),
        "engine": context.record.facts.get("engine", "local"),
        "workers": context.workers,
        "isolation": context.record.facts.get("isolation", "none"),
        **{
            name: value for name, value in context.record.facts.items() if name not in ("device", "engine", "isolation")
        },
        "stages": context.record.stages,
        "peak memory bytes": memory.bytes(),
    }
