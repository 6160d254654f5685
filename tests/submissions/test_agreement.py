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
    kendall_tau_union,
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
    """Concordant less discordant pairs of ranks, of the documents' places in the sorted union, over all pairs."""
    length = min(len(one), len(two))
    places = {doc_id: place for place, doc_id in enumerate(sorted({*one[:length], *two[:length]}))}
    pairs = list(itertools.combinations(range(length), 2))
    signs = [np.sign(places[one[i]] - places[one[j]]) * np.sign(places[two[i]] - places[two[j]]) for i, j in pairs]
    return float(sum(signs)) / len(pairs)


@given(rankings, rankings)
def test_rank_biased_overlap_is_that_of_its_definition(one: tuple[str, ...], two: tuple[str, ...]) -> None:
    if one or two:
        assert rank_biased_overlap(one, two) == pytest.approx(overlap_by_definition(one, two))
    assert rank_biased_overlap(one, two) == pytest.approx(rank_biased_overlap(two, one))
    assert (rank_biased_overlap(one, two) > 1 - 1e-12) == (one == two)


@given(rankings, rankings)
def test_kendalls_tau_union_is_that_of_its_definition(one: tuple[str, ...], two: tuple[str, ...]) -> None:
    found = kendall_tau_union(one, two)
    if one == two:
        assert found == 1
    elif min(len(one), len(two)) < 2:
        assert found == 0
    else:
        assert found == pytest.approx(tau_by_definition(one, two))


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
