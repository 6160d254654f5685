"""Who is first in a column of a table, and whether the lead is real: the sentence that pages begin with.

A verdict rests on the test of all pairs (``Standing``): systems that share a letter cannot be told apart. Rows that may have
been trained on the column's data take no part; where one of them has a higher value, that is said beside the verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.compare.records import MACRO
from harness.leaderboard.table import Leaderboard, Row, without_noise
from harness.numbers import percent, probability

_NAMED = 2
"""So many tied systems are named; more are counted."""


@dataclass(frozen=True)
class Verdict:
    """``first``: the row with the highest value, None where no row may lead. ``tied``: rows that cannot be told from it.

    ``next``: the best of those that are clearly lower. ``seen``: rows with a higher value that may have been trained on the
    data. ``untested``: whether no test of the column was made, so that nothing is said of ties. ``column``: a part, or the
    macro average.
    """

    column: str
    first: Row | None
    tied: tuple[Row, ...] = ()
    next: Row | None = None
    seen: tuple[Row, ...] = ()
    untested: bool = False
    lead: float | None = None

    @property
    def is_clear(self) -> bool:
        return self.next is not None and not self.tied and not self.untested

    @property
    def in_words(self) -> str:
        """What is said after the first one's name."""
        if self.first is None:
            return "no verdict: every system here may have been trained on this data" if self.seen else "no system yet"
        if self.untested:
            return "the highest value; differences were not tested"
        if self.tied:
            return f"leads, but cannot be told from {named(self.tied)}"
        if self.next is None:
            return "the only system here"
        return f"clearly first, {percent(self.lead)} above {self.next.title}"


def named(rows: Sequence[Row]) -> str:
    """
    >>> named(())
    ''
    """
    titles = [row.title for row in rows]
    if len(titles) > _NAMED:
        return f"{len(titles)} others"
    return " and ".join(titles)


def verdict_on(board: Leaderboard, column: str = MACRO) -> Verdict:
    """The verdict on one column of the primary measure."""
    primary = board.track.primary
    rows = [row for row in board.rows if row.withdrawn is None and row.cells[primary][column].value is not None]
    rows.sort(key=lambda row: -value_of(row, primary, column))  # of equal ones the table's order stays
    clean = [row for row in rows if not row.cells[primary][column].may_have_seen]
    if not clean:
        return Verdict(column, None, seen=tuple(rows))
    first, *others = clean
    highest = value_of(first, primary, column)
    seen = [
        row for row in rows if row.cells[primary][column].may_have_seen and value_of(row, primary, column) > highest
    ]
    if column not in first.standings:
        return Verdict(column, first, seen=tuple(seen), untested=len(clean) > 1)
    letters = set(first.standings[column].letters)
    tied = [row for row in others if column in row.standings and letters & set(row.standings[column].letters)]
    names = {row.system for row in tied}
    behind = next((row for row in others if row.system not in names), None)
    lead = highest - value_of(behind, primary, column) if behind is not None else None
    return Verdict(column, first, tuple(tied), behind, tuple(seen), lead=lead)


def value_of(row: Row, measure: str, column: str) -> float:
    """The cell's value without the noise of float sums; 0 where it is a dash."""
    return without_noise(row.cells[measure][column].value or 0.0)


def headline(board: Leaderboard) -> str:
    """The verdict on a track in one sentence, its macro average; of one language where it has no other."""
    found = verdict_on(board)
    if found.first is None:
        return found.in_words.capitalize()
    title = found.first.title
    if found.seen:  # a table in which others stand above whoever is called first
        title = f"Apart from systems that may have seen this data, {title}"
    if found.tied and len(found.tied) < _NAMED:
        return f"{title} and {named(found.tied)} share the first place"
    if found.tied:
        return f"{title} leads, and cannot be told from {named(found.tied)}"
    if found.is_clear:
        return f"{title} is clearly first"
    return f"{title}: {found.in_words}"


def told(board: Leaderboard) -> list[str]:
    """The verdict in figures, a sentence each: the first two, how sure their order is, who is above but may have seen it."""
    found = verdict_on(board)
    primary = board.track.primary
    if found.first is None:
        return []
    own = found.first
    count = len(board.track.macro_parts)
    scope = f"on the average of {count} languages" if count > 1 else "on its one language"
    questions = sum(column.queries.get(primary, 0) for column in board.columns if column.in_macro)
    other = found.tied[0] if found.tied else found.next
    against = f" against {percent(value_of(other, primary, MACRO))} of {other.title}" if other is not None else ""
    sentences = [f"{percent(value_of(own, primary, MACRO))}{against} {scope}, {questions:,} questions."]
    pairs = board.comparison.pairs_on(MACRO, primary)
    p = pairs.p_adjusted(own.system, other.system) if pairs is not None and other is not None else None
    if p is not None and pairs is not None:
        shown = probability(p, None if pairs.exact else 1 / (pairs.resamples + 1))
        sentences.append(
            f"With so many questions the two cannot be told apart (p of all pairs {_equal(shown)})."
            if found.tied
            else f"The lead is real: p of all pairs {_equal(shown)}."
        )
    if found.seen:
        sentences.append(_above(found.seen, primary))
    return sentences


def _above(seen: Sequence[Row], measure: str) -> str:
    """Those that stand above the first one of the verdict, and why they take no part in it."""
    one, *others = (f"{row.title} has {percent(value_of(row, measure, MACRO))}" for row in seen)
    if not others:
        return f"{one}, but may have been trained on this data."
    if len(others) < _NAMED:
        return f"{one} and {others[0]}, but both may have been trained on this data."
    return f"{one}, and {len(others)} others are above as well, but all of them may have been trained on this data."


def _equal(shown: str) -> str:
    """A line may not end between the sign and the number."""
    return (shown if shown[0] in "<≤" else f"= {shown}").replace(" ", "\N{NO-BREAK SPACE}")


def first_or_tied(board: Leaderboard, column: str) -> frozenset[str]:
    """Systems that are the best of a column, or cannot be told from it."""
    found = verdict_on(board, column)
    return frozenset(row.system for row in (found.first, *found.tied) if row is not None)


def two_that_differ(board: Leaderboard) -> tuple[str, str] | None:
    """The first two of the verdict, for a page that shows on which questions they differ."""
    found = verdict_on(board)
    other = found.tied[0] if found.tied else found.next
    return (found.first.system, other.system) if found.first is not None and other is not None else None
