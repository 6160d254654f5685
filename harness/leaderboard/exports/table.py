"""The one table that Markdown and LaTeX set in type: the primary measure, ranks, marks, and how it was tested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.leaderboard.seen import what_was_seen
from harness.leaderboard.table import Cell, Leaderboard, best_of, columns_of, leads
from harness.numbers import DASH, percent
from harness.runs.withdrawal import Withdrawal

CORRECTIONS = {
    "holm": "Holm",
    "bonferroni": "Bonferroni",
    "benjamini-hochberg": "Benjamini-Hochberg",
    "max-T": "max-T",
}
Mark = Literal["", "better", "worse"]
SEEN = "†"
SEEN_MEANS = (
    "the system's training may have held data of this collection, so that the figure is an upper bound; it leads no column, "
    "and no mark is given for a comparison of which that is so of one system alone"
)


@dataclass(frozen=True)
class Entry:
    """One cell: the value times 100 or a dash, what the declared family decided, and whether it leads its column.

    ``seen``: the system's training may have held the column's data.
    """

    text: str
    mark: Mark
    best: bool
    seen: bool = False


@dataclass(frozen=True)
class Line:
    rank: str
    title: str
    entries: tuple[Entry, ...]
    withdrawn: Withdrawal | None
    lacking: Mapping[str, str]
    seen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    measure: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    families: tuple[str, ...]


def table_of(board: Leaderboard) -> Table:
    primary, names = board.track.primary, columns_of(board)
    best = best_of(board.rows, primary)
    lines = tuple(
        Line(
            rank=DASH if row.rank is None else str(row.rank),
            title=" ".join(row.title.split()),
            entries=tuple(
                Entry(percent(cell.value), mark_of(cell), leads(row, primary, name, best), cell.may_have_seen)
                for name in names
                for cell in (row.cells[primary][name],)
            ),
            withdrawn=row.withdrawn,
            lacking=dict(row.lacking),
            seen=what_was_seen(board, row),
        )
        for row in board.rows
    )
    return Table(primary, tuple(names), lines, families_of(board))


def mark_of(cell: Cell) -> Mark:
    """What the declared family says about the difference to the baseline; nothing where it is not significant, or where one
    of the two alone may have been trained on the data."""
    if not cell.significant or not cell.difference or cell.one_sided:
        return ""
    return "better" if cell.difference > 0 else "worse"


def families_of(board: Leaderboard) -> tuple[str, ...]:
    """Each declared family in words: its size, its correction, its B, and the smallest p-value it can reach."""
    tests = board.comparison
    words = []
    for family in tests.families:
        resamples = tests.all_pairs_resamples if family.name == "all pairs" else tests.resamples
        correction = CORRECTIONS[family.correction]
        smallest = f"smallest adjusted p {family.smallest_adjusted_p:.2g}"
        words.append(f"{family.name}: {family.size} tests, {correction}, B = {resamples:,}, {smallest}")
    return tuple(words)
