"""Snapshots of a track, and what has changed on its table since each."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from harness.compare.records import MACRO
from harness.errors import InvalidInput
from harness.leaderboard.snapshots import FILE_NAME, FOLDER, read_snapshot
from harness.leaderboard.table import Leaderboard, Row, read_leaderboard


class Frozen(NamedTuple):
    """``since``: how the table differs from the snapshot, in words."""

    track: str
    name: str
    date: str
    since: str


def frozen(runs: Path, board: Leaderboard) -> list[Frozen]:
    """The snapshots of a board's track, the newest first; those that cannot be read are left to ``xdr leaderboard --check``."""
    found = []
    for path in sorted((runs / board.track.name / FOLDER).glob(f"*/{FILE_NAME}")):
        try:
            snapshot, then = read_snapshot(path), read_leaderboard(path.parent)
        except InvalidInput:
            continue
        found.append(Frozen(board.track.title, snapshot.name, snapshot.date.isoformat(), _since(then, board)))
    return sorted(found, key=lambda one: (one.date, one.name), reverse=True)


def _since(then: Leaderboard, now: Leaderboard) -> str:
    """
    Rows are the same where their system and their average on the primary measure are.
    """
    before = {row.system: _average(then, row) for row in then.rows if row.withdrawn is None}
    today = {row.system: _average(now, row) for row in now.rows if row.withdrawn is None}
    both = before.keys() & today.keys()
    counts = {
        "new": len(today.keys() - both),
        "gone": len(before.keys() - both),
        "with another average": sum(before[name] != today[name] for name in both),
    }
    told = [f"{count} {'row' if count == 1 else 'rows'} {what}" for what, count in counts.items() if count]
    return ("since then " + ", ".join(told)) if told else "the same rows and averages as today"


def _average(board: Leaderboard, row: Row) -> float | None:
    return row.cells[board.track.primary][MACRO].value
