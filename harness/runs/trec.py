"""TREC runs: read, validate and write, with one order of documents for everything.

The order is trec_eval's: float32(score) descending, then doc id descending by UTF-8 bytes. It is fixed here, when a run
is read or written; whatever looks at a ranking afterwards looks at this order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.errors import Finding, InvalidInput, errors_of
from harness.files.findings import Findings
from harness.files.limits import RUN_BYTES, RUN_LINE_BYTES
from harness.files.reading import read_lines
from harness.files.writing import gzip_bytes, write_together
from harness.records import Ranking
from harness.runs.run_lines import Parse, Rows, is_float32, parse_ms_marco, parse_trec, read_rows, tag_of
from harness.runs.trec_columns import Columns, read_columns


class Ranked(NamedTuple):
    """One query's documents in the fixed order, with their scores as float32, shape (documents,)."""

    doc_ids: tuple[str, ...]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Run:
    """One part's run: its tag, and rankings by query id in the order of the file."""

    tag: str
    rankings: Mapping[str, Ranked]


class DocIds(Protocol):
    """What validation asks of a collection's documents."""

    def __len__(self) -> int: ...

    def __contains__(self, doc_id: object, /) -> bool: ...


@dataclass(frozen=True)
class Expected:
    """What a run of one part may contain: the part's queries, the collection's documents, the stored depth.

    ``exclude_own``: the document that has the query's id is taken out of its ranking, as the track says.
    """

    query_ids: Sequence[str]
    doc_ids: DocIds
    depth: int
    exclude_own: bool = False

    @property
    def attainable(self) -> int:
        """Documents that every ranking can have."""
        return min(self.depth, len(self.doc_ids) - self.exclude_own)


def fixed_order(doc_ids: Sequence[str], scores: NDArray[np.float32]) -> Ranked:
    """Sort one ranking by float32 score descending, then doc id descending by UTF-8 bytes.

    >>> fixed_order(["a", "b", "c"], np.array([1, 2, 1], np.float32)).doc_ids
    ('b', 'c', 'a')
    """
    # Comparing Python strings compares code points, which orders them as their UTF-8 bytes do.
    pairs = sorted(zip(scores.tolist(), doc_ids, strict=True), reverse=True)
    return Ranked(tuple(doc for _, doc in pairs), np.array([score for score, _ in pairs], dtype=np.float32))


def read_run(path: Path, expected: Expected | None = None, columns: Columns | None = None) -> tuple[Run, list[Finding]]:
    """Read a TREC run, gzip or plain, and validate it, against ``expected`` where that is given.

    ``columns``: its lines, where ``read_columns`` has read them already.

    Returns the run and its warnings. Raises ``InvalidInput`` with all errors and warnings when there is any error: not
    six columns, a score that is no finite float32, a document twice, an unknown query or document, more than one tag,
    Windows line ends, damaged gzip, not UTF-8.
    """
    findings = Findings(path.name)
    run = _run_of(columns or read_columns(path), expected) or _read_carefully(path, expected, findings)
    return _looked_over(run, expected, findings)


def read_output(path: Path, expected: Expected) -> tuple[Run, list[Finding]]:
    """Read a run that is taken over ranking by ranking, as a program wrote it; errors as in ``read_run``.

    The warnings are those of its lines alone: what is missing, short or tied is seen in the run that is made of it.
    """
    findings = Findings(path.name)
    run = _run_of(read_columns(path), expected) or _read_carefully(path, expected, findings)
    return run, findings.result()


def checked_run(
    rankings: Mapping[str, Sequence[tuple[str, float]]], name: str, expected: Expected
) -> tuple[Run, list[Finding]]:
    """A run of documents and scores that are at hand, by query id, checked as one of a file; errors as in ``read_run``."""
    findings = Findings(name)
    by_query = {
        query_id: Rows([doc_id for doc_id, _ in pairs], [score for _, score in pairs], [], [0] * len(pairs))
        for query_id, pairs in rankings.items()
    }
    for query_id, own in by_query.items():
        for doc_id, score in zip(own.doc_ids, own.scores, strict=True):
            if not is_float32(score):
                what = f"query {query_id}: document {doc_id} has the score {score}"
                findings.add("error", 0, "score", what, "a finite 32-bit number", "leave the document out")
    _check_documents(by_query, findings)
    _check_names(by_query, expected, findings)
    if findings.has_errors:
        result = findings.result()
        raise InvalidInput(f"{name} is not a valid run: {len(errors_of(result))} errors", result)
    run = Run(name, {query: fixed_order(o.doc_ids, np.array(o.scores, np.float32)) for query, o in by_query.items()})
    return _looked_over(run, expected, findings)


def read_ms_marco_run(path: Path, expected: Expected) -> tuple[Run, list[Finding]]:
    """Read a run as MS MARCO's scripts have it: query, document and rank, and a score if there is a fourth column.

    Where there is none, the rank is the order. Errors and warnings as in ``read_run``.
    """
    findings = Findings(path.name)
    run = _read_carefully(path, expected, findings, parse_ms_marco)
    return _looked_over(run, expected, findings)


def is_ms_marco_run(path: Path) -> bool:
    """Whether the first line that is not blank has three or four columns."""
    for _, line in read_lines(path, RUN_BYTES, RUN_LINE_BYTES):
        if line.strip():
            return len(line.split()) in (3, 4)
    return False


def without_own_document(ranking: Ranking, depth: int) -> Ranking:
    """A ranking without the document that has the query's id, cut at the depth in the fixed order."""
    scores = np.asarray(ranking.scores)
    ranked = without_document(fixed_order(list(ranking.doc_ids), scores.astype(np.float32)), ranking.query_id)
    kept = ranked.doc_ids[:depth]
    given = dict(zip(ranking.doc_ids, scores, strict=True))
    return Ranking(ranking.query_id, kept, np.array([given[doc_id] for doc_id in kept], dtype=scores.dtype))


def without_document(ranked: Ranked, doc_id: str) -> Ranked:
    """
    >>> without_document(Ranked(("d2", "q1"), np.array([2, 1], np.float32)), "q1").doc_ids
    ('d2',)
    """
    if doc_id not in ranked.doc_ids:
        return ranked
    place = ranked.doc_ids.index(doc_id)
    return Ranked(ranked.doc_ids[:place] + ranked.doc_ids[place + 1 :], np.delete(ranked.scores, place))


def _looked_over(run: Run, expected: Expected | None, findings: Findings) -> tuple[Run, list[Finding]]:
    if expected is not None and expected.exclude_own:
        run = _without_own(run, findings)
    if expected is not None:
        counts = {query_id: len(ranked.doc_ids) for query_id, ranked in run.rankings.items()}
        _check_completeness(counts, expected, findings)
    _check_ties(run.rankings, findings)
    return run, findings.result()


def _without_own(run: Run, findings: Findings) -> Run:
    rankings = {}
    for query_id, ranked in run.rankings.items():
        if query_id in ranked.doc_ids:
            what = f"query {query_id}: its own document stands at rank {ranked.doc_ids.index(query_id) + 1}"
            findings.add("warning", 0, "own document", what, "other documents", "it is left out, as the track says")
        rankings[query_id] = without_document(ranked, query_id)
    return Run(run.tag, rankings)


def _run_of(columns: Columns | None, expected: Expected | None) -> Run | None:
    """The run of these lines, if it is in order; None if the careful reader has to look at it."""
    if columns is None:
        return None
    if expected is not None:
        known = set(expected.query_ids)
        if not known.issuperset(columns.query_ids):
            return None
        if not all(map(expected.doc_ids.__contains__, columns.doc_ids)):
            return None
    return Run(columns.tag, {query_id: Ranked(docs, scores) for query_id, docs, scores in columns.rankings()})


def _read_carefully(path: Path, expected: Expected | None, findings: Findings, parse: Parse = parse_trec) -> Run:
    """Read line by line and note what is wrong and where. Raises ``InvalidInput`` with all of it."""
    rows = read_rows(path, findings, parse)
    tag = tag_of(rows, findings)
    by_query: dict[str, Rows] = {}
    for row in rows:
        by_query.setdefault(row.query_id, Rows()).append(row)
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


_ByQuery = Mapping[str, Rows]


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
            what = f"query {query_id}: document {doc_id} is a duplicate"
            what += f", and {len(repeats) - 1} others" if len(repeats) > 1 else ""
            findings.add("error", line, "duplicate document", what, "each once", "keep the line with the best score")


def _check_names(by_query: _ByQuery, expected: Expected, findings: Findings) -> None:
    known = set(expected.query_ids)
    for query_id, own in by_query.items():
        if query_id not in known:
            what = f"unknown query {query_id}"
            findings.add("error", next(iter(own.lines), 0), "unknown query", what, "the ids of the part's queries")
        strangers = [place for place, doc_id in enumerate(own.doc_ids) if doc_id not in expected.doc_ids]
        if strangers:
            more = f" and {len(strangers) - 1} others" if len(strangers) > 1 else ""
            what = f"query {query_id}: unknown document {own.doc_ids[strangers[0]]}{more}"
            line = own.lines[strangers[0]]
            findings.add("error", line, "unknown document", what, "ids of the collection's documents")


def _check_completeness(counts: Mapping[str, int], expected: Expected, findings: Findings) -> None:
    """Warn of rankings that are missing, short, or deeper than the track stores; ``counts``: documents by query."""
    deep = [query_id for query_id, count in counts.items() if count > expected.depth]
    if deep:
        what = f"{len(deep)} rankings are deep (first: query {deep[0]}, {counts[deep[0]]} documents)"
        limit = f"{expected.depth}, the track's depth"
        findings.add("warning", 0, "deep ranking", what, limit, "the rest is ignored")
    missing = [query_id for query_id in expected.query_ids if query_id not in counts]
    if missing:
        what = f"{len(missing)} of {len(expected.query_ids)} queries are missing (first: {missing[0]})"
        findings.add("warning", 0, "missing queries", what, "a ranking for each", "they score 0")
    short = [query_id for query_id, count in counts.items() if count < expected.attainable]
    if short:
        what = f"{len(short)} rankings are short (first: query {short[0]}, {counts[short[0]]} documents)"
        findings.add(
            "warning", 0, "short rankings", what, f"{expected.attainable} documents", "scores can only be lower"
        )


def _check_rank_column(query_id: str, own: Rows, ranked: Ranked, findings: Findings) -> None:
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
