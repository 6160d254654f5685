"""Every measure that ir-measures names is ir-measures' own on the raw files, or is refused with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import ir_measures
import pytest
import statistics_reference as reference
from hypothesis import given
from hypothesis import strategies as st
from judged import judged_of

from harness.errors import InvalidInput, WrongUsage
from harness.measures import parse

ROOT = Path(__file__).parents[2]
IDS = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def study() -> ModuleType:
    import provider_measures

    return provider_measures


@pytest.fixture(scope="module")
def outcomes(study: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("runs")
    cases = [study.random_case(seed, folder) for seed in range(100, 104)]
    found: dict[str, Any] = study.compare([*cases, next(study.cases_of_mini(ROOT, ["bm25"]))])
    return found


def test_every_form_of_every_measure_is_that_of_ir_measures_or_refused(outcomes: dict[str, Any]) -> None:
    assert {name for name, outcome in outcomes.items() if outcome.unequal} == set()
    assert set(outcomes) >= {m.NAME for m in ir_measures.measures.registry.values()}
    for name, outcome in outcomes.items():
        assert outcome.equal > 80 if outcome.forms else outcome.refused, name
    assert sum(outcome.forms for outcome in outcomes.values()) >= 150


def test_the_page_says_what_is_used_and_what_is_refused(study: ModuleType, outcomes: dict[str, Any]) -> None:
    def without_counts(text: str) -> list[list[str]]:
        rows = [line.split("|") for line in text.splitlines() if line.startswith("|")]
        return [row[:-3] if len(row) == 7 else row for row in rows]

    written = (ROOT / "docs/measures.md").read_text("utf-8").partition(study.BEGIN)[2].partition(study.END)[0]
    assert without_counts(written) == without_counts(study.table(outcomes, 0, 0))
    assert all(line.endswith("| 0 |") for line in written.splitlines() if line.count("|") == 6 and "pytrec" in line)


@given(
    st.dictionaries(
        IDS, st.dictionaries(st.sampled_from("abcd"), st.integers(-1, 4), min_size=1), min_size=1, max_size=3
    )
)
def test_a_querys_id_changes_no_value(qrels: dict[str, dict[str, int]]) -> None:
    ranking = ["x", "b", "a", "c"]
    for name in ("ERR@3", "nDCG(dcg='exp-log2')@3", "Compat", "Bpref"):
        values = parse(name).score(judged_of(qrels, list(qrels)), dict.fromkeys(qrels, ranking))
        assert list(values) == list(qrels)
        for query_id, grades in qrels.items():
            assert values[query_id] == parse(name).score(judged_of({"1": grades}, ["1"]), {"1": ranking})["1"]


def err(ranking: list[str], grades: dict[str, int]) -> float:
    """Chapelle, Metzler, Zhang and Grinspan (CIKM 2009), with the highest grade 4."""
    value, looks_on = 0.0, 1.0
    for rank, doc_id in enumerate(ranking, 1):
        stops = (2 ** max(0, grades.get(doc_id, 0)) - 1) / 2**4
        value, looks_on = value + looks_on * stops / rank, looks_on * (1 - stops)
    return value


def test_err_and_exponential_ndcg_of_named_queries_are_their_formulas() -> None:
    qrels = {"ar-001": {"a": 4, "b": 1}, "fi-001": {"c": 2, "d": -1}, "q0": {"a": 1}}
    rankings = {"ar-001": ["b", "x", "a"], "fi-001": ["d", "c"]}
    judged = judged_of(qrels, list(qrels))
    expected = {query: err(rankings.get(query, []), grades) for query, grades in qrels.items()}
    assert parse("ERR@10").score(judged, rankings) == pytest.approx(expected, abs=1e-5)
    gains = {query: {doc: 2 ** max(0, grade) - 1 for doc, grade in grades.items()} for query, grades in qrels.items()}
    values = parse("nDCG(dcg='exp-log2')@10").score(judged, rankings)
    ndcg = {query: reference.ndcg(rankings.get(query, []), gains[query], 10) for query in qrels}
    assert values == pytest.approx(ndcg, abs=1e-5)


def test_compatibility_puts_what_was_found_first_in_the_ideal_ranking() -> None:
    values = parse("Compat(p=0.8)").score(judged_of({"q": {"b": 1, "a": 1}}, ["q"]), {"q": ["a", "x"]})
    assert values["q"] == pytest.approx((1 + 0.8 / 2) / 1.8, abs=1e-12)


class Stub:
    """A provider that answers as it is told."""

    NAME = "stub"

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.answer = answer

    def evaluator(self, _measures: object, _qrels: object) -> Stub:
        return self

    def iter_calc(self, _run: object) -> Iterator[Any]:
        yield from (ir_measures.Metric(query_id, None, value) for query_id, value in self.answer())


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda: [("1", 0.5)], "no value for 1 of 2"),
        (lambda: [("1", 0.5), ("2", 0.5), ("3", 0.5)], "query 3"),
        (lambda: [("1", 0.5), ("1", 0.5)], "query 1"),
        (lambda: [("1", 0.5), ("2", float("nan"))], "nan for query 2"),
        (lambda: [(1 / 0, 1)], "ended with ZeroDivisionError"),
    ],
)
def test_values_of_other_queries_than_the_scored_ones_are_an_error_that_names_the_provider(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[], Any], says: str
) -> None:
    monkeypatch.setattr("harness.measures.from_qrels.provider_of", lambda _: Stub(answer))
    with pytest.raises(InvalidInput, match=says) as caught:
        parse("Rprec").score(judged_of({"q": {"a": 1}, "r": {"a": 1}}, ["q", "r"]), {"q": ["a"]})
    assert "stub, which computes Rprec for ir-measures," in caught.value.message


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("P", "cutoff must be given"),
        ("P(cut=3)@5", "known are cutoff: "),
        ("P@0", "invalid"),
        ("P@True", "invalid"),
        ("alpha_nDCG@10", "judgements by subtopic"),
        ("RBP(rel=1)", "cwl_eval"),
        ("Accuracy@5", "leaves out the questions"),
        ("IPrec@0.123", "steps of 0.01"),
        ("IPrec@1.5", "from 0 to 1"),
        ("Compat(p=1.5)", "from 0 to 1"),
        ("nDCG(gains={1: 0.5})@5", "whole numbers"),
        ("nDCG(gains={'1': 2})@5", "whole numbers"),
        ("SetF(beta=0.0)", "beta is above 0"),
        ("P(rel=0)@5", "1 or more"),
        ("ERR", "with these parameters"),
    ],
)
def test_a_measure_that_cannot_be_right_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(WrongUsage, match="cannot be used: ") as caught:
        parse(name)
    assert reason in caught.value.message


def test_grades_that_a_provider_cannot_take_are_named() -> None:
    judged = judged_of({"q": {"a": 5, "b": 1}}, ["q"])
    with pytest.raises(InvalidInput, match="ERR@5 is computed by gdeval") as caught:
        parse("ERR@5").score(judged, {"q": ["a"]})
    (finding,) = caught.value.findings
    assert str(finding).startswith("query q: document a has the grade 5; expected 4 or less")


def test_gains_take_the_place_of_grades_before_these_are_looked_at() -> None:
    judged = judged_of({"q": {"a": 1, "b": 2}}, ["q"])
    value = parse("nDCG(gains={1: 2, 2: 1})@5").score(judged, {"q": ["b", "a"]})["q"]
    assert value == pytest.approx(reference.ndcg(["b", "a"], {"a": 2, "b": 1}, 5), abs=1e-12)
