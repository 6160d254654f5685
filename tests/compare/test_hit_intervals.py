"""Wilson's and Newcombe's intervals of macro averages: those of the literature where there is one, and coverage elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from validity_studies.paired_hits import PairedHits, newcombe

from harness.compare.hit_intervals import hit_difference, hit_rate
from harness.compare.intervals import wilson
from harness.compare.units import UnitTable, tabulate
from harness.errors import InvalidInput

HITS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def one_language(hits: list[bool]) -> UnitTable:
    return tabulate(np.array(hits, dtype=np.float64), ["fi"] * len(hits), [f"q{i}" for i in range(len(hits))])


@settings(deadline=None)
@given(HITS)
def test_on_one_language_they_are_wilsons_and_newcombes(pairs: list[tuple[bool, bool]]) -> None:
    first, second = [one for one, _ in pairs], [two for _, two in pairs]
    found, expected = hit_rate(one_language(first)), wilson(sum(first), len(first))
    assert (found.lower, found.upper) == pytest.approx((expected.lower, expected.upper))
    assert found.method == "Wilson"
    counts = [pairs.count(kind) for kind in ((True, True), (True, False), (False, True), (False, False))]
    found, expected = hit_difference(one_language(first), one_language(second)), newcombe(PairedHits(*counts))
    assert (found.lower, found.upper) == pytest.approx((expected.lower, expected.upper))
    assert found.method == "Newcombe 10"


def test_languages_with_one_rate_are_one_sample_of_all_their_topics() -> None:
    """Seven languages of 20 topics, 18 hits in each: Wilson's interval of 126 in 140."""
    hits = np.array(([1.0] * 18 + [0.0] * 2) * 7)
    languages = [f"l{i // 20}" for i in range(140)]
    found = hit_rate(tabulate(hits, languages, [f"q{i}" for i in range(140)]))
    expected = stats.binomtest(126, 140).proportion_ci(method="wilson")
    assert (found.lower, found.upper) == pytest.approx((expected.low, expected.high))


def test_stratification_and_shared_units_count() -> None:
    """Written out: V = sum p (1 - p) / n / L^2 for two independent languages; and a unit of two equal topics is worth one."""
    hits = np.array([1.0] * 9 + [0.0] + [1.0] * 4 + [0.0] * 16)
    languages = ["a"] * 10 + ["b"] * 20
    found = hit_rate(tabulate(hits, languages, [f"q{i}" for i in range(30)]))
    mean, variance = (0.9 + 0.2) / 2, (0.9 * 0.1 / 10 + 0.2 * 0.8 / 20) / 4
    size, z = mean * (1 - mean) / variance, stats.norm.ppf(0.975)
    centre, half = mean + z**2 / (2 * size), z * math.sqrt(variance + z**2 / (4 * size**2))
    assert (found.lower, found.upper) == pytest.approx(
        ((centre - half) / (1 + z**2 / size), (centre + half) / (1 + z**2 / size))
    )
    twins = np.repeat([1.0] * 30 + [0.0] * 10, 2)
    found = hit_rate(tabulate(twins, ["a"] * 80, [f"u{i // 2}" for i in range(80)]))
    t = stats.t.ppf(0.975, 39)
    size = 80 * 39 / 79  # topics over the design effect: variances of the mean, with 39 and with 79 degrees of freedom
    middle = (0.75 + t**2 / (2 * size)) / (1 + t**2 / size)
    assert (found.lower + found.upper) / 2 == pytest.approx(middle)


@pytest.mark.parametrize("rate", [0.0, 1.0])
@pytest.mark.parametrize("shared", [False, True])
def test_where_nothing_varies_there_is_still_a_width(rate: float, shared: bool) -> None:
    values = np.full(7 * 20, rate)
    units = [f"q{i % 20 if shared else i}" for i in range(140)]
    table = tabulate(values, [f"l{i // 20}" for i in range(140)], units)
    found = hit_rate(table)
    z = stats.t.ppf(0.975, 19) if shared else stats.norm.ppf(0.975)
    size = 20 if shared else 140
    width = z**2 / size / (1 + z**2 / size)
    assert found.upper - found.lower == pytest.approx(width), "Wilson's at 0 or 1"
    assert found.lower <= rate <= found.upper
    apart = hit_difference(table, table)
    assert apart.lower < 0 < apart.upper


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.sampled_from("abc"), st.integers(0, 5)), min_size=2))
def test_they_hold_the_estimate_and_stay_in_range(rows: list[tuple[int, int, str, int]]) -> None:
    languages, units = [row[2] for row in rows], [f"u{row[3]}" for row in rows]
    first, second = (tabulate(np.array([float(row[k]) for row in rows]), languages, units) for k in (0, 1))
    try:
        rate, apart = hit_rate(first), hit_difference(first, second)
    except InvalidInput:
        return
    assert 0 <= rate.lower <= first.macro + 1e-12
    assert first.macro - 1e-12 <= rate.upper <= 1
    assert rate.lower < rate.upper
    difference = first.macro - second.macro
    assert -1 <= apart.lower <= difference + 1e-12
    assert difference - 1e-12 <= apart.upper <= 1
    assert apart.lower < apart.upper
    other = hit_difference(second, first)
    assert (other.lower, other.upper) == pytest.approx((-apart.upper, -apart.lower))


def test_a_single_unit_with_several_topics_has_none() -> None:
    with pytest.raises(InvalidInput, match="at least two"):
        hit_rate(tabulate(np.array([1.0, 0.0]), ["a", "a"], ["u", "u"]))
