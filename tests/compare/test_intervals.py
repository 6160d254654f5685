from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.proportion import proportion_confint
from validity_studies.paired_hits import PairedHits, newcombe, tango

from harness.compare import intervals
from harness.compare.intervals import bootstrap, bootstrap_statistics, wilson
from harness.compare.units import tabulate
from harness.errors import InvalidInput

tables = st.builds(PairedHits, *[st.integers(0, 40)] * 3, st.integers(1, 40))


@given(st.integers(0, 300), st.integers(1, 300))
def test_wilson_is_that_of_scipy_and_statsmodels(hits: int, topics: int) -> None:
    hits = min(hits, topics)
    found = wilson(hits, topics)
    limits = stats.binomtest(hits, topics).proportion_ci(method="wilson")
    assert (found.lower, found.upper) == pytest.approx((limits.low, limits.high), abs=1e-12)
    assert (found.lower, found.upper) == pytest.approx(proportion_confint(hits, topics, method="wilson"), abs=1e-9)


@pytest.mark.parametrize(
    ("cells", "lower", "upper"),
    [
        ((36, 12, 2, 0), 0.0569, 0.3404),
        ((20, 12, 2, 16), 0.0562, 0.3292),
        ((53, 0, 0, 1), -0.0729, 0.0729),
        ((0, 30, 0, 0), 0.8395, 1.0),
        ((2, 97, 0, 1), 0.9031, 0.9867),
    ],
)
def test_newcombe_keeps_its_values(cells: tuple[int, int, int, int], lower: float, upper: float) -> None:
    """Fourfold tables of Newcombe's comparison of methods; the first two are the paper's figures for method 10."""
    found = newcombe(PairedHits(*cells))
    assert (found.lower, found.upper) == pytest.approx((lower, upper), abs=5e-5)


def restricted_score(table: PairedHits, delta: float) -> float:
    """Tango's statistic with the nuisance rate found by maximising the likelihood numerically."""
    n, b, c = table.topics, table.only_first, table.only_second

    def loss(rate: float) -> float:
        cells = ((b, rate + delta), (c, rate), (n - b - c, 1 - 2 * rate - delta))
        return -sum(count * math.log(max(p, 1e-300)) for count, p in cells if count)

    low, high = max(0.0, -delta), (1 - delta) / 2
    rate = optimize.minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-13}).x
    return (b - c - n * delta) / math.sqrt(n * (2 * rate + delta * (1 - delta)))


@pytest.mark.parametrize("cells", [(20, 12, 2, 16), (30, 5, 9, 40), (3, 10, 25, 0), (100, 7, 6, 100), (5, 1, 8, 3)])
def test_tangos_limits_have_a_score_of_the_normal_quantile(cells: tuple[int, int, int, int]) -> None:
    table = PairedHits(*cells)
    found = tango(table)
    assert restricted_score(table, found.lower) == pytest.approx(1.959964, abs=1e-4)
    assert restricted_score(table, found.upper) == pytest.approx(-1.959964, abs=1e-4)


def test_tango_without_any_discordant_topic_has_a_closed_form() -> None:
    found, z2 = tango(PairedHits(30, 0, 0, 20)), stats.norm.ppf(0.975) ** 2
    assert (found.lower, found.upper) == pytest.approx((-z2 / (50 + z2), z2 / (50 + z2)), abs=1e-9)


@given(tables)
def test_both_intervals_hold_the_difference_and_turn_with_the_systems(table: PairedHits) -> None:
    turned = PairedHits(table.both, table.only_second, table.only_first, table.neither)
    for method in (newcombe, tango):
        found, mirrored = method(table), method(turned)
        assert -1 - 1e-9 <= found.lower <= table.difference + 1e-9
        assert table.difference - 1e-9 <= found.upper <= 1 + 1e-9
        assert (mirrored.lower, mirrored.upper) == pytest.approx((-found.upper, -found.lower), abs=1e-8)


@given(tables)
def test_tango_and_newcombe_are_narrower_at_a_lower_level(table: PairedHits) -> None:
    for method in (newcombe, tango):
        wide, narrow = method(table, 0.99), method(table, 0.9)
        assert wide.lower <= narrow.lower + 1e-9
        assert narrow.upper <= wide.upper + 1e-9


def example(clusters: bool) -> tuple[np.ndarray, list[str], list[str]]:
    generator = np.random.default_rng(0)
    languages = ["a"] * 60 + ["b"] * 40
    units = [f"u{row % 30}" if clusters else f"u{row}" for row in range(100)]
    return generator.normal(0.3, 1, size=100), languages, units


@pytest.mark.parametrize("clusters", [False, True])
def test_the_bootstrap_is_that_of_loops(clusters: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    values, languages, units = example(clusters)
    table = tabulate(values, languages, units)
    assert table.nested != clusters
    found = bootstrap_statistics(table, 50, 3)
    monkeypatch.setattr(intervals, "_CHUNK_DRAWS", 1)
    np.testing.assert_allclose(bootstrap_statistics(table, 50, 3), found, rtol=1e-12)

    keys = ["3"] if clusters else ["3\0a", "3\0b"]
    inside = table.counts > 0
    groups = [table.units] if clusters else [np.array(table.units)[inside[:, k]] for k in (0, 1)]
    drawn = [np.concatenate(list(intervals._draws(len(g), 50, key))) for g, key in zip(groups, keys, strict=True)]
    for b in range(50):
        weight = {unit: row for g, d in zip(groups, drawn, strict=True) for unit, row in zip(g, d[b], strict=True)}
        means = []
        for language in ("a", "b"):
            chosen = [(v, weight[u]) for v, ln, u in zip(values, languages, units, strict=True) if ln == language]
            means.append(sum(v * w for v, w in chosen) / sum(w for _, w in chosen))
        assert found[b] == pytest.approx(np.mean(means), rel=1e-9)


def test_the_bootstrap_is_about_scipys_and_the_normal_interval() -> None:
    values = np.random.default_rng(1).normal(size=400)
    found = bootstrap(tabulate(values, ["a"] * 400, [str(row) for row in range(400)]), 20_000, 1)
    expected = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
    assert (found.lower, found.upper) == pytest.approx((expected.low, expected.high), abs=0.004)
    half = 1.96 * values.std() / 20
    assert (found.lower, found.upper) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.006)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(100)), st.booleans())
def test_the_order_of_topics_does_not_change_the_bootstrap(rows: list[int], clusters: bool) -> None:
    values, languages, units = example(clusters)
    plain = bootstrap(tabulate(values, languages, units), 1000, 2)
    moved = tabulate(values[rows], [languages[row] for row in rows], [units[row] for row in rows])
    found = bootstrap(moved, 1000, 2)
    assert (found.lower, found.upper) == pytest.approx((plain.lower, plain.upper), rel=1e-9)


def test_refusals() -> None:
    with pytest.raises(InvalidInput, match="at least two units"):
        bootstrap(tabulate(np.ones(3), ["a"] * 3, ["u"] * 3), 1000, 1)
    with pytest.raises(InvalidInput, match="at least 800 are needed"):
        bootstrap(tabulate(np.ones(2), ["a"] * 2, ["u", "v"]), 799, 1)
    for bad in ((1, 0), (-1, 3), (4, 3)):
        with pytest.raises(InvalidInput, match="no hit rate"):
            wilson(*bad)


def test_the_table_of_paired_hits() -> None:
    assert PairedHits(both=1, only_first=2, only_second=1, neither=1).difference == pytest.approx(0.2)
    with pytest.raises(InvalidInput, match="at least one topic"):
        PairedHits(0, 0, 0, 0)
