"""Who is first in a column, and is the lead real: told from the test of all pairs, by rules written out here once more."""

from __future__ import annotations

import itertools

import pytest
from boards import board_of, means, toy_board
from hypothesis import given, settings
from hypothesis import strategies as st
from score_files import scores_of, track_of

from harness.compare.records import MACRO
from harness.leaderboard.table import Leaderboard, Row
from harness.leaderboard.verdict import headline, named, told, verdict_on

SEEN = {"may_have_seen": ["toy: a source"]}
TENTHS = st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.8, 0.9, 1.0])


def board(values: dict[str, float], seen: tuple[str, ...] = ()) -> Leaderboard:
    scores = [scores_of(name, means(fi=value)) for name, value in values.items()]
    return board_of(track_of("fi", baseline=next(iter(values))), *scores, cards=dict.fromkeys(seen, SEEN))


def p_of(board: Leaderboard, one: Row, two: Row, column: str) -> float | None:
    tests = board.comparison.pairs_on(column, board.track.primary)
    return tests.p_adjusted(one.system, two.system) if tests is not None else None


def test_a_lead_that_the_test_of_all_pairs_finds_is_clear() -> None:
    found = verdict_on(board({"low": 0.0, "high": 1.0}), "fi")
    assert found.first is not None
    assert (found.first.system, found.tied, found.is_clear) == ("high", (), True)
    assert found.in_words == "clearly first, 100.0 above low"


def test_a_lead_of_one_question_is_none() -> None:
    found = verdict_on(board({"low": 0.5, "high": 0.6}), "fi")
    assert not found.is_clear
    assert found.in_words == "leads, but cannot be told from low"


def test_more_than_two_tied_systems_are_counted() -> None:
    found = verdict_on(board({"a": 0.5, "b": 0.5, "c": 0.5, "d": 0.6}), "fi")
    assert found.in_words == "leads, but cannot be told from 3 others"


def test_the_only_system_leads_nobody() -> None:
    assert verdict_on(board({"a": 0.5}), "fi").in_words == "the only system here"


@settings(max_examples=25, deadline=None)
@given(st.lists(TENTHS, min_size=1, max_size=5), st.integers(0, 31))
def test_a_verdict_is_what_its_rules_say(values: list[float], seen_bits: int) -> None:
    names = [f"s{i}" for i in range(len(values))]
    seen = tuple(name for i, name in enumerate(names) if seen_bits >> i & 1)
    made = board(dict(zip(names, values, strict=True)), seen)
    rows = {row.system: row for row in made.rows}
    for column in ("fi", MACRO):
        found = verdict_on(made, column)
        value = {name: rows[name].cells[made.track.primary][column].value or 0.0 for name in names}
        marked = {name for name in names if rows[name].cells[made.track.primary][column].may_have_seen}
        assert marked == set(seen)
        clean = [name for name in names if name not in marked]
        if not clean:
            assert found.first is None
            assert {row.system for row in found.seen} == marked
            continue
        assert found.first is not None
        best = max(value[name] for name in clean)
        assert value[found.first.system] == best
        assert {row.system for row in found.seen} == {name for name in marked if value[name] > best}
        lower = [
            name for name in clean if name != found.first.system and name not in {row.system for row in found.tied}
        ]
        # Whoever is called lower differs significantly from the first one, and whoever is called tied does not.
        for name in lower:
            p = p_of(made, found.first, rows[name], column)
            assert p is not None
            assert p <= made.track.families.alpha
        for row in found.tied:
            p = p_of(made, found.first, row, column)
            assert p is None or p > made.track.families.alpha
        assert found.is_clear == (not found.tied and bool(lower) and not found.untested)
        if lower:
            assert found.next is not None
            assert value[found.next.system] == max(value[name] for name in lower)


def test_a_row_that_may_have_seen_the_data_leads_nothing() -> None:
    found = verdict_on(board({"low": 0.0, "high": 0.9, "seen": 1.0}, seen=("seen",)), "fi")
    assert found.first is not None
    assert found.first.system == "high"
    assert [row.system for row in found.seen] == ["seen"]
    nobody = verdict_on(board({"a": 0.0, "b": 0.9}, seen=("a", "b")), "fi")
    assert nobody.in_words == "no verdict: every system here may have been trained on this data"


def test_headlines() -> None:
    assert headline(board({"low": 0.0, "high": 1.0})) == "high is clearly first"
    assert headline(board({"low": 0.5, "high": 0.6})) == "high and low share the first place"
    assert headline(board({"a": 0.5, "b": 0.5, "c": 0.5, "d": 0.6})) == "d leads, and cannot be told from 3 others"
    assert headline(board({"a": 0.5})) == "a: the only system here"
    assert (
        headline(board({"a": 0.5}, seen=("a",))) == "No verdict: every system here may have been trained on this data"
    )
    below = board({"low": 0.0, "high": 0.9, "seen": 0.5}, seen=("seen",))
    assert headline(below) == "high is clearly first"


def test_those_above_the_first_one_are_named_where_it_is_called_first() -> None:
    above = board({"low": 0.0, "high": 0.8, "more": 0.9, "most": 1.0}, seen=("more", "most"))
    assert headline(above) == "Apart from systems that may have seen this data, high is clearly first"
    assert told(above)[-1] == "most has 100.0 and more has 90.0, but both may have been trained on this data."
    many = board({"low": 0.0, "a": 0.8, "b": 0.9, "c": 1.0, "high": 0.7}, seen=("a", "b", "c"))
    assert told(many)[-1] == (
        "c has 100.0, and 2 others are above as well, but all of them may have been trained on this data."
    )
    shared = board({"low": 0.5, "high": 0.6, "most": 1.0}, seen=("most",))
    assert headline(shared) == "Apart from systems that may have seen this data, high and low share the first place"
    assert told(shared)[-1] == "most has 100.0, but may have been trained on this data."


def test_a_row_without_a_macro_average_is_not_in_its_verdict() -> None:
    found = verdict_on(toy_board())
    named_rows = [row.system for row in itertools.chain([found.first], found.tied, [found.next]) if row is not None]
    assert "partial" not in named_rows


@pytest.mark.parametrize(("count", "said"), [(1, "s0"), (2, "s0 and s1"), (3, "3 others")])
def test_names_of_tied_systems(count: int, said: str) -> None:
    rows = board({f"s{i}": 0.5 for i in range(count)}).rows
    assert named(rows) == said
