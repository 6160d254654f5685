"""Finished run files in, one validated run per part out, whatever form the files have.

A file is one part's run where its name begins with the part's (``ar.trec.gz``); else it is a run of all parts, whose query ids
tell the part by themselves, as ``part/query``, or by a query map. Runs are TREC's, or MS MARCO's of three or four columns; a
file that begins with ``[`` is XOR-Retrieve's official prediction file. All may be gzip or plain.
"""

from __future__ import annotations

import codecs
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.adapters.card import Card
from harness.collections.view import Collection
from harness.errors import Finding, InvalidInput, WrongUsage
from harness.files.findings import Findings
from harness.files.limits import RESULT_BYTES, RUN_BYTES, RUN_LINE_BYTES
from harness.files.reading import NotText, decoded, opened, read_bytes, read_lines
from harness.runs.score import expected_of
from harness.runs.trec import (
    DocIds,
    Expected,
    Ranked,
    Run,
    is_ms_marco_run,
    read_ms_marco_run,
    read_run,
    without_document,
)
from harness.runs.xor_retrieve import Prediction, read_predictions
from harness.tracks import Track

_BEGINNING = 1 << 16

Owners = Mapping[str, tuple[str, str]]
"""Part and query id by the query id that a submitted file uses."""


@dataclass
class _Reading:
    """What has been read so far: rankings by part and query, and everything that was found to say about them."""

    track: Track
    collections: Mapping[str, Collection]
    rankings: dict[str, dict[str, Ranked]] = field(default_factory=lambda: defaultdict(dict))
    findings: list[Finding] = field(default_factory=list)
    faulty_parts: set[str] = field(default_factory=set)
    """Parts of which a file could not be taken in, so that nobody can say what it lacks."""

    def error(self, where: str, what: str, expected: str = "", hint: str = "") -> None:
        self.findings.append(Finding("error", where, what, expected, hint))

    def add(self, where: str, part: str, query_id: str, ranked: Ranked) -> None:
        if query_id in self.rankings[part]:
            self.error(where, f"query {query_id} of part {part} was in a file before", "one ranking of each")
        else:
            own = self.track.exclude_own_document
            self.rankings[part][query_id] = without_document(ranked, query_id) if own else ranked


def read_submitted(
    track: Track, files: Sequence[Path], query_map: Path | None = None, card: Card | None = None
) -> tuple[dict[str, Run], list[Finding]]:
    """Read and validate finished runs; returns them by part, in the track's order, and all warnings.

    Raises ``InvalidInput`` with every problem of every file; ``WrongUsage`` where a file is not there. With a card, parts
    whose language it does not declare are errors, and declared parts without any ranking are warnings.
    """
    reading = _Reading(track, {part.name: part.collection for part in track.parts})
    for path in _expanded(files, track):
        own_part = path.name.split(".")[0]
        try:
            if _begins_as_json(path):
                _read_official(path, reading)
            elif own_part in reading.collections and query_map is None:
                run, warnings = _read_either(path, expected_of(reading.collections[own_part], track))
                reading.findings += warnings
                for query_id, ranked in run.rankings.items():
                    reading.add(path.name, own_part, query_id, ranked)
            else:
                _read_concatenated(path, query_map, reading)
        except InvalidInput as error:
            reading.findings += error.findings or [Finding("error", path.name, error.message)]
            reading.faulty_parts |= {own_part} if own_part in reading.collections else set(reading.collections)
    if card is not None:
        _check_languages(track, card, reading)
    if any(finding.severity == "error" for finding in reading.findings):
        raise InvalidInput("the submitted files are invalid", reading.findings)
    names = [part.name for part in track.parts if reading.rankings.get(part.name)]
    return {name: Run("", reading.rankings[name]) for name in names}, reading.findings


def _expanded(files: Iterable[Path], track: Track) -> list[Path]:
    found = []
    for path in files:
        if not path.is_dir():
            if not path.is_file():
                raise WrongUsage(f"no file {path}")
            found.append(path)
            continue
        own = [file for file in sorted(path.iterdir()) if file.name.split(".")[0] in {p.name for p in track.parts}]
        if not own:
            raise WrongUsage(f"{path} holds no file of a part of {track.name}: {track.parts[0].name}.trec.gz, ...")
        found += own
    return found


def _begins_as_json(path: Path) -> bool:
    with opened(path, RUN_BYTES) as stream:
        return stream.read(_BEGINNING).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def _check_languages(track: Track, card: Card, reading: _Reading) -> None:
    for part in track.parts:
        has_run = bool(reading.rankings.get(part.name))
        if has_run and not card.serves(part.lang):
            reading.error(f"card {card.name}", f"a run for part {part.name}", f"{part.lang!r} among its `languages`")
        if not has_run and card.serves(part.lang) and part.name not in reading.faulty_parts:
            what, hint = "no run, though the card declares the language", "every question scores 0"
            reading.findings.append(Finding("warning", f"part {part.name}", what, f"a run for {part.lang}", hint))


def _read_either(path: Path, expected: Expected) -> tuple[Run, list[Finding]]:
    return read_ms_marco_run(path, expected) if is_ms_marco_run(path) else read_run(path, expected)


# One file for all parts


class _AnyOf:
    """The documents of several collections, as validation asks for them."""

    def __init__(self, collections: Iterable[Collection]) -> None:
        self._docs: list[DocIds] = list({c.docs.digest: c.docs for c in collections}.values())

    def __len__(self) -> int:
        return min(len(docs) for docs in self._docs)

    def __contains__(self, doc_id: object) -> bool:
        return any(doc_id in docs for docs in self._docs)


def _read_concatenated(path: Path, query_map: Path | None, reading: _Reading) -> None:
    owners = read_query_map(query_map, reading.collections) if query_map else _owners_by_id(path, reading.collections)
    expected = Expected(list(owners), _AnyOf(reading.collections.values()), reading.track.depth)
    run, warnings = _read_either(path, expected)
    reading.findings += warnings
    for submitted_id, ranked in run.rankings.items():
        part, query_id = owners[submitted_id]
        docs = reading.collections[part].docs
        strangers = [doc_id for doc_id in ranked.doc_ids if doc_id not in docs]
        if strangers:
            reading.error(path.name, f"query {submitted_id}: {strangers[0]} is no document of part {part}")
        reading.add(path.name, part, query_id, ranked)


def _owners_by_id(path: Path, collections: Mapping[str, Collection]) -> Owners:
    """Owners where the query ids tell the part: all ids of a file are the parts' own, or all are ``part/query``.

    Which it is, the ids of the file tell together: ``ar/1`` may be a query's own id. Raises ``InvalidInput`` where they can be
    read both ways, or stand in several parts.
    """
    own: dict[str, list[tuple[str, str]]] = defaultdict(list)
    with_part: dict[str, tuple[str, str]] = {}
    for part, collection in collections.items():
        for query in collection.queries:
            own[query.query_id].append((part, query.query_id))
            with_part[f"{part}/{query.query_id}"] = (part, query.query_id)
    used = _query_ids(path)
    are_own, have_part = used & own.keys(), used & with_part.keys()
    alone = {query_id: places[0] for query_id, places in own.items()}
    if len(have_part) > len(are_own):
        return with_part
    hint = "write part/query for all of them, or one file per part named after it, or give --query-map"
    if have_part == are_own and any(with_part[query_id] != alone[query_id] for query_id in have_part):
        what = f"query {min(have_part)} is a query's own id, and a part with a query's id, too; so are all others"
        raise InvalidInput("", [Finding("error", path.name, what, "query ids that tell the part", hint)])
    if ambiguous := sorted(query_id for query_id in are_own if len(own[query_id]) > 1):
        what = f"query {ambiguous[0]} stands in several parts, and so do {len(ambiguous) - 1} others"
        raise InvalidInput("", [Finding("error", path.name, what, "query ids that tell the part", hint)])
    return alone


def _query_ids(path: Path) -> set[str]:
    lines = (line.removeprefix(codecs.BOM_UTF8) for _, line in read_lines(path, RUN_BYTES, RUN_LINE_BYTES))
    return {words[0].decode("utf-8", "replace") for line in lines if (words := line.split(None, 1))}


def read_query_map(path: Path, collections: Mapping[str, Collection]) -> Owners:
    """Read lines of three columns, separated by tabs: the query id as submitted, the part, the query id of the part.

    Raises ``InvalidInput`` with all problems of the file.
    """
    findings = Findings(path.name)
    try:
        lines = decoded(read_bytes(path, RESULT_BYTES)).splitlines()
    except NotText as error:
        raise InvalidInput("", [Finding("error", path.name, error.at(0), "UTF-8", error.hint)]) from None
    known = {part: {query.query_id for query in found.queries} for part, found in collections.items()}
    owners: dict[str, tuple[str, str]] = {}
    targets: set[tuple[str, str]] = set()
    for number, line in enumerate(lines, 1):
        columns = line.split("\t")
        if len(columns) != 3:
            shape = "3, separated by tabs: id as submitted, part, query id"
            findings.add("error", number, "columns", f"{len(columns)} columns", shape)
            continue
        submitted_id, part, query_id = columns
        if part not in known:
            findings.add("error", number, "part", f"unknown part {part!r}", ", ".join(known))
        elif query_id not in known[part]:
            findings.add("error", number, "query", f"unknown query {query_id!r}", f"ids of the queries of part {part}")
        elif submitted_id in owners or (part, query_id) in targets:
            findings.add(
                "error", number, "twice", f"{submitted_id!r} or {part}/{query_id} was mapped before", "each once"
            )
        else:
            owners[submitted_id] = (part, query_id)
            targets.add((part, query_id))
    if findings.has_errors:
        raise InvalidInput("", findings.result())
    return owners


# The official prediction file


def _read_official(path: Path, reading: _Reading) -> None:
    queries = [query for collection in reading.collections.values() for query in collection.queries]
    owners = {q.query_id: part for part, found in reading.collections.items() for q in found.queries}
    if len(owners) < len(queries):
        what = "the track's parts share question ids, which this format cannot tell apart"
        raise InvalidInput("", [Finding("error", path.name, what, "TREC runs, one file per part")])
    predictions, warnings = read_predictions(path, queries)
    reading.findings += warnings
    by_text: dict[str, dict[str, list[str]]] = {}
    for prediction in predictions:
        part = owners[prediction.query_id]
        digest = reading.collections[part].docs.digest
        if digest not in by_text:
            by_text[digest] = _doc_ids_by_text(reading.collections[part])
        doc_ids = _found(path, prediction, by_text[digest], reading)
        scores = np.arange(len(doc_ids), 0, -1, dtype=np.float32)
        reading.add(path.name, part, prediction.query_id, Ranked(tuple(doc_ids), scores))


def _doc_ids_by_text(collection: Collection) -> dict[str, list[str]]:
    """Document ids by the passage's text; where several passages have the same text, by id."""
    found: dict[str, list[str]] = defaultdict(list)
    for doc in collection.docs:
        found[doc.text].append(doc.doc_id)
    return {text: sorted(doc_ids) for text, doc_ids in found.items()}


def _found(path: Path, prediction: Prediction, by_text: Mapping[str, list[str]], reading: _Reading) -> list[str]:
    """The ids of a prediction's passages; passages of one text are taken in the order of their ids, each once."""
    doc_ids: list[str] = []
    used: dict[str, int] = defaultdict(int)
    for place, text in enumerate(prediction.passages[: reading.track.depth + reading.track.exclude_own_document], 1):
        candidates = by_text.get(text, [])
        if used[text] < len(candidates):
            doc_ids.append(candidates[used[text]])
            used[text] += 1
            continue
        where = f"{path.name}: question {prediction.query_id}"
        if candidates:
            reading.error(where, f"passage {place} is a duplicate", "each passage once")
        else:
            what = f"passage {place} is no passage of the collection: {text[:40]!r}..."
            reading.error(where, what, "the passage's text exactly, without its title")
        break  # the others of this question are most probably the same
    return doc_ids
