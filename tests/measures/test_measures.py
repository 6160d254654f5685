"""Measures from relevance judgements: equal to their formulas and to trec_eval, queries counted as declared."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import pytest
import statistics_reference as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from judged import judged_of

from harness.errors import WrongUsage
from harness.measures import Judged, judged_shares, parse

Grades = dict[str, int]
FORMULAS: dict[str, Callable[[Sequence[str], Grades], float]] = {
    "RR": reference.reciprocal_rank,
    "RR@3": lambda ranking, grades: reference.reciprocal_rank(ranking, grades, 3),
    "RR@10": lambda ranking, grades: reference.reciprocal_rank(ranking, grades, 10),
    "nDCG@3": lambda ranking, grades: reference.ndcg(ranking, grades, 3),
    "nDCG@10": lambda ranking, grades: reference.ndcg(ranking, grades, 10),
    "Success@1": lambda ranking, grades: reference.success(ranking, grades, 1),
    "Success@10": lambda ranking, grades: reference.success(ranking, grades, 10),
    "AP": reference.average_precision,
    "R@5": lambda ranking, grades: reference.recall(ranking, grades, 5),
    "R@100": lambda ranking, grades: reference.recall(ranking, grades, 100),
}
# pytrec_eval's own names of those that it has.
TREC = {"RR": "recip_rank", "nDCG@3": "ndcg_cut_3", "nDCG@10": "ndcg_cut_10", "Success@1": "success_1",
        "Success@10": "success_10", "AP": "map", "R@5": "recall_5", "R@100": "recall_100"}  # fmt: skip
DOCS = [f"d{i}" for i in range(12)]


def random_case(rng: random.Random, queries: int) -> tuple[dict[str, Grades], dict[str, list[str]]]:
    ids = [f"q{i}" for i in range(queries)]
    qrels = {q: {d: rng.choice([-1, 0, 0, 1, 1, 2, 3]) for d in rng.sample(DOCS, rng.randrange(1, 6))} for q in ids}
    return qrels, {q: rng.sample(DOCS, rng.randrange(1, len(DOCS) + 1)) for q in ids}


@pytest.mark.parametrize("name", FORMULAS)
def test_values_equal_their_formula_on_random_runs(name: str) -> None:
    qrels, rankings = random_case(random.Random(name), 300)
    values = parse(name).score(judged_of(qrels, list(qrels)), rankings)
    expected = {query_id: FORMULAS[name](rankings[query_id], grades) for query_id, grades in qrels.items()}
    assert values == pytest.approx(expected, abs=1e-12)
    assert len(set(expected.values())) > 1


@pytest.mark.parametrize("name", TREC)
def test_values_equal_trec_evals(name: str) -> None:
    import pytrec_eval

    qrels, rankings = random_case(random.Random(name), 200)
    run = {q: {d: 1.0 / (1 + place) for place, d in enumerate(ids)} for q, ids in rankings.items()}
    asked = {"recip_rank", "ndcg_cut.3,10", "success.1,10", "map", "recall.5,100"}
    found = pytrec_eval.RelevanceEvaluator(qrels, asked).evaluate(run)
    values = parse(name).score(judged_of(qrels, list(qrels)), rankings)
    assert values == pytest.approx({query_id: row[TREC[name]] for query_id, row in found.items()}, abs=1e-12)


@given(st.permutations(DOCS), st.dictionaries(st.sampled_from(DOCS), st.integers(0, 3), min_size=1))
@settings(deadline=None, max_examples=50)
def test_the_given_order_counts_whatever_the_ids(ranking: list[str], grades: Grades) -> None:
    for name in ("RR", "RR@3", "nDCG@3", "AP"):
        value = parse(name).score(judged_of({"q": grades}, ["q"]), {"q": ranking})["q"]
        assert value == pytest.approx(FORMULAS[name](ranking, grades), abs=1e-12)


def test_rr_and_rr_with_a_cutoff_agree_though_other_tools_break_their_ties_differently() -> None:
    judged = judged_of({"q": {"a": 1}}, ["q"])
    for ranking in (["a", "b"], ["b", "a"]):
        one, two = (parse(name).score(judged, {"q": ranking})["q"] for name in ("RR", "RR@10"))
        assert one == two == 1 / (1 + ranking.index("a"))


@pytest.mark.parametrize("name", FORMULAS)
def test_queries_without_judgements_are_not_scored_and_missing_ones_count_0(name: str) -> None:
    judged = judged_of(
        {"found": {"a": 1}, "missing": {"a": 1}, "of another part": {"a": 1}}, ["found", "missing", "free"]
    )
    measure = parse(name)
    assert measure.scored_queries(judged) == ("found", "missing")
    values = measure.score(judged, {"found": ["a"], "free": ["a"], "of another part": ["a"]})
    assert values == {"found": 1.0, "missing": 0.0}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_run_without_any_ranking_scores_0(name: str) -> None:
    assert parse(name).score(judged_of({"q": {"a": 1}}, ["q"]), {}) == {"q": 0.0}
    assert parse(name).score(judged_of({"q": {"a": 1}}, ["q"]), {"q": []}) == {"q": 0.0}


def test_a_query_with_nothing_relevant_stays_in_the_denominator() -> None:
    judged = judged_of({"q": {"a": 0}, "r": {"a": 1}}, ["q", "r"])
    for name in FORMULAS:
        assert parse(name).score(judged, {"q": ["a"], "r": ["a"]}) == {"q": 0.0, "r": 1.0}


def test_a_measure_applies_where_its_truth_is() -> None:
    with_qrels = judged_of({"q": {"a": 1}}, ["q"])
    with_answers = Judged(SimpleNamespace(qrels=None, answers={"q": ("x",)}, queries=()))  # type: ignore[arg-type]
    assert [parse("RR").applies_to(judged) for judged in (with_qrels, with_answers)] == [True, False]
    assert [parse("R@2kt").applies_to(judged) for judged in (with_qrels, with_answers)] == [False, True]


@pytest.mark.parametrize("name", ["RR@", "ndgc@10", "Recall 5", "nDCG@ten", "__import__('os')", "RR,AP", "1", "R@5kt2"])
def test_unknown_names_are_wrong_usage(name: str) -> None:
    with pytest.raises(WrongUsage, match="unknown measure"):
        parse(name)


def test_judged_shares_go_with_the_cutoffs_of_measures_from_qrels() -> None:
    names = ["RR@10", "nDCG@10", "R@100", "AP", "Judged@5", "R@2kt", "Rprec"]
    assert [measure.name for measure in judged_shares([parse(name) for name in names])] == [
        "Judged@10",
        "Judged@100",
        "Judged",
    ]
    assert judged_shares([parse("R@2kt")]) == []
