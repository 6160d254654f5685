"""The leaderboard as lines of plain text: rank, system, macro average."""

from __future__ import annotations

from harness.compare.records import MACRO
from harness.leaderboard.table import Leaderboard
from harness.numbers import percent
from harness.visible import visible


def text_of(board: Leaderboard) -> str:
    primary = board.track.primary
    lines = [
        f"{row.rank or '-'} {visible(row.title)} {percent(row.cells[primary][MACRO].value)}\n" for row in board.rows
    ]
    return "".join(lines)
