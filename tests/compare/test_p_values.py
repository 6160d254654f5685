"""P-values of the randomization test: exact, tied where exact arithmetic ties, and blind to order, chunks and sides."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
import randomization_reference
import statistics_reference as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from randomization_reference import p_values, smallest_p


def p_of(contributions: Sequence[float], units: Sequence[str], resamples: int = 1000, seed: int = 7) -> float:
    return float(p_values(np.array(contributions, dtype=float)[:, None], units, resamples, seed)[0])


def names(count: int) -> list[str]:
    return [f"t{i}" for i in range(count)]


integer_differences = st.lists(st.integers(-3, 3), min_size=1, max_size=10)


@given(integer_differences, st.integers(0, 1000))
@settings(deadline=None, max_examples=40)
def test_p_is_close_to_exact_enumeration_of_all_flips(deltas: list[int], seed: int) -> None:
    exact = reference.exact_p([Fraction(d) for d in deltas])
    resamples = 40_000
    standard_error = (exact * (1 - exact) / resamples) ** 0.5
    # Over all examples together a bound of 5 standard errors is missed once in some 40,000 test runs.
    assert abs(p_of(deltas, names(len(deltas)), resamples, seed) - exact) <= 5 * standard_error + 1 / resamples


@given(integer_differences, st.integers(0, 2**40), st.integers(1, 200))
@settings(deadline=None, max_examples=60)
def test_p_is_exactly_that_of_a_second_implementation(deltas: list[int], seed: int, resamples: int) -> None:
    shares = {unit: Fraction(delta) for unit, delta in zip(names(len(deltas)), deltas, strict=True)}
    assert p_of(deltas, names(len(deltas)), resamples, seed) == reference.resampled_p(shares, resamples, seed)


@given(st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2)), min_size=1, max_size=9), st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_thirds_and_sevenths_that_tie_exactly_are_counted_as_ties(pairs: list[tuple[int, int]], seed: int) -> None:
    """Macro shares like 1/3 n + 1/7 m are no binary fractions; sums in another order differ in their last bits."""
    shares = {f"t{i}": Fraction(one, 21) + Fraction(two, 49) for i, (one, two) in enumerate(pairs)}
    deltas = [one / 21 + two / 49 for one, two in pairs]
    assert p_of(deltas, list(shares), 150, seed) == reference.resampled_p(shares, 150, seed)


def test_a_resample_that_equals_the_observed_statistic_counts_as_reaching_it() -> None:
    # One unit: every resample has the same absolute sum. Strict inequality would give 1/1001.
    assert p_of([0.1], ["t"]) == 1.0
    # Ten equal hits: only all plus and all minus reach the observed sum, and they tie with it.
    units = names(10)
    drawn = np.array([reference.unit_signs(unit, 20_000, 7) for unit in units])
    reached = int((np.abs(drawn.sum(axis=0)) == 10).sum())
    assert reached > 10
    assert p_of([1.0] * 10, units, 20_000) == (reached + 1) / 20_001


def test_large_sums_of_tenths_are_tied_where_exact_arithmetic_ties_them() -> None:
    rng = random.Random(1)
    tenths = [rng.choice([-1, 1, 2]) for _ in range(400)]
    shares = {f"t{i}": Fraction(d, 10) for i, d in enumerate(tenths)}
    assert p_of([d / 10 for d in tenths], list(shares), 300) == reference.resampled_p(shares, 300, 7)


def test_p_does_not_depend_on_the_order_of_units() -> None:
    rng = np.random.default_rng(2)
    deltas, units = rng.normal(size=40), names(40)
    order = rng.permutation(40)
    one = p_of(deltas, units)
    assert 1 / 1001 < one < 1
    assert p_of(deltas[order], [units[i] for i in order]) == one


@pytest.mark.parametrize("chunk_bytes", [1, 8 * 30, 8 * 30 * 7, 1 << 30])
def test_p_does_not_depend_on_the_size_of_chunks(chunk_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    contributions = rng.integers(-1, 2, size=(30, 5)) / 7
    expected = p_values(contributions, names(30), 500, 7)
    monkeypatch.setattr(randomization_reference, "_CHUNK_BYTES", chunk_bytes)
    assert np.array_equal(p_values(contributions, names(30), 500, 7), expected)


def test_each_statistic_has_the_p_it_has_alone_and_units_without_a_share_do_not_matter() -> None:
    rng = np.random.default_rng(4)
    contributions = rng.integers(-1, 2, size=(25, 6)).astype(float)
    together = p_values(contributions, names(25), 700, 7)
    assert together.tolist() == [p_of(contributions[:, k], names(25), 700) for k in range(6)]
    padded = np.vstack([contributions, np.zeros((4, 6))])
    assert np.array_equal(p_values(padded, [*names(25), "x", "y", "z", "w"], 700, 7), together)


def test_p_does_not_change_when_the_systems_change_sides() -> None:
    deltas = np.random.default_rng(5).normal(size=20) + 0.3
    assert p_of(deltas, names(20)) == p_of(-deltas, names(20))


def test_p_is_uniform_when_there_is_no_difference() -> None:
    from scipy.stats import kstest

    rng = np.random.default_rng(6)
    found_p = [p_of(rng.normal(size=25), [f"{run}-{i}" for i in range(25)], 999) for run in range(500)]
    assert kstest(found_p, "uniform").pvalue > 1e-4


def test_p_is_small_for_a_difference_that_every_unit_shows() -> None:
    assert p_of([1.0] * 60, names(60), 5000) == smallest_p(5000) == 1 / 5001
