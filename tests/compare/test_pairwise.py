from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from harness.compare.pairwise import check_macro_test, mcnemar_exact, paired_t, wilcoxon
from harness.errors import InvalidInput


def names(number: int) -> list[str]:
    return [f"topic-{row}" for row in range(number)]


def normal(number: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.2, 1, size=number)


def test_paired_t_is_scipys() -> None:
    one, two = normal(30), normal(30, 1)
    found, expected = paired_t(one - two, names(30)), stats.ttest_rel(one, two)
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)
    assert (found.units, found.difference) == (30, pytest.approx((one - two).mean()))


def test_paired_t_of_clusters_is_that_of_their_sums() -> None:
    values = normal(30)
    units = [f"u{row % 10}" for row in range(30)]
    found, expected = paired_t(values, units), stats.ttest_1samp(values.reshape(3, 10).sum(axis=0), 0)
    assert (found.statistic, found.p, found.units) == pytest.approx((expected.statistic, expected.pvalue, 10), rel=1e-9)


def test_paired_t_without_an_error() -> None:
    assert paired_t(np.zeros(5), names(5)).p == 1
    with pytest.raises(InvalidInput, match="by the same amount"):
        paired_t(np.array([0.1 + 0.2, 0.3, 0.3]), names(3))
    with pytest.raises(InvalidInput, match="two units"):
        paired_t(np.ones(3), ["a"] * 3)


@pytest.mark.parametrize("number", [6, 30, 200])
def test_wilcoxon_is_scipys(number: int) -> None:
    found, expected = wilcoxon(normal(number), names(number)), stats.wilcoxon(normal(number))
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)


def test_wilcoxon_is_exact_on_few_units() -> None:
    values = normal(9)
    ranks = stats.rankdata(np.abs(values))
    sums = [sum(r for r, up in zip(ranks, ups, strict=True) if up) for ups in itertools.product([0, 1], repeat=9)]
    observed = ranks[values > 0].sum()
    tail = min(np.mean(np.array(sums) <= observed), np.mean(np.array(sums) >= observed))
    found = wilcoxon(values, names(9))
    assert found.p == pytest.approx(min(1, 2 * tail), rel=1e-12)
    assert "exact" in found.method


def test_wilcoxon_drops_zeros_and_ranks_clusters_by_their_means() -> None:
    values = np.concatenate([normal(60), np.zeros(15)])
    found = wilcoxon(values, names(75))
    assert found.units == 60
    assert "15 of 75 unit means are zero" in found.method
    assert found.p == pytest.approx(stats.wilcoxon(values, zero_method="wilcox", method="asymptotic").pvalue, rel=1e-9)
    units = [f"u{row % 25}" for row in range(75)]
    means = values.reshape(3, 25).mean(axis=0)
    assert wilcoxon(values, units).p == pytest.approx(stats.wilcoxon(means).pvalue, rel=1e-9)


def test_wilcoxon_takes_differences_equal_but_for_rounding_as_ties() -> None:
    noisy = np.array([0.3 - 0.1, -(0.4 - 0.2), 0.2, 0.7 - 0.1, 0.6, -0.6] * 4)
    clean = np.array([1.0, -1, 1, 3, 3, -3] * 4)
    assert wilcoxon(noisy, names(24)).p == pytest.approx(wilcoxon(clean, names(24)).p, rel=1e-12)
    assert wilcoxon(np.zeros(4), names(4)).p == 1


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_statsmodels_and_the_binomial_sum(wins: int, losses: int, ties: int) -> None:
    differences = np.array([1.0] * wins + [-1.0] * losses + [0.0] * ties)
    found = mcnemar_exact(differences, names(len(differences)))
    tail = sum(stats.binom.pmf(k, wins + losses, 0.5) for k in range(min(wins, losses) + 1))
    assert found.p == pytest.approx(min(1, 2 * tail), rel=1e-9)
    if wins + losses:
        assert found.p == pytest.approx(mcnemar([[ties, wins], [losses, 0]], exact=True).pvalue, rel=1e-9)
    assert found.units == wins + losses


def test_mcnemar_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidInput, match="a unit holds several"):
        mcnemar_exact(np.array([1.0, -1.0]), ["a", "a"])
    with pytest.raises(InvalidInput, match="hit or miss"):
        mcnemar_exact(np.array([0.5]), ["a"])


def test_macro_averages_refuse_mcnemar_and_wilcoxon() -> None:
    check_macro_test("randomization")
    check_macro_test("t")
    with pytest.raises(InvalidInput, match="McNemar's test cannot test a macro average"):
        check_macro_test("mcnemar")
    with pytest.raises(InvalidInput, match="Wilcoxon's signed-rank test cannot test a macro average"):
        check_macro_test("wilcoxon")


@given(st.permutations(range(20)))
def test_the_order_of_topics_changes_nothing(rows: list[int]) -> None:
    values, units = normal(20), [f"u{row % 12}" for row in range(20)]
    for test in (paired_t, wilcoxon):
        moved = test(values[rows], [units[row] for row in rows])
        assert moved.p == pytest.approx(test(values, units).p, rel=1e-9)
