"""A small version of the validity report: 500 experiments and wide bounds. `python benchmarks/validity.py` is the large one."""

from __future__ import annotations

import numpy as np
import pytest
from randomization_reference import p_values

from harness.compare.intervals import bootstrap
from harness.compare.pairwise import paired_t
from harness.compare.simulation import Design, Truth, draw, unit_names
from harness.compare.stratified import macro_t
from harness.compare.units import tabulate
from harness.compare.validity import (
    Plan,
    Table,
    agreement,
    bootstrap_limits,
    family_wise_error,
    macro_coverage,
    macro_false_positives,
    one_language_coverage,
    one_language_p_values,
    power,
    randomization,
    stratified_t,
)

PLAN = Plan(experiments=500, resamples=199, tolerance=0.04)
DESIGNS = [
    Design("independent", (10, 20, 15)),
    Design("parallel", (20, 20, 20), shared=True, correlation=0.5),
    Design("clusters", (10, 20, 15), cluster=5, within=0.3),
    Design("parallel clusters", (20, 20), shared=True, correlation=0.2, cluster=5, within=0.3),
]


def holds(table: Table) -> list[list[str]]:
    assert [claim for claim, held in table.claims if not held] == []
    assert all(len(row) == len(table.header) for row in table.rows)
    return [list(row) for row in table.rows]


def percent(cell: str) -> float:
    return float(cell.removesuffix("%"))


def test_p_values_of_one_language_are_valid() -> None:
    holds(one_language_p_values(PLAN))


def test_macro_averages_have_the_false_positives_they_promise_and_wrong_units_do_not() -> None:
    rows = holds(macro_false_positives(Plan(experiments=500, resamples=199, tolerance=0.04)))
    for design, _, _, right, t, wrong in rows:
        assert 1 <= percent(right) <= 9
        assert 1 <= percent(t) <= 9
        if "parallel" in design or "clusters" in design:
            assert percent(wrong) > 9, "topics that are taken as independent make false positives"


def test_intervals_cover_the_truth() -> None:
    plan = Plan(experiments=500, resamples=399, tolerance=0.04)
    holds(macro_coverage(plan, sizes=(200,), rates=(0.1, 0.5)))
    for row in holds(one_language_coverage(plan)):
        assert all(percent(cell) > 87 for cell in row[2:])


def test_power_grows_with_topics_and_effect() -> None:
    rows = holds(power(PLAN, sizes=(50, 500)))
    small, large = [percent(row[4]) for row in rows[:2]], [percent(row[4]) for row in rows[2:]]
    assert small[0] < small[1]
    assert large[0] < large[1]
    assert small[1] < large[1]


def test_randomization_and_stratified_t_agree() -> None:
    holds(agreement(PLAN))


def test_all_pairs_hold_the_family_wise_error() -> None:
    holds(family_wise_error(PLAN, systems=4, topics=50))


def test_correlations_are_those_that_a_design_names() -> None:
    designs = (
        Design("", (4, 4), shared=True, correlation=0.5, cluster=2, within=0.3),
        Design("", (4, 4), cluster=2, within=0.3),
    )
    found = []
    for design in designs:
        (sample,) = draw(design, Truth("continuous"), 40_000, np.random.default_rng(1))
        one, two = sample.differences
        pairs = ((one[:, 0], two[:, 0]), (one[:, 0], one[:, 1]), (one[:, 0], one[:, 2]))
        found.append([np.corrcoef(a, b)[0, 1] for a, b in pairs])
    np.testing.assert_allclose(found, [[0.8, 0.3, 0], [0, 0.3, 0]], atol=0.03)


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.name)
def test_experiments_together_give_what_each_gives_alone(design: Design) -> None:
    """The studies work on many experiments at a time; here each is done as a user would."""
    (sample,) = draw(design, Truth("hits", 0.1), 3, np.random.default_rng(2))
    together = randomization(sample, PLAN), stratified_t(sample)
    for number in range(3):
        values = np.concatenate([differences[number] for differences in sample.differences])
        languages = [f"l{k}" for k, size in enumerate(design.sizes) for _ in range(size)]
        places, start = [], 0
        for size in design.sizes:
            places += [start + place // design.cluster for place in range(size)]
            start += 0 if design.shared else size // design.cluster
        table = tabulate(values, languages, [unit_names(start or design.units)[place] for place in places])
        assert len(table.units) == design.units
        alone = p_values(table.contributions()[:, None], table.units, PLAN.resamples, PLAN.seed)
        assert together[0][number] == alone[0]
        assert together[1][number] == pytest.approx(macro_t(table).p, rel=1e-9)
        if design.cluster == 1:
            plan = Plan(resamples=999)
            interval = bootstrap(table, 1000, plan.seed)
            assert bootstrap_limits(sample, plan)[:, number] == pytest.approx(
                (interval.lower, interval.upper), rel=1e-9
            )


def test_hits_have_the_rates_of_the_truth() -> None:
    (sample,) = draw(Design("", (50,)), Truth("hits", 0.1, 0.3), 2000, np.random.default_rng(3))
    assert sample.first[0].mean() == pytest.approx(0.3, abs=0.01)
    assert sample.second[0].mean() == pytest.approx(0.4, abs=0.01)
    assert paired_t(sample.differences[0][0], unit_names(50)).units == 50
