"""Relevance judgements as lines: TREC's four columns, MS MARCO's, and the three of BEIR with their header or without."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from harness.errors import Finding, InvalidInput, reported
from harness.files.limits import COLLECTION_BYTES, FAULTS, LINE_BYTES
from harness.files.reading import decoded_lines, read_lines

Judgement = tuple[str, str, int]
"""Query, document, relevance."""

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_QUERY = re.compile(r"(?:q|query|topic)[-_]?(?:id)?", re.IGNORECASE)
_RELEVANCE = re.compile(r"score|rel(?:evance)?|label|grade|judge?ment", re.IGNORECASE)
_SHAPES = {4: "query iteration document relevance", 3: "query document relevance"}


def read_qrels(path: Path) -> list[Judgement]:
    """Read a file of judgements, gzip or plain. Raises ``InvalidInput`` with all lines that do not have the first's shape."""
    return _qrels(read_lines(path, COLLECTION_BYTES, LINE_BYTES), str(path))


def parse_qrels(data: bytes, where: str) -> list[Judgement]:
    """Judgements that came from ``where``; raises as ``read_qrels`` does."""
    return _qrels(enumerate(data.split(b"\n"), 1), where)


def _qrels(lines: Iterable[tuple[int, bytes]], where: str) -> list[Judgement]:
    rows: list[Judgement] = []
    findings: list[Finding] = []
    seen: set[tuple[str, str]] = set()
    columns = 0
    for number, line in decoded_lines(lines, where):
        fields = line.split(maxsplit=5)
        place = f"{where}:{number}"
        if len(findings) == FAULTS:
            break
        if not columns:
            columns = 3 if len(fields) == 3 else 4
            if len(fields) == columns and _is_header(fields):
                continue
        if len(fields) != columns:
            count = f"{len(fields)} columns" if len(fields) < 6 else "more than 5 columns"
            findings.append(Finding("error", place, count, f"{columns}: {_SHAPES[columns]}"))
            continue
        query_id, doc_id, relevance = fields[0], fields[-2], fields[-1]
        if not _INTEGER.fullmatch(relevance):
            findings.append(Finding("error", place, f"relevance {relevance!r:.80}", "an integer"))
        elif (query_id, doc_id) in seen:
            findings.append(Finding("error", place, f"a second judgement of {query_id} {doc_id}", "one"))
        else:
            seen.add((query_id, doc_id))
            rows.append((query_id, doc_id, int(relevance)))
    if findings:
        raise InvalidInput(f"{where} is invalid", reported(findings, where))
    return rows


def _is_header(fields: list[str]) -> bool:
    """``query-id corpus-id score`` and the like."""
    return _QUERY.fullmatch(fields[0]) is not None and _RELEVANCE.fullmatch(fields[-1]) is not None
