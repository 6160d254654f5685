"""What the systems of a table may have been trained on: columns of which a value is an upper bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.adapters.card import speaking_of
from harness.compare.records import MACRO
from harness.leaderboard.table import Leaderboard, Row
from harness.runs.manifest import Manifest
from harness.tracks import Track


def seen_by(system: str, manifests: Mapping[str, Manifest]) -> tuple[str, ...]:
    """What the cards of a system, and of the rows that it stands on, say its training may have held: `collection: source`."""
    found: list[str] = []
    waiting, known = [system], set()
    while waiting:
        name = waiting.pop(0)
        if name in known or name not in manifests:
            continue
        known.add(name)
        found += manifests[name].card.may_have_seen
        waiting += manifests[name].rows
    return tuple(dict.fromkeys(found))


def seen_columns(track: Track, entries: Sequence[str]) -> frozenset[str]:
    """Columns of which the system's training may have held data; the macro average, where that is so of one of its parts."""
    parts = {part.name for part in track.clean_parts if speaking_of(part.dataset, entries)}
    return frozenset(parts | ({MACRO} if parts & set(track.macro_parts) else set()))


def one_sided(track: Track, manifests: Mapping[str, Manifest], first: str, second: str) -> frozenset[str]:
    """Columns that the training of one of the two alone may have held data of: no verdict rests on a difference there."""
    one, two = (seen_columns(track, seen_by(name, manifests)) for name in (first, second))
    return one ^ two


def what_was_seen(board: Leaderboard, row: Row) -> tuple[str, ...]:
    """What is known of this track's data and the row's training, `collection: source`."""
    found = [entry for column in board.columns for entry in speaking_of(column.dataset, row.may_have_seen)]
    return tuple(dict.fromkeys(found))
