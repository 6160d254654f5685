"""What a reader answered from the passages of a run: ``PART.read-NAME.jsonl.gz`` beside the run, ``read-NAME.yaml`` of all.

A line is ``{"query_id", "doc_id", "text", "score"}``; no answer is an empty text and a score of null. There is one for each
passage that can be among the first ``top`` of a ranking, however its ties are broken, and one for each passage that is judged
relevant, so that it is known how the reader does where retrieval has found everything.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field

from harness.collections.formats.json_rows import object_of, text_of
from harness.collections.view import Collection
from harness.errors import Finding, InvalidInput
from harness.files.findings import Findings
from harness.files.limits import FAULTS, LINE_BYTES, TEXT_BYTES
from harness.files.migrations import migrated
from harness.files.reading import NotText, decoded, parse_json, read_bytes, read_lines
from harness.files.toml_records import Name, PartName, Record, checked
from harness.files.writing import gzip_bytes, write_together
from harness.files.yaml_records import parsed_yaml, yaml_text
from harness.measures.readings import ENGLISH, Answered
from harness.runs.commands import Commands
from harness.runs.provenance import Count, Text

if TYPE_CHECKING:
    from harness.runs.run_folder import RunFolder
    from harness.runs.trec import Ranked

Pair = tuple[str, str]
"""A question's and a passage's id."""

_KEYS = ("query_id", "doc_id", "text", "score")


class PartReading(Record):
    """``ranking``: digest of the run file whose passages were read; ``answers``: of the uncompressed lines."""

    ranking: Text
    docs: Text
    queries: Text
    answers: Text
    pairs: Count


class ReadingRecord(Record):
    """All that the answers depend on.

    ``reader``: its digest, versions and lengths; ``english``: name and digest of the English questions that it was given, empty
    where it was given the questions as they were asked.
    """

    schema_version: Literal[1]
    reading: Name
    reader: dict[Text, Any]
    top: int = Field(ge=1)
    english: dict[Text, Any] = Field(default_factory=dict)
    device: Text
    libraries: dict[Text, Text]
    parts: dict[PartName, PartReading]


class Recorded(NamedTuple):
    """The answers of one reading to the questions of one part."""

    answers: Mapping[Pair, Answered]
    top: int
    where: str


class RecordedReadings:
    """Readings of one part of a run, as measures ask for them."""

    def __init__(self, by_name: Mapping[str, Recorded]) -> None:
        self._by_name = by_name

    def of(self, reading: str, query_id: str, doc_id: str) -> Answered:
        recorded = self._by_name[reading]
        found = recorded.answers.get((query_id, doc_id))
        if found is None:
            raise InvalidInput(
                f"{recorded.where}: the reader was given the first {recorded.top} passages of each question, and not "
                f"{doc_id!r:.80} for {query_id!r:.80}; read more of them, `xdr read RUN READER --top K`"
            )
        return found


def record_file(folder: Path, reading: str) -> Path:
    return folder / f"read-{reading}.yaml"


def answers_file(folder: Path, part: str, reading: str) -> Path:
    return folder / f"{part}.read-{reading}.jsonl.gz"


def recorded_names(folder: Path) -> list[str]:
    """The readings whose records lie beside a run."""
    return sorted(path.name.removeprefix("read-").removesuffix(".yaml") for path in folder.glob("read-*.yaml"))


def pairs_to_read(collection: Collection, rankings: Mapping[str, Ranked], top: int) -> list[Pair]:
    """In the order of the questions: what can be among the first ``top``, then what is judged relevant besides."""
    pairs: dict[Pair, None] = {}
    for query in collection.queries:
        ids = first_passages(rankings.get(query.query_id), top)
        pairs |= dict.fromkeys((query.query_id, doc_id) for doc_id in (*ids, *gold_of(collection, query.query_id)))
    return list(pairs)


def first_passages(ranked: Ranked | None, top: int) -> Sequence[str]:
    """The first ``top`` passages of a ranking and all that tie with the last of them."""
    if ranked is None or not ranked.doc_ids:
        return ()
    last = ranked.scores[min(top, len(ranked.doc_ids)) - 1]
    return [doc for place, doc in enumerate(ranked.doc_ids) if place < top or ranked.scores[place] == last]


def gold_of(collection: Collection, query_id: str) -> list[str]:
    """The passages that are judged relevant and that there are, by id."""
    grades = (collection.qrels or {}).get(query_id, {})
    return sorted(doc_id for doc_id, grade in grades.items() if grade > 0 and doc_id in collection.docs)


def write_reading(folder: Path, record: ReadingRecord, answers: Mapping[str, Mapping[Pair, Answered]]) -> ReadingRecord:
    """Write the answers of all parts, and last of all the record, with their digests in it."""
    lines = {part: _lines(own) for part, own in answers.items()}
    parts = {
        part: own.model_copy(update={"answers": _sha256(lines[part]), "pairs": len(answers[part])})
        for part, own in record.parts.items()
    }
    record = record.model_copy(update={"parts": parts})
    content = yaml_text(record.model_dump(mode="json")).encode("utf-8")
    files = [(answers_file(folder, part, record.reading), gzip_bytes(own)) for part, own in lines.items()]
    write_together([*files, (record_file(folder, record.reading), content)])
    return record


def _lines(answers: Mapping[Pair, Answered]) -> bytes:
    rows = (
        dict(zip(_KEYS, (*pair, found.text, found.score if math.isfinite(found.score) else None), strict=True))
        for pair, found in answers.items()
    )
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read_record(run: RunFolder, reading: str) -> ReadingRecord:
    """Raises ``InvalidInput`` where there is none, with the command that makes it, or where it is invalid."""
    path = record_file(run.path, reading)
    if not path.is_file():
        given = ("--english", "COLLECTION") if reading.endswith(f"-{ENGLISH}") else ()
        command = Commands(run.track, run.path.parent.parent).read(*given)
        raise InvalidInput(
            f"{run.path} was not read by {reading}: `{command}`, READER being that reader's folder, reads all runs of the "
            f"track; {_others(run, reading)}"
        )
    record = read_record_file(path)
    if record.reading != reading:
        raise InvalidInput(f"{path} is the record of {record.reading}; a reading's files bear its name")
    return record


def read_record_file(path: Path) -> ReadingRecord:
    """Raises ``WrongUsage`` when there is no such file, ``InvalidInput`` when it is invalid."""
    return checked(ReadingRecord, migrated("reading", parsed_yaml(path), str(path)), str(path))


def _others(run: RunFolder, reading: str) -> str:
    others = [name for name in recorded_names(run.path) if name != reading]
    return f"there are readings by {', '.join(others)}" if others else "there are no readings by others"


def readings_of(run: RunFolder, names: Sequence[str]) -> dict[str, RecordedReadings]:
    """The readings of all parts that were run, by part.

    Raises ``InvalidInput`` with all that is wrong with any of the files, and where one is of another run than lies here.
    """
    by_part: dict[str, dict[str, Recorded]] = {
        part.name: {} for part in run.scored_parts if part.name in run.manifest.data
    }
    findings: list[Finding] = []
    for name in names:
        record = read_record(run, name)
        for part, own in by_part.items():
            file = answers_file(run.path, part, name)
            if fault := _of_another_run(run, record, part):
                findings.append(Finding("error", file.name, fault, "", "read the run again with `xdr read`"))
                continue
            answers, faults = checked_answers(run, record, part)
            findings += faults
            own[name] = Recorded(answers, record.top, str(file))
    if findings:
        raise InvalidInput(f"what was read of {run.path} is invalid", findings)
    return {part: RecordedReadings(own) for part, own in by_part.items()}


def changed_answers(run: RunFolder, names: Sequence[str]) -> list[Path]:
    """Files of answers that are missing, or are not those that the readings' records describe, or of another run."""
    parts = [part.name for part in run.scored_parts if part.name in run.manifest.data]
    records = [read_record(run, name) for name in names]
    return [
        answers_file(run.path, part, record.reading)
        for record in records
        for part in parts
        if _of_another_run(run, record, part) or not _is_as_described(run, record, part)
    ]


def _is_as_described(run: RunFolder, record: ReadingRecord, part: str) -> bool:
    path = answers_file(run.path, part, record.reading)
    return path.is_file() and _sha256(read_bytes(path, TEXT_BYTES)) == record.parts[part].answers


def _of_another_run(run: RunFolder, record: ReadingRecord, part: str) -> str:
    """Why the answers are not those to this run; empty where they are."""
    own, described = record.parts.get(part), run.manifest.data[part]
    if own is None:
        return "no answers of this part"
    same = (own.ranking, own.docs, own.queries) == (described.ranking, described.docs, described.queries)
    return "" if same else "of another run than the one that lies here"


def checked_answers(run: RunFolder, record: ReadingRecord, part: str) -> tuple[dict[Pair, Answered], list[Finding]]:
    """The answers in a part's file, and all that is wrong with them."""
    path = answers_file(run.path, part, record.reading)
    if not path.is_file():
        return {}, [
            Finding("error", path.name, "missing", "the answers of this part", "read the run again with `xdr read`")
        ]
    found, expected = _sha256(read_bytes(path, TEXT_BYTES)), record.parts[part].answers
    findings = Findings(path.name)
    collection = next(own.collection for own in run.track.parts if own.name == part)
    wanted = dict.fromkeys(pairs_to_read(collection, run.read(part)[0].rankings, record.top))
    answers: dict[Pair, Answered] = {}
    faults = 0
    for number, line in read_lines(path, TEXT_BYTES, LINE_BYTES):
        if not line.strip():
            continue
        try:
            pair, answer = _parsed(line)
        except (NotText, ValueError, TypeError, KeyError) as error:
            findings.add("error", number, "no answer", str(error), "an object with query_id, doc_id, text and score")
            faults += 1
        else:
            for kind, what, hint in _faults(pair, answer, wanted, answers, collection):
                findings.add("error", number, kind, what, hint)
                faults += 1
            answers[pair] = answer
        if faults >= FAULTS:
            break
    if missing := [pair for pair in wanted if pair not in answers]:
        what = f"{len(missing):,} of {len(wanted):,} passages have no answer, such as {missing[0][1]!r:.80}"
        findings.add("error", 0, "missing answers", what, f"one for each passage among the first {record.top}")
    if found != expected:
        findings.add("error", 0, "other bytes", f"its digest is {found[:16]}...", f"{expected[:16]}...")
    return answers, findings.result()


def _parsed(line: bytes) -> tuple[Pair, Answered]:
    row = object_of(parse_json(decoded(line)))
    if unknown := sorted(set(row) - set(_KEYS)):
        raise ValueError(f"unknown key {unknown[0]!r:.80}")
    if "score" not in row:
        raise ValueError("no score")
    score = row["score"]
    if score is not None and (isinstance(score, bool) or not isinstance(score, int | float)):
        raise TypeError(f"the score {score!r:.40} is no number")
    pair = (text_of(row, "query_id"), text_of(row, "doc_id"))
    return pair, Answered(text_of(row, "text"), -math.inf if score is None else float(score))


def _faults(
    pair: Pair, answer: Answered, wanted: Mapping[Pair, None], before: Mapping[Pair, Answered], collection: Collection
) -> Iterator[tuple[str, str, str]]:
    """Kind, what, and what was expected."""
    query_id, doc_id = pair
    if pair in before:
        yield "twice", f"a second answer to {query_id!r:.80} from {doc_id!r:.80}", "one"
    if pair not in wanted:
        try:
            collection.query(query_id)
        except KeyError:
            yield "unknown question", f"no question {query_id!r:.80} in {collection.dataset_id}", "ids of its questions"
            return
        if doc_id not in collection.docs:
            yield "unknown passage", f"no passage {doc_id!r:.80} in {collection.dataset_id}", "ids of its passages"
            return
        yield "not asked", f"{doc_id!r:.80} is not among the first passages of {query_id!r:.80}", "passages of the run"
    if answer.text not in collection.docs.get(doc_id).text:
        yield "no span", f"{answer.text!r:.80} does not stand in passage {doc_id!r:.80}", "a part of its text"
    if bool(answer.text) != math.isfinite(answer.score):
        yield "score", f"{answer.text!r:.40} with the score {answer.score}", "a score just where there is an answer"


def reading_faults(run: RunFolder) -> Iterable[Finding]:
    """All that is wrong with any of the readings that lie beside a run."""
    for name in recorded_names(run.path):
        try:
            readings_of(run, [name])
        except InvalidInput as error:
            yield from error.findings or [Finding("error", record_file(run.path, name).name, error.message)]
