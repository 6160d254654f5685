"""Measures computed from grades by rank are those of ir-measures; and several measures at once are each one alone."""

from __future__ import annotations

from importlib import metadata

import ir_measures
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from judged import judged_of

from harness.errors import InvalidInput, WrongUsage
from harness.measures import parse, score_all
from harness.measures.from_grades import FromGrades
from harness.measures.from_qrels import FromQrels

OURS = [
    *(f"{formula}{rel}@{k}" for formula in ("P", "R", "Success", "RR", "AP") for rel in ("", "(rel=2)") for k in (1, 3, 20)),
    *(f"{formula}@{k}" for formula in ("nDCG", "Judged") for k in (1, 3, 20)),
    *("RR", "RR(rel=3)", "AP", "AP(rel=2)", "nDCG", "Judged", "MRR@10", "MAP", "NDCG@5", "Recall@5", "Precision@5"),
]  # fmt: skip
LEFT = ["Rprec", "Bpref", "infAP", "NumRet", "SetP", "SetF", "IPrec@0.1", "P(judged_only=True)@3"]

IDS = [f"q{number}" for number in range(4)]
DOCS = [f"d{number}" for number in range(9)]
GRADES = st.dictionaries(st.sampled_from(DOCS), st.integers(-1, 4), min_size=1)
RANKING = st.lists(st.sampled_from(DOCS), unique=True)


def of_ir_measures(name: str, qrels: dict[str, dict[str, int]], rankings: dict[str, list[str]]) -> dict[str, float]:
    """One measure by itself. ir-measures cannot take a ranking without documents, which is the same as a missing one;
    and pytrec_eval overwrites foreign memory for a query whose grades are all negative, which is the same as zeros."""
    qrels = {q: grades if max(grades.values()) >= 0 else dict.fromkeys(grades, 0) for q, grades in qrels.items()}
    run = {q: {d: -float(rank) for rank, d in enumerate(ids)} for q, ids in rankings.items() if ids}
    measure = ir_measures.parse_measure(name)
    return {metric.query_id: metric.value for metric in ir_measures.iter_calc([measure], qrels, run)}


@given(
    st.dictionaries(st.sampled_from(IDS), GRADES, min_size=1),
    st.dictionaries(st.sampled_from([*IDS, "not judged"]), RANKING),
)
@example(
    {"q0": {"d0": 0, "d1": -1}, "q1": {"d8": 2}, "q2": {"d0": 1}}, {"q0": ["d1", "d0"], "q1": ["d0"], "q3": ["d0"]}
)
@example({"q0": {"d0": 1, "d1": 3, "d2": -1}}, {"q0": ["d2", "d0"], "not judged": ["d0"]})
def test_values_are_those_of_ir_measures(qrels: dict[str, dict[str, int]], rankings: dict[str, list[str]]) -> None:
    values = score_all([parse(name) for name in OURS], judged_of(qrels, list(qrels)), rankings)
    for name in OURS:
        assert values[name] == pytest.approx(of_ir_measures(name, qrels, rankings), abs=1e-12), name


def test_a_grade_below_minus_1_is_as_little_as_any_other_that_is_not_positive() -> None:
    values, expected = (
        score_all([parse(n) for n in OURS], judged_of({"q": {"a": low, "b": 2}}, ["q"]), {"q": ["a", "c", "b"]})
        for low in (-2, 0)
    )
    assert values == expected
    assert values["Judged@3"] == {"q": 2 / 3}


def test_grades_that_crash_other_tools_are_refused_by_what_is_left_to_them() -> None:
    judged = judged_of({"q": {"a": 1, "b": -2}}, ["q"])
    with pytest.raises(InvalidInput, match="Rprec is computed by pytrec_eval, which cannot work") as caught:
        parse("Rprec").score(judged, {"q": ["a"]})
    (finding,) = caught.value.findings
    assert str(finding) == "query q: document b has the grade -2; expected -1 or more; write 0"


def test_a_query_with_negative_grades_alone_has_nothing_relevant_and_crashes_nothing() -> None:
    values = score_all([parse(name) for name in LEFT], judged_of({"q": {"a": -1}}, ["q"]), {"q": ["a", "b"]})
    assert values == {name: {"q": 2.0 if name == "NumRet" else 0.0} for name in LEFT}


def test_measures_of_judged_documents_alone_change_no_others() -> None:
    """In one call of ir-measures NumRet is wrong, in about one process of eight, and gains go from one nDCG to another."""
    names = ["NumRet", "P(judged_only=True)@3", "Rprec", "NumQ", "AP(judged_only=True)",
             "nDCG(judged_only=True)@5", "nDCG(gains={1: 9}, judged_only=True)@5"]  # fmt: skip
    judged = judged_of({"q": {"a": 1, "c": 2}}, ["q"])
    together = score_all([parse(n) for n in names], judged, {"q": ["a", "b"]})
    assert together == {name: parse(name).score(judged, {"q": ["a", "b"]}) for name in names}
    assert together["NumRet"] == {"q": 2.0}
    assert together["nDCG(judged_only=True)@5"] != together["nDCG(gains={1: 9}, judged_only=True)@5"]


def test_values_of_long_rankings_are_those_of_ir_measures() -> None:
    generator = np.random.default_rng(5)
    docs = [f"d{number}" for number in range(400)]
    rankings = {f"q{q}": generator.permutation(docs)[: generator.integers(1, 400)].tolist() for q in range(40)}
    qrels = {
        query_id: {d: int(generator.integers(-1, 4)) for d in generator.choice(docs, generator.integers(1, 200), False)}
        for query_id in rankings
    }
    values = score_all([parse(name) for name in OURS], judged_of(qrels, list(qrels)), rankings)
    for name in OURS:
        expected = of_ir_measures(name, qrels, rankings)
        assert values[name] == pytest.approx(expected, abs=1e-12, rel=0), name
        assert len(set(expected.values())) > 1, f"{name} is the same for all queries, which shows little"


@given(
    st.dictionaries(st.sampled_from(IDS), GRADES, min_size=1),
    st.dictionaries(st.sampled_from([*IDS, "not judged"]), RANKING),
)
@example({"q0": {"d0": -1}, "q1": {"d0": -1, "d1": 1}}, {"q0": ["d0"], "q1": ["d0", "d1", "d2"]})
def test_measures_left_to_ir_measures_have_its_values_though_they_share_one_call(
    qrels: dict[str, dict[str, int]], rankings: dict[str, list[str]]
) -> None:
    values = score_all([parse(name) for name in LEFT], judged_of(qrels, list(qrels)), rankings)
    for name in LEFT:
        assert values[name] == pytest.approx(of_ir_measures(name, qrels, rankings), abs=1e-12), name


def test_all_kinds_together_are_each_one_alone_and_keep_their_order() -> None:
    judged = judged_of({"q": {"a": 1, "b": 2}, "r": {"c": 1}}, ["q", "r", "s"])
    rankings = {"q": ["c", "b", "a"], "r": ["b"], "s": ["a"]}
    names = ["Rprec", "RR", "nDCG@10", "MRR", "Bpref", "R@1"]
    values = score_all([parse(name) for name in names], judged, rankings)
    assert list(values) == names
    assert values == {name: parse(name).score(judged, rankings) for name in names}
    assert values["RR"] == values["MRR"] == {"q": 0.5, "r": 0.0}


def test_who_computes_what_is_in_the_version() -> None:
    assert all(isinstance(parse(name), FromGrades) for name in OURS)
    assert all(isinstance(parse(name), FromQrels) for name in LEFT)
    assert parse("nDCG@10").version == "from grades 1, as trec_eval"
    library = f"from qrels 3, ir-measures {metadata.version('ir-measures')}"
    assert parse("Rprec").version == f"{library}, pytrec_eval {metadata.version('pytrec-eval-terrier')}"
    assert parse("nDCG(dcg='exp-log2')@5").version == f"{library}, gdeval"


def test_grades_below_1_as_relevant_are_left_to_ir_measures() -> None:
    assert not isinstance(parse("RR(rel=0)@5"), FromGrades)


@pytest.mark.parametrize("name", ["P", "R", "Success", "alpha_nDCG@10", "INST", "P@0"])
def test_what_ir_measures_could_not_compute_is_refused_by_name(name: str) -> None:
    with pytest.raises(WrongUsage, match="cannot be used: "):
        parse(name)
