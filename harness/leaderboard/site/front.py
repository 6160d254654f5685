"""The front page as data: for every language, who is first in each track, and whether the lead is real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.compare.records import Bounds
from harness.errors import XdrError
from harness.languages import Language, language
from harness.leaderboard.published import load_published
from harness.leaderboard.table import Column, Leaderboard
from harness.leaderboard.verdict import Verdict, headline, value_of, verdict_on

_PURPOSES = ("benchmark", "experiment", "demonstration", "development")
_STRIP_WIDTH = 100


@dataclass(frozen=True)
class Strip:
    """All systems of a column on a scale from 0 to 100, rounded to whole numbers so that many systems take few bytes.

    ``first``: place of the first one, with ``bounds`` of its 95% interval; ``tied``, ``seen`` and ``lower``: places of those
    that cannot be told from it, that may have been trained on the data, and of the others.
    """

    first: float | None
    bounds: Bounds | None
    tied: tuple[int, ...]
    seen: tuple[int, ...]
    lower: tuple[int, ...]


@dataclass(frozen=True)
class Line:
    """One track's answer for one language."""

    board: Leaderboard
    column: Column
    verdict: Verdict
    strip: Strip
    tests: int


@dataclass(frozen=True)
class LanguageRow:
    language: Language
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class TrackCard:
    """A track in one sentence. ``measure``: its primary measure in plain words, empty where it has none."""

    board: Leaderboard
    headline: str
    languages: int
    measure: str


def by_language(boards: Sequence[Leaderboard]) -> list[LanguageRow]:
    """A row for each language that counts in a track's macro average, by its English name; benchmarks come first in it."""
    lines: dict[str, list[Line]] = {}
    for board in in_order(boards):
        for column in board.columns:
            if column.in_macro:
                lines.setdefault(column.lang, []).append(_line(board, column))
    rows = [LanguageRow(language(code), tuple(found)) for code, found in lines.items()]
    return sorted(rows, key=lambda row: row.language.name)


def in_order(boards: Sequence[Leaderboard]) -> list[Leaderboard]:
    return sorted(boards, key=lambda board: (_PURPOSES.index(board.track.purpose), board.track.name))


def cards(boards: Sequence[Leaderboard]) -> list[TrackCard]:
    return [
        TrackCard(board, headline(board), sum(column.in_macro for column in board.columns), plain_measure(board))
        for board in in_order(boards)
    ]


def plain_measure(board: Leaderboard) -> str:
    """The track's primary measure in plain words; empty where it has none or is not installed here."""
    try:
        return board.track.measure(board.track.primary).plainly
    except XdrError:
        return ""


def best_published() -> tuple[str, str, str]:
    """Of XOR-Retrieve's test questions, R@2kt: the highest average that a source prints, its system, and the source's title."""
    results = [
        result
        for result in load_published()
        if result.row.average is not None and (result.row.measure, result.row.split) == ("R@2kt", "test")
    ]
    best = max(results, key=lambda result: (result.row.average or 0, result.label))
    return f"{best.row.average:.{best.source.decimals}f}", best.row.system, best.source.title


def _line(board: Leaderboard, column: Column) -> Line:
    verdict = verdict_on(board, column.part)
    primary = board.track.primary
    return Line(board, column, verdict, _strip(board, column.part, verdict), column.queries.get(primary, 0))


def _strip(board: Leaderboard, column: str, verdict: Verdict) -> Strip:
    primary = board.track.primary
    places: dict[str, set[int]] = {"tied": set(), "seen": set(), "lower": set()}
    tied = {row.system for row in verdict.tied}
    for row in board.rows:
        cell = row.cells[primary][column]
        if row.withdrawn is not None or cell.value is None or row is verdict.first:
            continue
        kind = "seen" if cell.may_have_seen else "tied" if row.system in tied else "lower"
        places[kind].add(round(_STRIP_WIDTH * value_of(row, primary, column)))
    first = verdict.first
    return Strip(
        first=_STRIP_WIDTH * value_of(first, primary, column) if first is not None else None,
        bounds=first.cells[primary][column].interval if first is not None else None,
        **{kind: tuple(sorted(found)) for kind, found in places.items()},
    )
