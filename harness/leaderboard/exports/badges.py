"""Badges: one small SVG per system with its rank and macro average, to be put into somebody's README.

They load nothing, neither fonts nor styles, and say in words what they show. Widths come from a fixed table, so that
equal leaderboards give equal bytes; ``textLength`` makes every font keep to them.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Literal

from harness.compare.records import MACRO
from harness.leaderboard.exports.table import SEEN
from harness.leaderboard.table import Leaderboard, Row
from harness.numbers import percent

FOLDER_NAME = "badges"
Status = Literal["published", "submitted", "reproduced"]
# White text has a contrast of at least 4.5:1 on each of them (WCAG 2.2 AA).
_COLOURS = {"published": "#7a4b9e", "submitted": "#1f6fb2", "reproduced": "#2a7a3b", "withdrawn": "#6b6b6b"}
_NARROW, _WIDE = frozenset(" .,:;!'|·ijlItfr()"), frozenset("mwMW@%#")


def to_badges(board: Leaderboard, statuses: Mapping[str, Status] | None = None) -> dict[str, str]:
    """SVG by file name. ``statuses`` by system; a system without one is submitted."""
    statuses = statuses or {}
    return {f"{row.system}.svg": _badge(board, row, statuses.get(row.system, "submitted")) for row in board.rows}


def _badge(board: Leaderboard, row: Row, status: Status) -> str:
    primary = board.track.primary
    cell = row.cells[primary][MACRO]
    value = percent(cell.value)
    if row.withdrawn is not None:
        state, shown = "withdrawn", "withdrawn"
        words = f"withdrawn on {row.withdrawn.date}"
    else:
        rank = "no rank" if row.rank is None else f"#{row.rank}"
        state, shown = status, f"{rank} · {value}{SEEN * cell.may_have_seen} · {status}"
        place = "no rank" if row.rank is None else f"rank {row.rank} of {sum(r.rank is not None for r in board.rows)}"
        words = f"{place}, macro {primary} {value}, {status}"
        words += ", may have been trained on the data" * cell.may_have_seen
    label = f"{board.track.name} {primary}"
    return _svg(label, shown, _COLOURS[state], f"{row.title} on {board.track.title}: {words}")


def _svg(label: str, shown: str, colour: str, words: str) -> str:
    left, right = _width(label), _width(shown)
    total = left + right + 40
    texts = "".join(
        f'<text x="{x}" y="14" textLength="{width}" lengthAdjust="spacingAndGlyphs">{_escaped(text)}</text>'
        for x, width, text in ((10, left, label), (left + 30, right, shown))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" role="img" aria-label="{_escaped(words)}">'
        f"<title>{_escaped(words)}</title>"
        f'<rect width="{total}" height="20" rx="3" fill="#444"/>'
        f'<path d="M{left + 20} 0h{right + 17}a3 3 0 0 1 3 3v14a3 3 0 0 1 -3 3h-{right + 17}z" fill="{colour}"/>'
        f'<g fill="#fff" font-family="sans-serif" font-size="11">{texts}</g></svg>\n'
    )


def _width(text: str) -> int:
    """Pixels that the text takes in a common sans serif of 11 pixels, roughly."""
    return round(sum(4 if c in _NARROW else 10 if c in _WIDE else 6.5 for c in text))


def _escaped(text: str) -> str:
    """Text for XML 1.0, which has no escape for control characters and knows no half surrogates."""
    kept = "".join(c for c in text if c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")
    return html.escape(kept)
