"""The lines of a run one by one, as the careful reader takes them: TREC's six columns, and MS MARCO's three or four.

What a rank, a score and a line may be is decided here for both readers of runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness.files.findings import Findings
from harness.files.limits import FAULTS, RUN_BYTES, RUN_LINE_BYTES, RUN_LINES
from harness.files.reading import NotText, decoded, read_lines

LARGEST_SCORE = float(np.finfo(np.float32).max)
_RANK_DIGITS = 9


class Row(NamedTuple):
    line: int
    query_id: str
    doc_id: str
    rank: int
    score: float
    tag: str


@dataclass(slots=True)
class Rows:
    """One query's rows by column, in the order of the file."""

    doc_ids: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def append(self, row: Row) -> None:
        self.doc_ids.append(row.doc_id)
        self.scores.append(row.score)
        self.ranks.append(row.rank)
        self.lines.append(row.line)


Parse = Callable[[int, str, Findings], Row | None]


def read_rows(path: Path, findings: Findings, parse: Parse) -> list[Row]:
    rows: list[Row] = []
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
            findings.add("error", number, "not UTF-8", error.at(start), "UTF-8", error.hint)
            return []
        start += len(line) + 1
        if "\r" in content:
            if not returns:
                hint = "convert the file, for example with `sed -i 's/\\r$//'`"
                what = "a carriage return (Windows line end)"
                findings.add("error", number, "line end", what, "lines that end in \\n", hint)
            returns = True
        row = parse(number, content, findings)
        if row is not None:
            rows.append(row)
        elif (faults := faults + 1) == FAULTS:
            findings.add("error", number, "other file", f"{FAULTS:,} faulty lines; the rest was not read", "a run")
            return []
    if not number:
        findings.add("warning", 0, "empty", "no lines", "a run", "all queries score 0")
    return rows


def parse_trec(number: int, line: str, findings: Findings) -> Row | None:
    fields = line.split()
    if len(fields) != 6:
        shape = "6 columns: query Q0 document rank score tag"
        hint = "ids and tags must not contain blanks" if len(fields) > 6 else ""
        findings.add("error", number, "columns", f"{len(fields)} columns", shape, hint)
        return None
    query_id, _, doc_id, rank, score, tag = fields
    return _checked(number, (query_id, doc_id, rank, score, tag), findings)


def parse_ms_marco(number: int, line: str, findings: Findings) -> Row | None:
    fields = line.split()
    if len(fields) not in (3, 4):
        findings.add("error", number, "columns", f"{len(fields)} columns", "3 or 4: query document rank [score]")
        return None
    query_id, doc_id, rank = fields[:3]
    return _checked(
        number, (query_id, doc_id, rank, fields[3] if len(fields) == 4 else f"-{rank}", "msmarco"), findings
    )


def _checked(number: int, fields: tuple[str, str, str, str, str], findings: Findings) -> Row | None:
    query_id, doc_id, rank, score, tag = fields
    place = rank_of(rank)
    if place is None:
        findings.add("error", number, "rank", f"rank {rank!r}", "a whole number from 0 or 1 up")
        return None
    try:
        # Python reads "1_0" and the digits of all scripts as numbers; other tools do not.
        value = float(score) if score.isascii() and "_" not in score else None
    except ValueError:
        value = None
    if value is None:
        findings.add("error", number, "score", f"score {score!r}", "a number")
        return None
    if not is_float32(value):
        findings.add("error", number, "score", f"score {score}", "a finite 32-bit number", "leave the document out")
        return None
    return Row(number, query_id, doc_id, place, value, tag)


def rank_of(text: str) -> int | None:
    """The number in the rank column, which 32 bits hold; None where there is none, or one of more digits than ranks have."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _RANK_DIGITS else None


def is_float32(score: float) -> bool:
    """Whether it is finite as a 32-bit number too."""
    return math.isfinite(score) and abs(score) <= LARGEST_SCORE


def tag_of(rows: Sequence[Row], findings: Findings) -> str:
    first_lines: dict[str, int] = {}
    for row in rows:
        first_lines.setdefault(row.tag, row.line)
    tags = list(first_lines)
    for tag in tags[1:]:
        findings.add("error", first_lines[tag], "tag", f"run tag {tag!r} after {tags[0]!r}", "one tag in a run")
    return tags[0] if tags else ""
