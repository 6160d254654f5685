from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.compare.all_pairs import AllPairs, Column, all_pairs, all_pairs_of, largest_differences, permutations
from harness.compare.letters import groups, letter, letters, rank_intervals
from harness.errors import InvalidInput


def names(number: int) -> list[str]:
    return [f"topic-{row}" for row in range(number)]


def scores(units: int, systems: int, effect: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(units, systems)) + effect * np.arange(systems)


def naive(contributions: np.ndarray, units: list[str], resamples: int, seed: int) -> np.ndarray:
    """The test written out with loops, in floating point."""
    systems = contributions.shape[1]
    order = [permutations(unit, systems, (0, resamples), seed) for unit in units]
    at_least = np.zeros((systems, systems))
    sums = contributions.sum(axis=0)
    for b in range(resamples):
        dealt = [sorted(row) for row in contributions.tolist()]
        total = [sum(dealt[u][order[u][b, k]] for u in range(len(units))) for k in range(systems)]
        for i, j in itertools.product(range(systems), repeat=2):
            at_least[i, j] += max(total) - min(total) >= abs(sums[i] - sums[j]) - 1e-10
    p = (at_least + 1) / (resamples + 1)
    np.fill_diagonal(p, 1)
    return p


@pytest.mark.parametrize("systems", [2, 3, 5])
@pytest.mark.parametrize("hits", [False, True])
def test_it_is_the_randomised_tukey_test_written_out(systems: int, hits: bool) -> None:
    contributions = scores(15, systems, 0.3)
    contributions = (contributions > 0.2).astype(np.float64) / 7 if hits else contributions
    found = all_pairs(contributions, names(15), 200, 7)
    np.testing.assert_array_equal(found.p_adjusted, naive(contributions, names(15), 200, 7))


def test_with_two_systems_it_agrees_with_all_sign_flips() -> None:
    contributions = scores(10, 2, 0.5, seed=3)
    differences = contributions[:, 0] - contributions[:, 1]
    flips = np.array(list(itertools.product([-1, 1], repeat=10)))
    exact = np.mean(np.abs(flips @ differences) >= abs(differences.sum()) - 1e-12)
    found = all_pairs(contributions, names(10), 40_000, 1).p_adjusted[0, 1]
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 40_000))


def test_permutations_are_uniform_and_do_not_depend_on_where_one_begins() -> None:
    found = permutations("unit", 3, (0, 60_000), 1)
    counts = np.unique(found, axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert ((counts - 10_000) ** 2 / 10_000).sum() < 25, "chi-square, 5 degrees of freedom, p about 0.0001"
    for start in (4, 400, 59_996):
        np.testing.assert_array_equal(permutations("unit", 3, (start, 60_000), 1), found[start:])
    assert (np.sort(permutations("unit", 40, (0, 50), 1), axis=1) == np.arange(40)).all()
    assert (permutations("other", 3, (0, 100), 1) != found[:100]).any()


@pytest.mark.parametrize("chunk", [1, 4, 50, 64, 1000])
def test_chunks_change_nothing(chunk: int) -> None:
    contributions = scores(20, 5)
    expected = largest_differences([Column(contributions, names(20))], 333, 2)
    np.testing.assert_array_equal(largest_differences([Column(contributions, names(20))], 333, 2, chunk), expected)


def test_columns_are_decided_as_each_by_itself() -> None:
    """A macro average, parts that share its units, one with other units, and one that a system has no scores on."""
    columns = [
        Column(scores(12, 4, 0.3), names(12)),
        Column(scores(5, 4, 0.3, seed=1), names(12)[4:9]),
        Column(scores(6, 4, seed=2), [f"other-{row}" for row in range(6)]),
        Column(scores(12, 3, 0.5, seed=3), names(12)),
        Column(np.ones((3, 4)), names(3)),
    ]
    for column, found in zip(columns, all_pairs_of(columns, 200, 7), strict=True):
        np.testing.assert_array_equal(found.p_adjusted, naive(*column, 200, 7))
        np.testing.assert_array_equal(found.totals, column.contributions.sum(axis=0))


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(9)), st.permutations(range(4)))
def test_the_order_of_units_and_systems_changes_nothing(rows: list[int], columns: list[int]) -> None:
    contributions = scores(9, 4, 0.4)
    plain = all_pairs(contributions, names(9), 200, 5).p_adjusted
    moved = all_pairs(contributions[rows][:, columns], [names(9)[row] for row in rows], 200, 5).p_adjusted
    np.testing.assert_array_equal(moved, plain[np.ix_(columns, columns)])


def test_equal_systems_do_not_differ_and_far_ones_do() -> None:
    contributions = np.repeat(scores(50, 1), 4, axis=1)
    assert (all_pairs(contributions, names(50), 100, 1).p_adjusted == 1).all()
    contributions[:, 3] += 1
    found = all_pairs(contributions, names(50), 1000, 1)
    assert found.p_adjusted[3, 0] == 1 / 1001
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
    assert not any(one < two for one in found for two in found), "no group lies inside another"
    assert shown[order[0]][0] == "a", "the best system is in the first group"
    maximal = [
        set(members)
        for size in range(1, len(order) + 1)
        for members in itertools.combinations(order, size)
        if not significant[np.ix_(members, members)].any()
        and all(significant[list(members), other].any() for other in order if other not in members)
    ]
    assert sorted(map(sorted, found)) == sorted(map(sorted, maximal)), "the groups are all that are maximal"


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.01, 1))
def test_rank_intervals_hold_the_observed_rank_and_groups_are_runs(totals: list[float], threshold: float) -> None:
    sums = np.array(totals)
    p = np.where(np.abs(sums[:, None] - sums[None, :]) >= threshold, 0.01, 1.0)
    found = AllPairs(sums, p, 0.05, 1000)
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
