"""TREC runs: read, validate and write, with one order of documents for everything.

The order is trec_eval's: float32(score) descending, then doc id descending by UTF-8 bytes. It is fixed here, when a run
is read or written; whatever looks at a ranking afterwards looks at this order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.errors import Finding, InvalidInput, Severity, errors_of
from harness.fast_reader import read_columns
from harness.files import gzip_bytes, write_together
from harness.limits import FAULTS, RUN_BYTES, RUN_LINE_BYTES, RUN_LINES
from harness.reading import NotText, decoded, read_lines
from harness.records import Ranking

MAX_SHOWN = 20
"""How many findings of one kind are listed one by one; the others are counted."""


_LARGEST_SCORE = float(np.finfo(np.float32).max)


class Ranked(NamedTuple):
    """One query's documents in the fixed order, with their scores as float32, shape (documents,)."""

    doc_ids: tuple[str, ...]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Run:
    """One part's run: its tag, and rankings by query id in the order of the file."""

    tag: str
    rankings: Mapping[str, Ranked]


@dataclass
class Findings:
    """Collects findings, lists the first of each kind and counts the rest."""

    path: str
    _listed: list[Finding] = field(default_factory=list)
    _counts: dict[tuple[Severity, str], int] = field(default_factory=dict)

    def add(self, severity: Severity, line: int, kind: str, what: str, expected: str = "", mend: str = "") -> None:
        count = self._counts[severity, kind] = self._counts.get((severity, kind), 0) + 1
        if count <= MAX_SHOWN:
            where = f"{self.path}:{line}" if line else self.path
            self._listed.append(Finding(severity, where, what, expected, mend))

    @property
    def has_errors(self) -> bool:
        return any(severity == "error" for severity, _ in self._counts)

    def result(self) -> list[Finding]:
        more = [
            Finding(severity, self.path, f"{count - MAX_SHOWN} more of this kind: {kind}")
            for (severity, kind), count in self._counts.items()
            if count > MAX_SHOWN
        ]
        return self._listed + more


class DocIds(Protocol):
    """What validation asks of a collection's documents."""

    def __len__(self) -> int: ...

    def __contains__(self, doc_id: object, /) -> bool: ...


@dataclass(frozen=True)
class Expected:
    """What a run of one part may contain: the part's queries, the collection's documents, the stored depth."""

    query_ids: Sequence[str]
    doc_ids: DocIds
    depth: int


def fixed_order(doc_ids: Sequence[str], scores: NDArray[np.float32]) -> Ranked:
    """Sort one ranking by float32 score descending, then doc id descending by UTF-8 bytes.

    >>> fixed_order(["a", "b", "c"], np.array([1, 2, 1], np.float32)).doc_ids
    ('b', 'c', 'a')
    """
    # Comparing Python strings compares code points, which orders them as their UTF-8 bytes do.
    pairs = sorted(zip(scores.tolist(), doc_ids, strict=True), reverse=True)
    return Ranked(tuple(doc for _, doc in pairs), np.array([score for score, _ in pairs], dtype=np.float32))


def read_run(path: Path, expected: Expected | None = None) -> tuple[Run, list[Finding]]:
    """Read a TREC run, gzip or plain, and validate it, against ``expected`` where that is given.

    Returns the run and its warnings. Raises ``InvalidInput`` with all errors and warnings when there is any error: not
    six columns, a score that is no finite float32, a document twice, an unknown query or document, more than one tag,
    Windows line ends, damaged gzip, not UTF-8.
    """
    findings = Findings(path.name)
    run = _read_quickly(path, expected) or _read_carefully(path, expected, findings)
    if expected is not None:
        counts = {query_id: len(ranked.doc_ids) for query_id, ranked in run.rankings.items()}
        _check_completeness(counts, expected, findings)
    _check_ties(run.rankings, findings)
    return run, findings.result()


def _read_quickly(path: Path, expected: Expected | None) -> Run | None:
    """The run, if it is in order; None if the careful reader has to look at it."""
    columns = read_columns(path)
    if columns is None:
        return None
    if expected is not None:
        known = set(expected.query_ids)
        if not known.issuperset(columns.query_ids):
            return None
        if not all(map(expected.doc_ids.__contains__, columns.doc_ids)):
            return None
    return Run(columns.tag, {query_id: Ranked(docs, scores) for query_id, docs, scores in columns.rankings()})


def _read_carefully(path: Path, expected: Expected | None, findings: Findings) -> Run:
    """Read line by line and note what is wrong and where. Raises ``InvalidInput`` with all of it."""
    rows = _read_rows(path, findings)
    tag = _tag(rows, findings)
    by_query: dict[str, _Rows] = {}
    for row in rows:
        by_query.setdefault(row.query_id, _Rows()).append(row)
    del rows
    _check_documents(by_query, findings)
    if expected is not None:
        _check_names(by_query, expected, findings)
    if findings.has_errors:
        if expected is not None:
            _check_completeness({query_id: len(own.doc_ids) for query_id, own in by_query.items()}, expected, findings)
        result = findings.result()
        raise InvalidInput(f"{path} is not a valid run: {len(errors_of(result))} errors", result)
    rankings = {}
    for query_id, own in by_query.items():
        ranked = rankings[query_id] = fixed_order(own.doc_ids, np.array(own.scores, dtype=np.float32))
        _check_rank_column(query_id, own, ranked, findings)
    return Run(tag, rankings)


class _Row(NamedTuple):
    line: int
    query_id: str
    doc_id: str
    rank: int
    score: float
    tag: str


@dataclass(slots=True)
class _Rows:
    """One query's rows by column, in the order of the file."""

    doc_ids: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def append(self, row: _Row) -> None:
        self.doc_ids.append(row.doc_id)
        self.scores.append(row.score)
        self.ranks.append(row.rank)
        self.lines.append(row.line)


def _read_rows(path: Path, findings: Findings) -> list[_Row]:
    rows: list[_Row] = []
    number, start, faults, returns = 0, 0, 0, False
    for number, line in read_lines(path, RUN_BYTES, RUN_LINE_BYTES):
        if number > RUN_LINES:
            findings.add(
                "error", number, "too long", "more lines", f"at most {RUN_LINES:,}", "cut the run at the depth"
            )
            return []
        try:
            content = decoded(line)
        except NotText as error:
            findings.add("error", number, "not UTF-8", error.at(start), "UTF-8", error.mend)
            return []
        start += len(line) + 1
        if "\r" in content:
            if not returns:
                mend = "convert the file, for example with `sed -i 's/\\r$//'`"
                what = "a carriage return (Windows line end)"
                findings.add("error", number, "line end", what, "lines that end in \\n", mend)
            returns = True
        row = _parse(number, content, findings)
        if row is not None:
            rows.append(row)
        elif (faults := faults + 1) == FAULTS:
            findings.add("error", number, "other file", f"{FAULTS:,} faulty lines; the rest was not read", "a run")
            return []
    if not number:
        findings.add("warning", 0, "empty", "no lines", "a run", "all queries score 0")
    return rows


def _parse(number: int, line: str, findings: Findings) -> _Row | None:
    fields = line.split()
    if len(fields) != 6:
        shape = "6 columns: query Q0 document rank score tag"
        mend = "ids and tags must not contain blanks" if len(fields) > 6 else ""
        findings.add("error", number, "columns", f"{len(fields)} columns", shape, mend)
        return None
    query_id, _, doc_id, rank, score, tag = fields
    try:
        # Python reads "1_0" and the digits of all scripts as numbers; other tools do not.
        value = float(score) if score.isascii() and "_" not in score else None
    except ValueError:
        value = None
    if value is None:
        findings.add("error", number, "score", f"score {score!r}", "a number")
        return None
    if not math.isfinite(value) or abs(value) > _LARGEST_SCORE:
        findings.add("error", number, "score", f"score {score}", "a finite 32-bit number", "leave the document out")
        return None
    if not (rank.isascii() and rank.isdecimal() and len(rank) < 10):
        findings.add("error", number, "rank", f"rank {rank!r}", "a whole number from 0 or 1 up")
        return None
    return _Row(number, query_id, doc_id, int(rank), value, tag)


def _tag(rows: Sequence[_Row], findings: Findings) -> str:
    first_lines: dict[str, int] = {}
    for row in rows:
        first_lines.setdefault(row.tag, row.line)
    tags = list(first_lines)
    for tag in tags[1:]:
        findings.add("error", first_lines[tag], "tag", f"run tag {tag!r} after {tags[0]!r}", "one tag in a run")
    return tags[0] if tags else ""


_ByQuery = Mapping[str, _Rows]


def _check_documents(by_query: _ByQuery, findings: Findings) -> None:
    for query_id, own in by_query.items():
        if len(set(own.doc_ids)) < len(own.doc_ids):
            seen: set[str] = set()
            repeats: dict[str, int] = {}
            for doc_id, line in zip(own.doc_ids, own.lines, strict=True):
                if doc_id in seen:
                    repeats.setdefault(doc_id, line)
                seen.add(doc_id)
            doc_id, line = next(iter(repeats.items()))
            what = f"query {query_id}: document {doc_id} stands twice"
            what += f", and {len(repeats) - 1} others" if len(repeats) > 1 else ""
            findings.add("error", line, "duplicate document", what, "each once", "keep the line with the best score")


def _check_names(by_query: _ByQuery, expected: Expected, findings: Findings) -> None:
    known = set(expected.query_ids)
    for query_id, own in by_query.items():
        if query_id not in known:
            what = f"unknown query {query_id}"
            findings.add("error", own.lines[0], "unknown query", what, "the ids of the part's queries")
        strangers = [place for place, doc_id in enumerate(own.doc_ids) if doc_id not in expected.doc_ids]
        if strangers:
            more = f" and {len(strangers) - 1} others" if len(strangers) > 1 else ""
            what = f"query {query_id}: unknown document {own.doc_ids[strangers[0]]}{more}"
            line = own.lines[strangers[0]]
            findings.add("error", line, "unknown document", what, "ids of the collection's documents")


def _check_completeness(counts: Mapping[str, int], expected: Expected, findings: Findings) -> None:
    """Warn of rankings that are missing, short, or deeper than the track stores; ``counts``: documents by query."""
    for query_id, count in counts.items():
        if count > expected.depth:
            what = f"query {query_id}: {count} documents"
            limit = f"{expected.depth}, the track's depth"
            findings.add("warning", 0, "deep ranking", what, limit, "the rest is ignored")
    missing = [query_id for query_id in expected.query_ids if query_id not in counts]
    if missing:
        what = f"{len(missing)} of {len(expected.query_ids)} queries are missing (first: {missing[0]})"
        findings.add("warning", 0, "missing queries", what, "a ranking for each", "they score 0")
    attainable = min(expected.depth, len(expected.doc_ids))
    short = [query_id for query_id, count in counts.items() if count < attainable]
    if short:
        what = f"{len(short)} rankings are short (first: query {short[0]}, {counts[short[0]]} documents)"
        findings.add("warning", 0, "short rankings", what, f"{attainable} documents", "scores can only be lower")


def _check_rank_column(query_id: str, own: _Rows, ranked: Ranked, findings: Findings) -> None:
    rank_of = dict(zip(own.doc_ids, own.ranks, strict=True))
    scores = ranked.scores
    for i in range(len(ranked.doc_ids) - 1):
        if scores[i] > scores[i + 1] and rank_of[ranked.doc_ids[i]] >= rank_of[ranked.doc_ids[i + 1]]:
            doc_id = ranked.doc_ids[i + 1]
            what = f"query {query_id}: rank column contradicts the scores at {doc_id}"
            line = own.lines[own.doc_ids.index(doc_id)]
            findings.add(
                "warning", line, "rank column", what, "ranks that rise as scores fall", "scores decide the order"
            )
            return


def _check_ties(rankings: Mapping[str, Ranked], findings: Findings) -> None:
    tied = [query_id for query_id, ranked in rankings.items() if has_ties(ranked)]
    if tied:
        what = f"{len(tied)} of {len(rankings)} rankings have tied scores (first: query {tied[0]})"
        findings.add("warning", 0, "ties", what, "distinct scores", "ties are broken by doc id, descending")


def has_ties(ranked: Ranked) -> bool:
    return bool(np.any(ranked.scores[1:] == ranked.scores[:-1]))


def formatted_score(score: np.floating | float) -> str:
    """The shortest decimal that reads back as the same number of the same width."""
    return str(score) if isinstance(score, np.float32) else repr(float(score))


def format_run(rankings: Iterable[Ranking], tag: str) -> Iterator[str]:
    """Lines of a TREC run in the fixed order, ranks from 1, scores as they were given."""
    for ranking in rankings:
        scores = np.asarray(ranking.scores)
        ranked = fixed_order(list(ranking.doc_ids), scores.astype(np.float32))
        given = dict(zip(ranking.doc_ids, scores, strict=True))
        for rank, doc_id in enumerate(ranked.doc_ids, 1):
            yield f"{ranking.query_id} Q0 {doc_id} {rank} {formatted_score(given[doc_id])} {tag}\n"


def write_run(path: Path, rankings: Iterable[Ranking], tag: str) -> bytes:
    """Write a gzipped run, atomically and with reproducible bytes. Returns the text as it is before compression."""
    text = "".join(format_run(rankings, tag)).encode()
    write_together([(path, gzip_bytes(text))])
    return text
