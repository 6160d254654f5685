"""The passages of a recorded run read by a reader: what ``xdr read`` does, and what a run made again is scored by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from harness.errors import Finding, InvalidInput
from harness.measures.readings import Answered, reading_name
from harness.progress import Progress
from harness.recipes.mine.english import English, english_of
from harness.recipes.reading.kept import KeptReader
from harness.records import Query
from harness.runs.readings import (
    Pair,
    PartReading,
    ReadingRecord,
    answers_file,
    checked_answers,
    pairs_to_read,
    read_record,
    write_reading,
)
from harness.runs.run_folder import RunFolder
from harness.tracks import Part


@dataclass(frozen=True)
class Reading:
    """What is read: the first ``top`` passages, with the questions as asked or, from the collection ``english``, in English."""

    reader: KeptReader
    top: int
    english: str = ""

    @property
    def name(self) -> str:
        return reading_name(self.reader.name, bool(self.english))


class Texts(NamedTuple):
    """The questions of the parts as the reader is given them, and what they are from."""

    by_part: Mapping[str, Mapping[str, str]]
    english: Mapping[str, object]


def read_run(run: RunFolder, reading: Reading, progress: Progress) -> ReadingRecord:
    """Read the passages of a run and write the answers beside it.

    What the reader has answered is kept one by one, so that a killed command goes on, and systems that find the same passages
    share it. Raises ``InvalidInput`` where the run is not the one that its manifest describes, or where a question has no
    English version.
    """
    run.check_definition()
    run.check_files()
    parts = [part for part in run.track.parts if part.name in run.manifest.data and part.name not in run.lacking]
    texts = question_texts(parts, reading.english)
    pairs = {part.name: pairs_to_read(part.collection, run.read(part.name)[0].rankings, reading.top) for part in parts}
    answers: dict[str, dict[Pair, Answered]] = {}
    with (
        reading.reader.opened(),
        progress.task(f"read {run.name}", sum(map(len, pairs.values())), "passages") as advance,
    ):
        for part in parts:
            own, docs = texts.by_part[part.name], part.collection.docs
            asked = [(own[query_id], docs.get(doc_id).text) for query_id, doc_id in pairs[part.name]]
            answers[part.name] = {}
            for pair, found in zip(pairs[part.name], reading.reader.answers(asked), strict=True):
                answers[part.name][pair] = Answered(found.text, found.score)
                advance()
    with run.writing() as folder:
        return write_reading(folder, _record(run, reading, parts, texts), answers)


def _record(run: RunFolder, reading: Reading, parts: list[Part], texts: Texts) -> ReadingRecord:
    reader = reading.reader
    described = run.manifest.data
    return ReadingRecord(
        schema_version=1,
        reading=reading.name,
        reader={"name": reader.name, **reader.identity},
        top=reading.top,
        english=dict(texts.english),
        device=reader.device,
        libraries=reader.libraries,
        parts={
            part.name: PartReading(
                ranking=described[part.name].ranking,
                docs=described[part.name].docs,
                queries=described[part.name].queries,
                answers="",
                pairs=0,
            )
            for part in parts
        },
    )


def question_texts(parts: list[Part], english: str) -> Texts:
    """Raises ``InvalidInput`` with every part in which questions have no English version, ``WrongUsage`` for no collection."""
    if not english:
        return Texts({part.name: {q.query_id: q.text for q in part.collection.queries} for part in parts}, {})
    questions = [(part, query) for part in parts for query in part.collection.queries]
    found = english_of(english, [query.lang or part.lang for part, query in questions])
    by_part: dict[str, dict[str, str]] = {part.name: {} for part in parts}
    lacking: dict[str, list[str]] = {}
    for part, query in questions:
        text = _english(query, part, found)
        by_part[part.name][query.query_id] = text
        if not text.strip():
            lacking.setdefault(part.name, []).append(query.query_id)
    if lacking:
        what = "{:,} questions have no English version in {}, such as {!r:.80}"
        findings = [
            Finding(
                "error", f"part {name}", what.format(len(ids), english, ids[0]), "a collection with the same topics"
            )
            for name, ids in lacking.items()
        ]
        raise InvalidInput(f"{english} has not all questions of the run in English", findings)
    return Texts(by_part, found.identity())


def _english(query: Query, part: Part, english: English) -> str:
    return query.text if (query.lang or part.lang) == "en" else english.of(query)


def carry_over(recorded: RunFolder, again: RunFolder, name: str) -> None:
    """Write the recorded answers beside a run that was made again. Raises ``InvalidInput`` where it found other passages."""
    record = read_record(recorded, name)
    answers: dict[str, dict[Pair, Answered]] = {}
    findings: list[Finding] = []
    parts: dict[str, PartReading] = {}
    for part in again.track.parts:
        if part.name not in record.parts or part.name not in again.manifest.data:
            continue
        known, faults = checked_answers(recorded, record, part.name)
        findings += faults
        wanted = pairs_to_read(part.collection, again.read(part.name)[0].rankings, record.top)
        lacking = [pair for pair in wanted if pair not in known]
        if lacking and not faults:
            what = f"{len(lacking):,} passages that the recorded run had not found have no answer"
            hint = (
                f"read with the reader once on this machine (`xdr read {recorded.path} READER`): it is found again then"
            )
            findings.append(Finding("error", answers_file(recorded.path, part.name, name).name, what, "", hint))
        answers[part.name] = {pair: known[pair] for pair in wanted if pair in known}
        described = again.manifest.data[part.name]
        parts[part.name] = record.parts[part.name].model_copy(
            update={"ranking": described.ranking, "docs": described.docs, "queries": described.queries}
        )
    if findings:
        raise InvalidInput(f"what was read of {recorded.path} does not fit the run that was made again", findings)
    with again.writing() as folder:
        write_reading(folder, record.model_copy(update={"parts": parts}), answers)
