from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import statistics_reference as reference
from hypothesis import given, settings
from hypothesis import strategies as st

import harness.compare.all_pairs as pairs_module
from harness.compare.all_pairs import AllPairs, Column, all_pairs, all_pairs_of
from harness.compare.letters import groups, letter, letters, rank_intervals
from harness.errors import InvalidInput


def names(number: int) -> list[str]:
    return [f"topic-{row}" for row in range(number)]


def scores(units: int, systems: int, effect: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(units, systems)) + effect * np.arange(systems)


def naive(contributions: np.ndarray, units: list[str], flips: np.ndarray, drawn: int = 1) -> np.ndarray:
    """The test written out with loops, in floating point; ``flips``: shape (resamples, units)."""
    systems = contributions.shape[1]
    pairs = list(itertools.combinations(range(systems), 2))
    differences = {(i, j): contributions[:, i] - contributions[:, j] for i, j in pairs}
    norms = {pair: math.sqrt(math.fsum(d * d)) for pair, d in differences.items()}
    observed = {pair: abs(math.fsum(d)) / norms[pair] for pair, d in differences.items() if norms[pair] > 1e-12}
    p = np.ones((systems, systems))
    largest = [
        max((abs(math.fsum(signs * differences[pair])) / norms[pair] for pair in observed), default=0.0)
        for signs in flips
    ]
    for (i, j), own in observed.items():
        reached = sum(value >= own - 1e-9 for value in largest)
        p[i, j] = p[j, i] = (reached + drawn) / (len(largest) + drawn)
    return p


def draws(units: list[str], resamples: int, seed: int) -> np.ndarray:
    return np.array([reference.unit_signs(unit, resamples, seed) for unit in units]).T


@pytest.mark.parametrize("systems", [2, 3, 5])
@pytest.mark.parametrize("hits", [False, True])
def test_it_is_the_studentised_max_t_test_written_out(systems: int, hits: bool) -> None:
    contributions = scores(60, systems, 0.3)
    contributions = (contributions > 0.2).astype(np.float64) / 7 if hits else contributions
    found = all_pairs(contributions, names(60), 200, 7)
    np.testing.assert_array_equal(found.p_adjusted, naive(contributions, names(60), draws(names(60), 200, 7)))
    assert (found.resamples, found.exact) == (200, False)


@pytest.mark.parametrize("hits", [False, True])
def test_few_units_are_decided_by_all_assignments_of_signs(hits: bool) -> None:
    """Six units on which systems differ, and others on which all agree: 2 ** 5 assignments up to the sign of all."""
    differing = scores(6, 4, 0.7, seed=5)
    differing = (differing > 1).astype(np.float64) if hits else differing
    contributions = np.concatenate([differing, np.full((9, 4), 0.5)])
    found = all_pairs(contributions, names(15), 1000, 7)
    active = int((np.ptp(differing, axis=1) > 0).sum())
    flips = np.array(list(itertools.product([-1, 1], repeat=15)))[:: 2**4]
    np.testing.assert_allclose(found.p_adjusted, naive(contributions, names(15), flips, drawn=0), rtol=1e-12)
    assert (found.resamples, found.exact, found.undecided) == (2 ** (active - 1), True, 0)


def test_with_two_systems_it_agrees_with_all_sign_flips() -> None:
    contributions = scores(16, 2, 0.5, seed=3)
    differences = contributions[:, 0] - contributions[:, 1]
    flips = np.array(list(itertools.product([-1, 1], repeat=16)))
    exact = np.mean(np.abs(flips @ differences) >= abs(differences.sum()) - 1e-12)
    found = all_pairs(contributions, names(16), 20_000, 1)
    assert not found.exact
    assert found.p_adjusted[0, 1] == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20_000))


def test_a_certain_difference_of_near_copies_is_found_beside_loud_systems() -> None:
    """20 wins and no loss among 200 topics, beside systems that toss coins: the loud pairs' noise is not the quiet pair's."""
    generator = np.random.default_rng(4)
    first = generator.integers(0, 2, 200).astype(np.float64)
    second = first.copy()
    second[np.flatnonzero(first == 0)[:20]] = 1
    loud = generator.integers(0, 2, (200, 6)).astype(np.float64)
    found = all_pairs(np.column_stack([first, second, loud]), names(200), 10_000, 1)
    assert found.better[1, 0]
    assert found.p_adjusted[0, 1] < 0.01


def test_columns_are_decided_as_each_by_itself() -> None:
    """A macro average, parts that share its units, one with other units, and one that a system has no scores on."""
    columns = [
        Column(scores(12, 4, 0.3), names(12)),
        Column(scores(10, 4, 0.3, seed=1), names(12)[:10]),
        Column(scores(11, 4, seed=2), [f"other-{row}" for row in range(11)]),
        Column(scores(12, 3, 0.5, seed=3), names(12)),
        Column(np.ones((3, 4)), names(3)),
    ]
    for column, found in zip(columns, all_pairs_of(columns, 200, 7, most_times=1), strict=True):
        expected = naive(column.contributions, list(column.units), draws(list(column.units), 200, 7))
        np.testing.assert_array_equal(found.p_adjusted, expected)
        np.testing.assert_array_equal(found.totals, column.contributions.sum(axis=0))


def test_draws_are_raised_until_no_p_lies_near_its_level_or_the_bound_is_reached() -> None:
    contributions = scores(30, 3, 0.0, seed=8)
    plain = all_pairs(contributions, names(30), 1000, 3)
    clear, near = 0.5, float(plain.p_adjusted[0, 1])
    assert near > 0.06
    (kept,) = all_pairs_of([Column(contributions, names(30))], 1000, 3, 0.05)
    assert (kept.resamples, kept.undecided) == (1000, 0), f"{clear} and above need no more draws"
    (raised,) = all_pairs_of([Column(contributions, names(30))], 1000, 3, near)
    assert raised.resamples in (4000, 16_000)
    assert raised.undecided == 0 or raised.resamples == 16_000
    numbers = [*range(1000), *range(1024, 1024 + 3000), *range(4096, 4096 + 12_000)][: raised.resamples]
    flips = draws(names(30), 4096 + 12_000, 3)[numbers]
    np.testing.assert_array_equal(raised.p_adjusted, naive(contributions, names(30), flips))


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(9)), st.permutations(range(4)))
def test_the_order_of_units_and_systems_changes_nothing(rows: list[int], columns: list[int]) -> None:
    contributions = scores(9, 4, 0.4)
    for resamples in (100, 200, 300):
        plain = all_pairs(contributions, names(9), resamples, 5)
        assert plain.exact == (resamples == 300)
        moved = all_pairs(contributions[rows][:, columns], [names(9)[row] for row in rows], resamples, 5)
        np.testing.assert_array_equal(moved.p_adjusted, plain.p_adjusted[np.ix_(columns, columns)])


def test_equal_systems_do_not_differ_and_far_ones_do() -> None:
    contributions = np.repeat(scores(50, 1), 4, axis=1)
    assert (all_pairs(contributions, names(50), 100, 1).p_adjusted == 1).all()
    contributions[:, 3] += 1
    found = all_pairs(contributions, names(50), 1000, 1)
    assert found.p_adjusted[3, 0] == 1 / 1001
    assert found.p_adjusted[1, 0] == 1, "equal systems beside another"
    assert found.better[3].tolist() == [True, True, True, False]
    assert rank_intervals(found.better) == [(2, 4), (2, 4), (2, 4), (1, 1)]


def test_refusals() -> None:
    with pytest.raises(InvalidInput, match="at least 100 are needed"):
        all_pairs(scores(5, 2), names(5), 99, 0)
    with pytest.raises(InvalidInput, match="a unit occurs twice"):
        all_pairs(scores(2, 2), ["a", "a"], 100, 0)
    with pytest.raises(InvalidInput, match="4 units"):
        all_pairs(scores(3, 2), names(4), 100, 0)


@st.composite
def decisions(draw: st.DrawFn) -> np.ndarray:
    systems = draw(st.integers(1, 8))
    upper = draw(st.lists(st.booleans(), min_size=systems**2, max_size=systems**2))
    found = np.triu(np.array(upper, dtype=np.bool_).reshape(systems, systems), 1)
    return found | found.T


@settings(deadline=None)
@given(decisions(), st.randoms())
def test_two_systems_share_a_letter_exactly_if_they_do_not_differ(significant: np.ndarray, random) -> None:  # type: ignore[no-untyped-def]
    order = list(range(len(significant)))
    random.shuffle(order)
    shown = letters(significant, order)
    for i, j in itertools.combinations(order, 2):
        assert bool(set(shown[i]) & set(shown[j])) == (not significant[i, j])
    found = [set(group) for group in groups(significant, order)]
    for group in found:
        assert all(significant[list(group), other].any() for other in order if other not in group), "it is maximal"
        if len(group) > 1:
            others = [other for other in found if other is not group]
            pairs = itertools.combinations(group, 2)
            assert any(not any({i, j} <= other for other in others) for i, j in pairs), "without it a pair is missing"
    assert shown[order[0]][0] == "a", "the best system is in the first group"


def test_decisions_of_which_there_are_exponentially_many_groups_have_few() -> None:
    """60 systems in 20 triples, each like all but those of its triple: 3 ** 20 largest sets (Moon and Moser)."""
    triples = np.arange(60) // 3
    significant = (triples[:, None] == triples[None, :]) & ~np.eye(60, dtype=np.bool_)
    found = groups(significant, range(60))
    assert len(found) < 60
    covered = {pair for group in found for pair in itertools.combinations(group, 2)}
    assert covered == {(i, j) for i, j in itertools.combinations(range(60), 2) if triples[i] != triples[j]}


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.01, 1))
def test_rank_intervals_hold_the_observed_rank_and_groups_are_runs(totals: list[float], threshold: float) -> None:
    sums = np.array(totals)
    reached = np.where(np.abs(sums[:, None] - sums[None, :]) >= threshold, 9, 999)
    found = AllPairs(sums, reached, 999)
    order = np.argsort(-sums, kind="stable").tolist()
    for system, (first, last) in enumerate(rank_intervals(found.better)):
        better, ties = int((sums > sums[system]).sum()), int((sums == sums[system]).sum())
        assert first <= 1 + better
        assert better + ties <= last
    place = {system: position for position, system in enumerate(order)}
    shown = groups(found.significant, order)
    assert len(shown) <= len(totals)
    for group in shown:
        positions = [place[system] for system in group]
        assert positions == list(range(positions[0], positions[-1] + 1))


def test_letters_do_not_run_out() -> None:
    assert [letter(number) for number in (0, 25, 26, 27, 51, 52, 701, 702)] == [
        "a",
        "z",
        "aa",
        "ab",
        "az",
        "ba",
        "zz",
        "aaa",
    ]
    everyone_differs = ~np.eye(60, dtype=np.bool_)
    shown = letters(everyone_differs, range(60))
    assert len(set(shown)) == 60
    assert shown[59] == ("bh",)


def test_decisions_must_be_symmetric() -> None:
    with pytest.raises(InvalidInput, match="symmetric"):
        groups(np.array([[False, True], [False, False]]), [0, 1])


@pytest.mark.parametrize("most_bytes", [1, 60_000])
def test_fewer_draws_at_a_time_change_nothing(most_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = [Column(scores(40, 5, 0.1), names(40)), Column(scores(30, 3, 0.2, seed=1), names(50)[20:])]
    expected = all_pairs_of(columns, 2000, 3)
    monkeypatch.setattr(pairs_module, "_PROJECTED_BYTES", most_bytes)
    for one, two in zip(all_pairs_of(columns, 2000, 3), expected, strict=True):
        np.testing.assert_array_equal(one.at_least, two.at_least)
        assert one.resamples == two.resamples
