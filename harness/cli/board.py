"""A track's table on the terminal: the primary measure, ranks, and what the declared family decided."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from harness.cli.console import note
from harness.cli.tables import say_table

if TYPE_CHECKING:
    from harness.leaderboard.exports.table import Line
    from harness.leaderboard.table import Leaderboard

ROWS_SHOWN = 15
_MARKS = {"": "", "better": "▲", "worse": "▼"}


def show_board(board: Leaderboard, own: Collection[str] = ()) -> None:
    """Print the rows that lead, and wherever they stand those of ``own``, which are pointed at."""
    from harness.leaderboard.exports.table import SEEN, SEEN_MEANS, table_of

    table = table_of(board)
    lines = list(zip((row.system for row in board.rows), table.lines, strict=True))
    shown = [place for place, (name, _) in enumerate(lines) if place < ROWS_SHOWN or name in own]
    rows = [_row(lines[place][1], pointed=lines[place][0] in own) for place in shown]
    say_table(["", table.measure, *table.columns], rows, names=2)
    left_out = f"{len(lines) - len(rows)} rows are left out here; " if len(rows) < len(lines) else ""
    if any(line.seen for line in table.lines):
        note(f"{SEEN} {SEEN_MEANS}")
    note(f"{left_out}▲ better, ▼ worse than {board.comparison.baseline} in the declared families of tests")


def _row(line: Line, pointed: bool) -> list[str]:
    # A place for the mark in every cell, so that figures stand below each other.
    cells = [f"{entry.text}{'†' if entry.seen else ''}{_MARKS[entry.mark] or ' '}" for entry in line.entries]
    title = f"{line.title} (withdrawn)" if line.withdrawn else line.title
    return [line.rank, f"> {title}" if pointed else title, *cells]
