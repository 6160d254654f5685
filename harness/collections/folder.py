"""Any folder as a collection: ``folder:PATH`` with docs.jsonl, queries.jsonl, and optionally qrels.txt, answers.jsonl.

    docs.jsonl     {"doc_id": "d1", "title": "optional", "text": "..."}
    queries.jsonl  {"query_id": "q1", "text": "...", "lang": "optional", "topic": "optional"}
    qrels.txt      q1 0 d1 1                       (TREC: query, iteration, document, relevance)
    answers.jsonl  {"query_id": "q1", "answers": ["...", "..."]}

``xdr data export`` writes this form. ``folder(ar):PATH`` takes the queries of one language alone.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import ir_datasets

from harness.collections.handlers import AnswerStrings, Docs, Qrels, Queries
from harness.collections.rows import object_of, text_of, texts_of
from harness.errors import Finding, InvalidInput, WrongUsage, reported
from harness.limits import COLLECTION_BYTES, FAULTS, LINE_BYTES
from harness.reading import parse_json, read_lines
from harness.records import Answers, Doc, Query

PATTERN = r"^folder(?:\(([a-z-]+)\))?:(.+)$"
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_RELEVANCE = {0: "not relevant", 1: "relevant"}


def ids() -> list[str]:
    return []


class Folder:
    """The records of one folder, each file read and checked once, when it is first asked for."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise WrongUsage(f"{path} is not a folder")
        self.path = path

    def has(self, name: str) -> bool:
        return (self.path / name).is_file()

    @functools.cached_property
    def docs(self) -> list[Doc]:
        return _read_jsonl(self.path / "docs.jsonl", _doc, lambda doc: doc.doc_id)

    @functools.cached_property
    def queries(self) -> list[Query]:
        return _read_jsonl(self.path / "queries.jsonl", _query, lambda query: query.query_id)

    @functools.cached_property
    def answers(self) -> list[Answers]:
        return _read_jsonl(self.path / "answers.jsonl", _answers, lambda answers: answers.query_id)

    @functools.cached_property
    def qrels(self) -> list[tuple[str, str, int]]:
        return read_qrels(self.path / "qrels.txt")


def read_qrels(path: Path) -> list[tuple[str, str, int]]:
    """Read TREC qrels. Raises ``InvalidInput`` with all lines that are not ``query iteration document relevance``."""
    return _qrels(read_lines(path, COLLECTION_BYTES, LINE_BYTES), str(path))


def parse_qrels(data: bytes, where: str) -> list[tuple[str, str, int]]:
    """TREC qrels that came from ``where``; raises as ``read_qrels`` does."""
    return _qrels(enumerate(data.split(b"\n"), 1), where)


def _qrels(lines: Iterable[tuple[int, bytes]], where: str) -> list[tuple[str, str, int]]:
    rows: list[tuple[str, str, int]] = []
    findings: list[Finding] = []
    seen: set[tuple[str, str]] = set()
    for number, line in _decoded(lines, where):
        fields = line.split(maxsplit=5)
        place = f"{where}:{number}"
        if len(findings) == FAULTS:
            break
        if len(fields) != 4:
            count = f"{len(fields)} columns" if len(fields) < 6 else "more than 5 columns"
            findings.append(Finding("error", place, count, "4: query iteration document relevance"))
            continue
        query_id, _, doc_id, relevance = fields
        if not _INTEGER.fullmatch(relevance):
            findings.append(Finding("error", place, f"relevance {relevance!r:.80}", "an integer"))
        elif (query_id, doc_id) in seen:
            findings.append(Finding("error", place, f"a second judgement of {query_id} {doc_id}", "one"))
        else:
            seen.add((query_id, doc_id))
            rows.append((query_id, doc_id, int(relevance)))
    if findings:
        raise InvalidInput(f"{where} is not in order", reported(findings, where))
    return rows


def _decoded(lines: Iterable[tuple[int, bytes]], where: str) -> Iterator[tuple[int, str]]:
    """The lines that are not blank."""
    read = 0
    for number, data in lines:
        try:
            line = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInput(f"{where} is not UTF-8 (line {number}, byte {read + error.start})") from error
        read += len(data) + 1
        if line.strip():
            yield number, line


def _read_jsonl(path: Path, parse: Callable[[dict[str, Any]], Any], key: Callable[[Any], str]) -> list[Any]:
    """Parse every line, noting all faults; ids must be new, free of white space, and not empty."""
    records: list[Any] = []
    findings: list[Finding] = []
    first_line: dict[str, int] = {}
    for number, line in _decoded(read_lines(path, COLLECTION_BYTES, LINE_BYTES), str(path)):
        place = f"{path}:{number}"
        if len(findings) == FAULTS:
            break
        try:
            record = parse(object_of(parse_json(line)))
        except (ValueError, TypeError) as error:
            findings.append(Finding("error", place, str(error) or "not JSON"))
            continue
        name = key(record)
        if not name or name.split() != [name]:
            findings.append(Finding("error", place, f"id {name!r:.80}", "an id without white space, as TREC runs need"))
        elif name in first_line:
            findings.append(
                Finding("error", place, f"id {name!r:.80} stands in line {first_line[name]} too", "unique ids")
            )
        first_line.setdefault(name, number)
        records.append(record)
    if findings:
        raise InvalidInput(f"{path} is not in order", reported(findings, str(path)))
    return records


def _doc(row: dict[str, Any]) -> Doc:
    return Doc(text_of(row, "doc_id"), text_of(row, "title", ""), text_of(row, "text"))


def _query(row: dict[str, Any]) -> Query:
    query_id = text_of(row, "query_id")
    return Query(query_id, text_of(row, "text"), text_of(row, "lang", ""), text_of(row, "topic", query_id))


def _answers(row: dict[str, Any]) -> Answers:
    return Answers(text_of(row, "query_id"), texts_of(row, "answers"))


def dataset_of(folder: Folder, lang: str = "") -> Any:
    """An ir_datasets dataset of a folder, of the queries in one language or of all."""

    def queries() -> list[Query]:
        return [query for query in folder.queries if not lang or query.lang == lang]

    def asked() -> set[str]:
        return {query.query_id for query in queries()}

    def qrels() -> Iterator[tuple[str, str, int]]:
        wanted = asked()
        return (row for row in folder.qrels if row[0] in wanted)

    def answers() -> Iterator[Answers]:
        wanted = asked()
        return (row for row in folder.answers if row.query_id in wanted)

    return ir_datasets.Dataset(
        Docs(lambda: folder.docs, None) if folder.has("docs.jsonl") else None,
        Queries(queries, lang or None),
        Qrels(qrels, _RELEVANCE) if folder.has("qrels.txt") else None,
        AnswerStrings(answers) if folder.has("answers.jsonl") else None,
    )


def dataset(dataset_id: str, groups: tuple[str, ...]) -> Any:
    return dataset_of(Folder(Path(groups[1])), groups[0] or "")
