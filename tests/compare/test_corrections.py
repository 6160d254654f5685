from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.compare.corrections import (
    Correction,
    check_resamples,
    correct,
    levels,
    resamples_needed,
    smallest_adjusted_p,
)
from harness.errors import InvalidInput


def naive(p: list[float], correction: Correction) -> list[float]:
    """The definitions, written out."""
    size = len(p)
    order = sorted(range(size), key=p.__getitem__)
    adjusted = [0.0] * size
    for rank, test in enumerate(order):
        if correction == "bonferroni":
            adjusted[test] = size * p[test]
        elif correction == "holm":
            adjusted[test] = max((size - before) * p[order[before]] for before in range(rank + 1))
        else:
            adjusted[test] = min(size * p[order[after]] / (after + 1) for after in range(rank, size))
    return [min(1, value) for value in adjusted]


@pytest.mark.parametrize("correction", ["holm", "bonferroni", "benjamini-hochberg"])
@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_corrections_are_their_definitions(correction: Correction, p: list[float]) -> None:
    found = correct(np.array(p), correction)
    np.testing.assert_allclose(found.p_adjusted, naive(p, correction), rtol=1e-9, atol=1e-300)
    assert (found.significant == (found.p_adjusted <= 0.05)).all() or np.isclose(found.p_adjusted, 0.05).any()


@pytest.mark.parametrize("correction", ["holm", "bonferroni", "benjamini-hochberg"])
@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=12), missing=st.integers(0, 9))
def test_a_test_that_was_not_made_counts_as_p_of_one(correction: Correction, p: list[float], missing: int) -> None:
    whole = [*p, *[1.0] * missing]
    found = correct(np.array(p), correction, missing=missing)
    np.testing.assert_allclose(found.p_adjusted, naive(whole, correction)[: len(p)], rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(
        levels(np.array(p), correction, missing=missing), levels(np.array(whole), correction)[: len(p)], rtol=1e-12
    )


@pytest.mark.parametrize(
    ("correction", "theirs"), [("holm", "holm"), ("bonferroni", "bonferroni"), ("benjamini-hochberg", "fdr_bh")]
)
def test_corrections_are_those_of_statsmodels(correction: Correction, theirs: str) -> None:
    from statsmodels.stats.multitest import multipletests

    random = np.random.default_rng(3)
    for size in (1, 7, 40):
        # A few equal ones, none, and one that is certain.
        p = np.concatenate([np.round(random.uniform(size=size) ** 4, 3), [0.0, 1.0]])
        decided, adjusted, _, _ = multipletests(p, alpha=0.0501, method=theirs)
        found = correct(p, correction, 0.0501)
        np.testing.assert_allclose(found.p_adjusted, adjusted, rtol=1e-12)
        np.testing.assert_array_equal(found.significant, decided)


def test_benjamini_hochberg_is_scipys() -> None:
    p = np.random.default_rng(0).uniform(size=50) ** 3
    expected = stats.false_discovery_control(p)
    np.testing.assert_allclose(correct(p, "benjamini-hochberg").p_adjusted, expected, rtol=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms())
def test_the_order_of_tests_changes_nothing(p: list[float], random) -> None:  # type: ignore[no-untyped-def]
    order = list(range(len(p)))
    random.shuffle(order)
    plain, moved = correct(np.array(p), "holm"), correct(np.array(p)[order], "holm")
    np.testing.assert_allclose(moved.p_adjusted, plain.p_adjusted[order], rtol=1e-12)


def test_the_smallest_adjusted_p_is_what_a_lone_small_p_gets() -> None:
    p = np.array([1 / 1001, 0.9, 0.8, 1.0])
    for correction in ("holm", "bonferroni", "benjamini-hochberg"):
        assert correct(p, correction).p_adjusted[0] == pytest.approx(smallest_adjusted_p(4, 1000))
    assert smallest_adjusted_p(2000, 1000) == 1


def test_resamples_needed() -> None:
    assert [resamples_needed(size) for size in (0, 1, 19, 133)] == [100, 100, 1900, 13_300]
    assert resamples_needed(1, 0.03) == 167
    check_resamples("macro", 19, 1900)
    with pytest.raises(InvalidInput, match="1899 resamples are too few for the family 'macro' of 19 tests"):
        check_resamples("macro", 19, 1899)


def test_edges() -> None:
    assert correct(np.empty(0), "holm").p_adjusted.shape == (0,)
    for bad in (np.nan, -0.1, 1.1):
        with pytest.raises(InvalidInput, match="between 0 and 1"):
            correct(np.array([bad, 0.5]), "holm")
