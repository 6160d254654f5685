"""Percentages: rounded as by hand, the same for every float that stands for one fraction."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.numbers import DASH, percent


def by_hand(hits: int, count: int, digits: int) -> str:
    """Half away from zero, in whole numbers."""
    scaled = Fraction(100 * 10**digits * hits, count)
    whole = int(abs(scaled) + Fraction(1, 2))
    sign = "-" if scaled < 0 and whole else ""
    text = str(whole).rjust(digits + 1, "0")
    return sign + (f"{text[:-digits]}.{text[-digits:]}" if digits else text)


@given(st.data(), st.integers(1, 2500), st.integers(0, 3))
def test_every_share_of_hits_is_rounded_as_by_hand(data: st.DataObject, count: int, digits: int) -> None:
    hits = data.draw(st.integers(-count, count))
    assert percent(hits / count, digits) == by_hand(hits, count, digits)


@pytest.mark.parametrize(("hits", "shown"), [(23, "28.8"), (51, "63.8"), (65, "81.3"), (9, "11.3"), (0, "0.0")])
def test_halves_go_up_whether_the_nearest_float_lies_above_or_below(hits: int, shown: str) -> None:
    assert percent(hits / 80) == shown


@given(st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.0125, 0.2875]), min_size=1, max_size=7), st.randoms())
def test_the_order_of_a_sum_changes_no_digit(values: list[float], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert percent(sum(values) / len(values)) == percent(sum(shuffled) / len(shuffled))


def test_there_is_no_negative_zero_and_signs_are_shown_where_asked() -> None:
    assert [percent(v) for v in (-0.0, -0.0004, -0.0005)] == ["0.0", "0.0", "-0.1"]
    assert [percent(v, 2, signed=True) for v in (0.05, -0.05, 0.0, -0.0)] == ["+5.00", "-5.00", "0.00", "0.00"]


def test_none_is_a_dash_and_no_number_is_a_defect() -> None:
    assert percent(None) == DASH
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="no score"):
            percent(value)
