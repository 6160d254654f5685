from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.compare.stratified import macro_t
from harness.compare.units import UnitTable, tabulate
from harness.errors import InvalidInput


def languages_of(sizes: list[int]) -> list[str]:
    return [f"l{number}" for number, size in enumerate(sizes) for _ in range(size)]


def independent(sizes: list[int], seed: int = 0) -> tuple[np.ndarray, UnitTable]:
    values = np.random.default_rng(seed).normal(0.1, 1, size=sum(sizes))
    return values, tabulate(values, languages_of(sizes), [f"t{row}" for row in range(sum(sizes))])


def test_two_independent_languages_are_welchs_test() -> None:
    """(mean_1 + mean_2) / 2 against 0 is Welch's test of one sample against the other with its sign turned."""
    values, table = independent([12, 30])
    found = macro_t(table)
    welch = stats.ttest_ind(values[:12], -values[12:], equal_var=False)
    assert found.t == pytest.approx(welch.statistic, rel=1e-9)
    assert found.p == pytest.approx(welch.pvalue, rel=1e-9)
    assert found.degrees_of_freedom == pytest.approx(welch.df, rel=1e-9)
    interval = welch.confidence_interval(0.95)
    assert found.interval == pytest.approx((interval.low / 2, interval.high / 2), rel=1e-9)
    assert found.form == "independent languages"


def test_one_language_is_the_paired_t_test() -> None:
    values, table = independent([25])
    found, expected = macro_t(table), stats.ttest_1samp(values, 0)
    assert (found.t, found.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)


def test_parallel_topics_are_the_t_test_of_their_means() -> None:
    values = np.random.default_rng(1).normal(size=(40, 7)) + np.random.default_rng(2).normal(size=(40, 1))
    languages, units = np.meshgrid([f"l{k}" for k in range(7)], [f"t{k}" for k in range(40)])
    found = macro_t(tabulate(values.ravel(), languages.ravel().tolist(), units.ravel().tolist()))
    expected = stats.ttest_1samp(values.mean(axis=1), 0)
    assert (found.t, found.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)
    assert (found.degrees_of_freedom, found.form) == (39, "shared units")


def test_shared_units_are_clustered_errors_of_a_regression_on_languages() -> None:
    generator = np.random.default_rng(3)
    sizes = [30, 50, 20]
    languages = np.array(languages_of(sizes))
    units = generator.integers(0, 25, size=100)
    values = generator.normal(size=100) + generator.normal(size=25)[units]
    found = macro_t(tabulate(values, languages.tolist(), [f"u{unit}" for unit in units]))
    design = (languages[:, None] == np.unique(languages)[None, :]).astype(float)
    clustered = {"groups": units, "use_correction": False}
    fitted = sm.OLS(values, design).fit(cov_type="cluster", cov_kwds=clustered)
    contrast = fitted.t_test(np.full(3, 1 / 3))
    number = len(np.unique(units))
    assert found.estimate == pytest.approx(contrast.effect.item(), rel=1e-9)
    assert found.standard_error == pytest.approx(contrast.sd.item() * np.sqrt(number / (number - 1)), rel=1e-9)


def test_clusters_inside_languages_are_summed_before_their_variance_is_taken() -> None:
    generator = np.random.default_rng(4)
    values = generator.normal(size=(2, 10, 5)) + generator.normal(size=(2, 10, 1))
    languages = [f"l{language}" for language in range(2) for _ in range(50)]
    units = [f"l{language}-u{unit}" for language in range(2) for unit in range(10) for _ in range(5)]
    found = macro_t(tabulate(values.ravel(), languages, units))
    means = values.mean(axis=2)
    expected = stats.ttest_ind(means[0], -means[1], equal_var=False)
    assert (found.t, found.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(20)))
def test_the_order_of_topics_changes_nothing(rows: list[int]) -> None:
    values = np.random.default_rng(5).normal(size=20)
    languages, units = languages_of([8, 12]), [f"u{row % 9}" for row in range(20)]
    plain = macro_t(tabulate(values, languages, units))
    moved = macro_t(tabulate(values[rows], [languages[row] for row in rows], [units[row] for row in rows]))
    assert moved.p == pytest.approx(plain.p, rel=1e-12)


def test_equal_systems_have_p_1() -> None:
    found = macro_t(tabulate(np.zeros(4), ["a", "a", "b", "b"], list("wxyz")))
    assert (found.p, found.estimate) == (1.0, 0.0)


def test_refusals() -> None:
    with pytest.raises(InvalidInput, match="by the same amount"):
        macro_t(tabulate(np.full(6, 0.1), languages_of([3, 3]), list("abcdef")))
    with pytest.raises(InvalidInput, match="at least two units in each language"):
        macro_t(tabulate(np.arange(3.0), languages_of([1, 2]), list("abc")))
    with pytest.raises(InvalidInput, match="at least two units in each comparison"):
        macro_t(tabulate(np.arange(4.0), languages_of([2, 2]), ["a"] * 4))


def test_the_table_of_units_is_what_loops_say() -> None:
    table = tabulate(np.array([1.0, 2.0, 4.0, 8.0]), ["b", "a", "b", "b"], ["u", "u", "t", "u"])
    assert (table.units, table.languages) == (("t", "u"), ("a", "b"))
    assert table.sums.tolist() == [[0, 4], [2, 9]]
    assert table.counts.tolist() == [[0, 1], [1, 2]]
    assert table.macro == pytest.approx((2 + 13 / 3) / 2)
    assert table.contributions().sum() == pytest.approx(table.macro)
    assert not table.nested
    with pytest.raises(InvalidInput, match="do not match"):
        tabulate(np.ones(1), [], [])
    with pytest.raises(InvalidInput, match="no topics"):
        tabulate(np.ones(0), [], [])
    with pytest.raises(InvalidInput, match="finite"):
        tabulate(np.array([np.inf]), ["a"], ["b"])
