"""A small version of the validity report: 500 experiments and wide bounds. `python benchmarks/validity.py` is the large one."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from randomization_reference import p_values
from scipy import stats
from validity_studies import boards, pooled_max_t, step_down
from validity_studies.hits import coverage_near_the_ends, rare_discordance, what_questions_can_show
from validity_studies.pairs import all_pairs_power, family_wise_error
from validity_studies.simulation import Design, Truth, draw, unit_names
from validity_studies.tests_and_intervals import (
    Plan,
    Table,
    agreement,
    bootstrap_limits,
    macro_coverage,
    macro_false_positives,
    one_language_coverage,
    one_language_p_values,
    power,
    randomization,
    stratified_t,
)

from harness.compare.all_pairs import all_pairs
from harness.compare.intervals import bootstrap
from harness.compare.pairwise import paired_t
from harness.compare.stratified import macro_t
from harness.compare.units import tabulate

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


SMALL_BOARDS = [
    boards.continuous(5, [3.0, 1.0, 1.0, 1.0, 1.0], units=60),
    boards.copies(10, 1, 0.03, units=100),
    boards.hits(4, units=60),
    boards.partial_better(5, 1, units=60),
    boards.partial_copies(units=100),
    boards.shared_passages(4, passages=50),
    boards.rare(4, 4, units=60),
    boards.few_units(4, 10),
]


def test_all_pairs_hold_the_family_wise_error_where_the_test_before_did_not() -> None:
    rows = holds(family_wise_error(Plan(experiments=1500, tolerance=0.04), SMALL_BOARDS))
    before, today = ([percent(cell.split()[0]) for cell in column] for column in list(zip(*rows, strict=True))[1:])
    assert min(before[:2]) > 7, "unequal noise and near-copies: the studies can fail"
    assert max(today) < 10


def test_power_is_where_the_noise_of_others_hid_it() -> None:
    plan = Plan(experiments=300, tolerance=0.04)
    chosen = [board for board in boards.power_boards() if board.name.startswith("a copy better by 10")]
    rows = holds(all_pairs_power(plan, [chosen[0], chosen[1]]))
    shares = [[percent(cell.split()[0]) for cell in row[1:]] for row in rows]
    assert shares[0][1] > 90, "alone"
    assert shares[1][0] < 30, "beside three loud systems, before"
    assert shares[1][1] > 90, "and today"
    assert shares[1][2] >= shares[1][1], "steps find what a single step finds"


def test_boards_are_as_good_as_they_say() -> None:
    generator = np.random.default_rng(1)
    runs = Path(__file__).parents[2] / "runs" / "mini"
    for board in [*boards.null_boards(runs), *boards.power_boards()]:
        draws = np.array([board.draw(generator).sum(axis=0) for _ in range(300)])
        errors = draws.std(axis=0) / np.sqrt(300)
        for one, two in zip(*np.nonzero(board.equal), strict=True):
            apart = (draws[:, one] - draws[:, two]).mean()
            assert abs(apart) <= 5 * np.hypot(errors[one], errors[two]) + 1e-12, board.name


def test_the_test_before_is_tukeys_by_permutation() -> None:
    """Two systems: permuting labels is flipping signs."""
    generator = np.random.default_rng(2)
    scores = generator.normal(size=(4, 12, 2)) + np.array([0.0, 0.6])
    for own, decided in zip(scores, pooled_max_t.significant(scores, 999), strict=True):
        differences = own[:, 0] - own[:, 1]
        flips = np.array(list(itertools.product([-1, 1], repeat=12)))
        p = np.mean(np.abs(flips @ differences) >= abs(differences.sum()) - 1e-12)
        if abs(p - 0.05) > 0.02:
            assert decided[0, 1] == (p <= 0.05)


def test_steps_never_take_back_what_the_single_step_found() -> None:
    generator = np.random.default_rng(3)
    more = 0
    for _ in range(20):
        scores = generator.normal(size=(30, 5)) + np.array([0, 0, 0.5, 0.6, 1.2])
        single = all_pairs(scores, unit_names(30), 499, 1).significant
        steps = step_down.significant(scores, unit_names(30), 499, 1)
        assert (steps | ~single).all()
        more += int((steps & ~single).sum())
    assert more > 0


def test_intervals_near_one_cover_and_have_a_width() -> None:
    plan = Plan(experiments=500, resamples=399, tolerance=0.05)
    rows = holds(coverage_near_the_ends(plan, rates=(0.99, 1.0), independent=(20,), shared=(10,)))
    assert all(percent(row[3]) == 100 for row in rows if row[2] == "1")
    assert percent(rows[0][4]) < 88, "the bootstrap does not: the study can fail"
    assert percent(rows[1][7]) == 100


def test_t_is_liberal_where_few_questions_differ_and_exact_tests_are_not() -> None:
    rows = holds(rare_discordance(PLAN))
    assert max(percent(row[3]) for row in rows) > 10


def test_what_80_questions_can_show() -> None:
    """80 questions of which 24 differ: 18 to 6 has p 0.023, 19 to 5 has p 0.0066; 42 tests ask for 21 to 3."""
    rows = holds(what_questions_can_show(PLAN, sizes=(80,)))
    assert [row[5] for row in rows] == ["10.0", "12.5", "15.0", "17.5"]
    assert rows[2][6] == "22.5"
    simulated = np.random.default_rng(1).multinomial(80, [0.24, 0.06, 0.7], 4000)
    found = np.mean([stats.binomtest(int(b), int(b + c)).pvalue <= 0.05 for b, c, _ in simulated if b + c])
    assert int(rows[2][2]) == 18
    assert 0.75 < found < 0.85, "a true difference of 18 points at 30%"


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
