"""Agreement of rankings and scores, against computations written independently from the definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.runs.trec import Ranked, Run
from harness.submissions.agreement import (
    PERSISTENCE,
    kendall_tau,
    rank_biased_overlap,
    ranking_agreement,
    root_mean_square_error,
)

DOC_IDS = [f"d{i}" for i in range(8)]
rankings = st.lists(st.sampled_from(DOC_IDS), unique=True, max_size=8).map(tuple)


def overlap_by_definition(one: tuple[str, ...], two: tuple[str, ...]) -> float:
    """Sum over depths of p^(d-1) times the agreement at d, over the sum of the weights."""
    depths = range(1, max(len(one), len(two)) + 1)
    weights = [PERSISTENCE ** (depth - 1) for depth in depths]
    agreements = [len(set(one[:depth]) & set(two[:depth])) / depth for depth in depths]
    return sum(w * a for w, a in zip(weights, agreements, strict=True)) / sum(weights)


def tau_by_definition(one: tuple[str, ...], two: tuple[str, ...]) -> float:
    """Concordant less discordant pairs of documents, over the roots of the numbers of pairs that each ranking tells apart."""
    union = sorted({*one, *two})
    ranks = [[ranking.index(doc) if doc in ranking else len(ranking) for doc in union] for ranking in (one, two)]
    pairs = list(itertools.combinations(range(len(union)), 2))
    first, second = ([np.sign(own[i] - own[j]) for i, j in pairs] for own in ranks)
    return float(np.dot(first, second) / math.sqrt(np.abs(first).sum() * np.abs(second).sum()))


@given(rankings, rankings)
def test_rank_biased_overlap_is_that_of_its_definition(one: tuple[str, ...], two: tuple[str, ...]) -> None:
    if one or two:
        assert rank_biased_overlap(one, two) == pytest.approx(overlap_by_definition(one, two))
    assert rank_biased_overlap(one, two) == pytest.approx(rank_biased_overlap(two, one))
    assert (rank_biased_overlap(one, two) > 1 - 1e-12) == (one == two)


@given(rankings, rankings)
def test_kendalls_tau_is_that_of_its_definition(one: tuple[str, ...], two: tuple[str, ...]) -> None:
    found = kendall_tau(one, two)
    if one == two:
        assert found == 1
    elif not one or not two:
        assert found == 0
    else:
        assert found == pytest.approx(tau_by_definition(one, two))


@given(rankings, rankings, st.permutations(DOC_IDS))
def test_kendalls_tau_does_not_depend_on_the_names_of_documents(
    one: tuple[str, ...], two: tuple[str, ...], names: list[str]
) -> None:
    named = dict(zip(DOC_IDS, names, strict=True))
    renamed = [tuple(named[doc_id] for doc_id in ranking) for ranking in (one, two)]
    assert kendall_tau(*renamed) == pytest.approx(kendall_tau(one, two))
    assert kendall_tau(two, one) == pytest.approx(kendall_tau(one, two))


@pytest.mark.parametrize("place", [0, 50, 98])
def test_neighbours_that_change_places_are_one_pair_of_all_wherever_they_stand(place: int) -> None:
    one = [f"{number * 7919 % 100_003:06d}" for number in range(100)]
    two = [*one[:place], one[place + 1], one[place], *one[place + 2 :]]
    assert kendall_tau(one, two) == pytest.approx(1 - 2 / math.comb(100, 2))


def test_rankings_that_have_nothing_in_common_do_not_agree() -> None:
    assert kendall_tau("abc", "xyz") < 0
    assert kendall_tau("abcdef", "abcxyz") < kendall_tau("abcdef", "abcdfx") < 1


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=20))
def test_the_error_is_the_root_of_the_mean_square(pairs: list[tuple[float, float]]) -> None:
    one, two = ({f"q{i}": pair[side] for i, pair in enumerate(pairs)} for side in (0, 1))
    expected = math.sqrt(math.fsum((a - b) ** 2 for a, b in pairs) / len(pairs)) if pairs else 0.0
    assert root_mean_square_error(one, two) == pytest.approx(expected)


def run_of(**rankings: str) -> Run:
    """One document per letter, with falling scores."""
    found = {q: Ranked(tuple(text), np.arange(len(text), 0, -1, dtype=np.float32)) for q, text in rankings.items()}
    return Run("tag", found)


def test_a_query_that_only_one_run_ranks_counts_against_the_agreement() -> None:
    found = ranking_agreement(run_of(a="xyz", b="xy"), run_of(a="xyz"), 10)
    assert (found.queries, found.identical) == (2, 1)
    assert (found.rank_biased_overlap, found.kendall_tau) == (0.5, 0.5)
    assert found.overlap == {1: 0.5, 5: 0.5, 10: 0.5}


def test_rankings_are_compared_down_to_the_depth_and_no_further() -> None:
    one, two = run_of(a="wxyz"), run_of(a="wxzy")
    assert ranking_agreement(one, two, 2).identical == 1
    deeper = ranking_agreement(one, two, 3)
    assert deeper.identical == 0
    assert deeper.overlap == {1: 1.0, 3: pytest.approx(2 / 3)}


def test_two_runs_without_rankings_agree() -> None:
    found = ranking_agreement(run_of(), run_of(), 5)
    assert (found.queries, found.identical, found.rank_biased_overlap, found.kendall_tau) == (0, 0, 1.0, 1.0)
