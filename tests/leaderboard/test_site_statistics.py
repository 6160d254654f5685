"""The statistics that pages compute themselves, held against SciPy and against Python's own comparison."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from score_files import scores_of
from site_pages import opened
from validity_studies.paired_hits import PairedHits, newcombe

from harness.compare.chosen import chosen_pair
from harness.compare.stratified import macro_t
from harness.compare.subsets import SubsetStatistics, forms, subset_statistics
from harness.compare.units import tabulate
from harness.errors import InvalidInput
from harness.leaderboard.site.packing import packed
from harness.numbers import percent, probability
from harness.runs.score_file import ScoreFile

STATIC = Path(__file__).parents[2] / "harness" / "leaderboard" / "site" / "static"


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    """An empty page with the site's scripts."""
    with opened(browser, "about:blank") as found:
        for name in ("data.js", "statistics.js", "start.js"):
            found.page.add_script_tag(content=(STATIC / name).read_text("utf-8"))
        yield found.page


FREEDOMS = (1.0, 1.5, 2.0, 3.7, 10.0, 30.0, 78.4, 240.0, 1234.5, 16000.0, 250000.0, 3.0e6)


def test_probabilities_of_t_are_scipys(page: Any) -> None:
    grid = [(float(t), freedom) for freedom in FREEDOMS for t in (*np.geomspace(1e-6, 40, 40), 0.0, -2.5)]
    found = page.evaluate("grid => grid.map(([t, f]) => xdr.statistics.tProbability(t, f))", grid)
    expected = [float(2 * stats.t.sf(abs(t), freedom)) for t, freedom in grid]
    assert min(p for p in expected if p > 0) < 1e-50
    for (t, freedom), one, two in zip(grid, found, expected, strict=True):
        assert one == pytest.approx(two, rel=1e-9, abs=1e-290), (t, freedom)


def test_quantiles_of_t_are_scipys(page: Any) -> None:
    grid = [(level, freedom) for freedom in FREEDOMS for level in (0.5, 0.8, 0.9, 0.95, 0.99, 0.999)]
    found = page.evaluate("grid => grid.map(([level, f]) => xdr.statistics.tQuantile(level, f))", grid)
    expected = [float(stats.t.ppf((1 + level) / 2, freedom)) for level, freedom in grid]
    assert found == pytest.approx(expected, rel=1e-9)


PARTS = ["p0", "p1", "p2"]


def design(kind: str, words: np.random.Generator, rate: float | None = None) -> list[ScoreFile]:
    """Four systems on three parts; with ``shared`` topics stand in several parts, with ``clusters`` units hold several.

    Scores are hits with the given rate, or quarters.
    """
    parts = tuple(PARTS)
    sizes = {part: int(words.integers(2 if kind == "nested" else 4, 14)) for part in parts}
    units: dict[str, str] = {}
    for part, size in sizes.items():
        for i in range(size):
            topic = f"t{i}" if kind.startswith("shared") else f"{part}t{i}"
            units[f"{part}q{i}"] = f"{topic[:-1]}c{i // 3}" if kind.endswith("clusters") else topic
    found = []
    for k in range(4):
        served = parts if k != 3 else parts[:2]
        values: Mapping[str, Mapping[str, float]] = {
            part: {
                f"{part}q{i}": float(words.integers(0, 5)) / 4 if rate is None else float(words.random() < rate)
                for i in range(sizes[part])
            }
            for part in served
        }
        found.append(scores_of(f"s{k}", values, units))
    return found


def table_of(one: ScoreFile, two: ScoreFile | None, parts: list[str]) -> Any:
    """Differences of two systems, or the scores of one."""
    rows = [
        (value - (two.values[part, "RR"][query_id] if two else 0), part, one.units[part, query_id][1])
        for part in parts
        for query_id, value in one.values[part, "RR"].items()
    ]
    return tabulate(np.array([row[0] for row in rows]), [row[1] for row in rows], [row[2] for row in rows])


def in_page(page: Any, statistics: SubsetStatistics, cross_products: Any, reference: int, test: str) -> Any:
    """(system, parts, result) of a test of the page's scripts, for all systems and subsets of parts."""
    patterns = statistics.patterns().items()
    measure = {
        "means": packed(statistics.means),
        "hits": statistics.hits,
        "topics": statistics.topics.tolist(),
        "patterns": [[[part for part in range(9) if key >> part & 1], count] for key, count in patterns],
        "pairs": statistics.pairs_of_parts,
    }
    return page.evaluate(
        """([measure, forms, reference, test]) => {
            measure.means = xdr.floats64(measure.means);
            const unpacked = xdr.floats64(forms), all = [];
            for (let system = 0; system < 4; system++)
                for (let subset = 1; subset < 8; subset++) {
                    const parts = [0, 1, 2].filter((part) => subset & (1 << part));
                    all.push([system, parts, xdr.statistics[test](measure, unpacked, system, reference, parts)]);
                }
            return all;
        }""",
        [json.loads(json.dumps(measure)), packed(forms(cross_products, reference)), reference, test],
    )


@pytest.mark.parametrize("kind", ["nested", "shared", "nested clusters", "shared clusters"])
@pytest.mark.parametrize("seed", range(6))
def test_the_stratified_t_test_from_forms_is_pythons(page: Any, kind: str, seed: int) -> None:
    scores = design(kind, np.random.default_rng([seed, len(kind)]))
    parts = ["p0", "p1", "p2"]
    statistics = subset_statistics(scores, parts, "RR")
    cross_products = statistics.cross_products()
    compared = 0
    for reference in range(4):
        found = in_page(page, statistics, cross_products, reference, "macroT")
        for system, chosen, test in found:
            names = [parts[place] for place in chosen]
            if "p2" in names and 3 in (system, reference):
                assert test is None, "no scores on a part, no test"
                continue
            try:
                expected = macro_t(table_of(scores[system], scores[reference], names))
            except InvalidInput:
                assert test["p"] is None
                assert test["interval"] is None
                continue
            assert test["estimate"] == pytest.approx(expected.estimate, rel=1e-9, abs=1e-12)
            assert test["p"] == pytest.approx(expected.p, rel=1e-9)
            assert test["interval"] == pytest.approx(expected.interval, rel=1e-9, abs=1e-12)
            compared += expected.p < 1
    assert compared > 20


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (4, 0), (1, 16), (27, 10), (300, 241), (1200, 1000), (7, 7)])
def test_mcnemars_p_is_scipys(page: Any, wins: int, losses: int) -> None:
    found = page.evaluate("([wins, losses]) => xdr.statistics.mcNemar(wins, losses)", [wins, losses])
    expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert found == pytest.approx(expected, rel=1e-9)


def test_newcombes_interval_is_pythons(page: Any) -> None:
    words = np.random.default_rng(1)
    tables = [[int(count) for count in words.multinomial(80, words.dirichlet([0.4] * 4))] for _ in range(50)]
    found = page.evaluate("tables => tables.map((table) => xdr.statistics.newcombe(...table))", tables)
    for table, limits in zip(tables, found, strict=True):
        expected = newcombe(PairedHits(*table))
        assert limits == pytest.approx((expected.lower, expected.upper), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("kind", ["nested", "shared", "nested clusters", "shared clusters"])
@pytest.mark.parametrize("measure", ["hits", "rare hits", "graded"])
@pytest.mark.parametrize("seed", range(3))
def test_a_pair_that_a_reader_chose_is_tested_as_in_python(page: Any, kind: str, measure: str, seed: int) -> None:
    rate = {"hits": 0.5, "rare hits": 0.93, "graded": None}[measure]
    scores = design(kind, np.random.default_rng([seed, len(kind), len(measure)]), rate)
    statistics = subset_statistics(scores, PARTS, "RR")
    assert statistics.hits == (measure != "graded")
    cross_products = statistics.cross_products()
    compared = set()
    for reference in range(4):
        for system, chosen, test in in_page(page, statistics, cross_products, reference, "chosenPair"):
            names = [PARTS[place] for place in chosen]
            if "p2" in names and 3 in (system, reference):
                assert test is None
                continue
            pair = [table_of(scores[place], None, names) for place in (system, reference)]
            expected = chosen_pair(pair[0], pair[1], statistics.hits)
            assert test["estimate"] == pytest.approx(expected.estimate, abs=1e-12)
            assert test["floor"] == expected.floor
            if expected.p is None:
                assert test["p"] is None
            else:
                assert test["p"] == pytest.approx(expected.p, rel=1e-9)
                compared.add(expected.p == expected.floor)
            if expected.interval is None:
                assert test["interval"] is None
            else:
                assert test["interval"] == pytest.approx(expected.interval, rel=1e-8, abs=1e-12)
    assert False in compared


def test_the_p_of_all_pairs_is_found_by_place(page: Any) -> None:
    from harness.compare.records import Pairs

    systems = ("a", "b", "c", "d")
    for exact in (False, True):
        own: dict[str, Any] = {"measure": "RR", "column": "macro", "systems": systems, "resamples": 64, "exact": exact}
        pairs = Pairs(**own, at_least=(1, 2, 3, 4, 5, 6))
        table = ("d", "a", "gone", "c", "b")
        for one, counts in zip(table, pairs.counts_among(table).tolist(), strict=True):
            for place, two in enumerate(table):
                arguments = [{"resamples": 64, "exact": exact, "atLeast": counts}, place]
                found = page.evaluate("([pairs, place]) => xdr.statistics.pairP(pairs, place)", arguments)
                assert found["p"] == pairs.p_adjusted(one, two)
        assert [pairs.p_adjusted(*pair) for pair in (("a", "d"), ("c", "b"))] == (
            [3 / 64, 4 / 64] if exact else [4 / 65, 5 / 65]
        )


def test_percentages_are_rounded_as_python_rounds_them(page: Any) -> None:
    values = [hits / count for count in (3, 7, 40, 80, 309, 2000) for hits in range(count + 1)]
    values += [-value for value in values] + [0.28749999999999996, 0.9995, 0.99949999, 1e-13]
    found = page.evaluate(
        "values => values.map((v) => [xdr.dom.percent(v), xdr.dom.percent(v, 0), xdr.dom.signed(v)])", values
    )
    for value, (one, whole, signed) in zip(values, found, strict=True):
        assert one.replace("−", "-") == percent(value), value
        assert whole.replace("−", "-") == percent(value, 0), value
        assert signed.replace("−", "-") == percent(value, signed=True), value


def test_probabilities_are_written_as_python_writes_them(page: Any) -> None:
    values = [1.0, 0.5, 0.0123, 1e-4, 9.99e-5, 3.2e-9, 4.4e-123, 0.0]
    pairs: list[tuple[float, float | None]] = [(value, None) for value in values]
    for resamples in (99, 999, 1000, 4999, 10_000, 100_000, 1_600_000):
        pairs += [(size / (resamples + 1), size / (resamples + 1)) for size in (1, 6, 42, 190)]
        pairs += [(2 / (resamples + 1), 1 / (resamples + 1))]
    found = page.evaluate("pairs => pairs.map(([value, floor]) => xdr.dom.probability(value, floor))", pairs)
    assert found == [probability(value, floor) for value, floor in pairs]
    assert not [text for text in found if float(text.strip("<≤ ")) == 0], "no p is printed as 0"
