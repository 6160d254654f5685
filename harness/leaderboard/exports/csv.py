"""The leaderboard as CSV: all measures, full precision, one line per system, measure and column."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from harness.compare.records import MACRO
from harness.leaderboard.table import Leaderboard, columns_of

FILE_NAME = "leaderboard.csv"
HEADER = (
    *("rank", "system", "measure", "column", "value", "difference", "p", "p_adjusted", "significant", "withdrawn"),
    "may_have_seen",
)


def to_csv(board: Leaderboard) -> str:
    """The column ``micro`` is the mean over queries; ``withdrawn`` is the date on which a row was withdrawn.

    ``may_have_seen`` is True where the system's training may have held the column's data, and empty elsewhere.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(["" if field is None else field for field in record] for record in records_of(board))
    return buffer.getvalue()


def records_of(board: Leaderboard) -> Iterator[tuple[object, ...]]:
    """One record for each system, measure and column, with the fields of ``HEADER``; None where there is nothing to say."""
    for row in board.rows:
        withdrawn = row.withdrawn.date.isoformat() if row.withdrawn else None
        for measure, cells in row.cells.items():
            for column in columns_of(board):
                cell = cells[column]
                fields = (cell.value, cell.difference, cell.p, cell.p_adjusted, cell.significant, withdrawn)
                yield (row.rank, row.system, measure, column, *fields, cell.may_have_seen or None)
            micro = (row.micro[measure], *[None] * 4, withdrawn, cells[MACRO].may_have_seen or None)
            yield (row.rank, row.system, measure, "micro", *micro)
