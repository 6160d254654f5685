"""EM@k and F1@k of a reader: the contract, the choice among passages, names, and what cannot be scored."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

import pytest

from harness.collections.in_memory import collection_of
from harness.errors import InvalidInput, WrongUsage
from harness.measures import Judged, parse
from harness.measures.conformance import conformance_tests, toy_judged
from harness.measures.mlqa_answers import ARTICLES
from harness.measures.read_answers import FAMILIES, PerfectReader, ReadAnswers, name_of
from harness.measures.readings import Answered
from harness.measures.squad_answers import exact_match, token_f1
from harness.records import Doc, Query

READER = "tiny-0123abcd"
EM, F1 = f"EM@3({READER})", f"F1@3({READER})"


def perfectly_read() -> Judged:
    toy = toy_judged().collection
    return Judged(toy, PerfectReader(toy))


TestExactMatch = conformance_tests(lambda: parse(EM), perfectly_read())
TestF1 = conformance_tests(lambda: parse(f"F1@2({READER},english,mlqa-de)"), perfectly_read())


class Said:
    """Readings by question and passage."""

    def __init__(self, answers: Mapping[tuple[str, str], Answered]) -> None:
        self.answers = answers

    def of(self, reading: str, query_id: str, doc_id: str) -> Answered:
        assert reading == READER
        return self.answers[query_id, doc_id]


def world(answers: Mapping[str, tuple[str, ...]], said: Mapping[tuple[str, str], Answered]) -> Judged:
    docs = [Doc(f"d{n}", "", f"text {n}") for n in range(6)]
    queries = [Query(query_id, "?", "fi", query_id) for query_id in answers]
    return Judged(collection_of(docs, queries, answers=answers), Said(said))


def test_the_surest_of_the_first_answers_is_compared() -> None:
    said = {
        ("q", "d0"): Answered("Lake Victoria", 1.0),
        ("q", "d1"): Answered("the Nile", 5.0),
        ("q", "d2"): Answered("Volga", 9.0),
        ("q", "d3"): Answered("", -math.inf),
    }
    judged = world({"q": ("Nile", "river Nile delta")}, said)
    for ranking, em, f1 in (
        (["d0", "d1"], 1.0, 1.0),
        (["d1", "d0"], 1.0, 1.0),
        (["d1", "d2"], 0.0, 0.0),
        (["d0"], 0.0, 0.0),
        (["d3"], 0.0, 0.0),
        (["d3", "d0", "d3", "d1"], 0.0, 0.0),  # the fourth is not looked at
        ([], 0.0, 0.0),
    ):
        assert parse(EM).score(judged, {"q": ranking}) == {"q": em}
        assert parse(F1).score(judged, {"q": ranking}) == {"q": f1}


def test_of_two_answers_with_one_score_that_of_the_passage_further_up_counts() -> None:
    said = {("q", "d0"): Answered("right", 2.0), ("q", "d1"): Answered("wrong", 2.0)}
    judged = world({"q": ("right",)}, said)
    assert parse(EM).score(judged, {"q": ["d0", "d1"]}) == {"q": 1.0}
    assert parse(EM).score(judged, {"q": ["d1", "d0"]}) == {"q": 0.0}


def test_values_are_those_of_a_naive_computation_and_order_by_helpfulness_never_harms_exact_match() -> None:
    drawn = random.Random(5)
    texts = ["right", "the right", "right one", "wrong", ""]
    for _ in range(200):
        said = {
            ("q", f"d{n}"): Answered(text, drawn.choice([-3.0, 0.5, 7.25, 20.0]) if text else -math.inf)
            for n, text in enumerate(drawn.choices(texts, k=6))
        }
        judged = world({"q": ("right", "left")}, said)
        ranking = drawn.sample([f"d{n}" for n in range(6)], 6)
        best, top = "", -math.inf
        for doc_id in ranking[:3]:
            if said["q", doc_id].score > top:
                best, top = said["q", doc_id]
        em = 1.0 if best and exact_match(best, ("right", "left")) else 0.0
        assert parse(EM).score(judged, {"q": ranking}) == {"q": em}
        assert parse(F1).score(judged, {"q": ranking}) == {"q": token_f1(best, ("right", "left"))}
        by_help = sorted(ranking, key=lambda doc_id: -parse(EM).helpfulness(judged, "q", doc_id))
        assert parse(EM).score(judged, {"q": by_help})["q"] >= em


def test_an_empty_answer_is_not_right_where_articles_are_all_that_is_accepted() -> None:
    judged = world({"q": ("the",)}, {("q", "d0"): Answered("", -math.inf)})
    assert parse(EM).score(judged, {"q": ["d0"]}) == {"q": 0.0}


def test_names_say_the_reader_the_questions_and_the_normaliser() -> None:
    measure = parse(f"EM@5({READER},english,mlqa-de)")
    assert isinstance(measure, ReadAnswers)
    assert (measure.cutoff, measure.reading, measure.answers_in) == (5, f"{READER}-english", "de")
    assert "normaliser mlqa de" in measure.version
    assert "given the English question" in measure.definition
    versions = {parse(f"EM@5(tiny-{digest})").version for digest in ("0123abcd", "0123abce")}
    assert len(versions) == 2
    for name in ("EM@5", "EM@0(tiny-0123abcd)", "EM@5(tiny)", "EM@5(tiny-0123ABCD)", "EM@5(tiny-0123abcd,mlqa-fi)"):
        with pytest.raises(WrongUsage):
            parse(name)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("is_english", [False, True])
@pytest.mark.parametrize("answers_in", ["", *ARTICLES])
def test_a_name_is_taken_apart_as_it_was_put_together(family: str, is_english: bool, answers_in: str) -> None:
    name = name_of(family, 10_000, READER, is_english, answers_in)
    assert parse(name) == ReadAnswers(name, family, READER, 10_000, is_english, answers_in)


@pytest.mark.parametrize(
    "name",
    [f"EM@2({READER},mlqa-fi)", f"F1@2({READER},mlqa-de,english)", f"EM@10001({READER})", f"EM@{'9' * 5000}({READER})"],
)
def test_a_wrong_name_is_told_the_right_ones(name: str) -> None:
    with pytest.raises(WrongUsage) as refusal:
        parse(name)
    assert "EM@<k>(READER,english,mlqa-xx), in this order, xx being one of en, es, hi, vi, de, ar, zh" in str(
        refusal.value
    )
    assert "k at most 10,000" in str(refusal.value)
    assert len(str(refusal.value)) < 700


def test_collections_without_answers_and_with_blank_ones_are_refused() -> None:
    """The gold passages of TyDi QA's development set come with empty answers."""
    assert not parse(EM).applies_to(toy_judged(answers=False))
    assert not parse(EM).applies_to(world({"q": ("",), "r": ("there",)}, {}))
    assert parse(EM).applies_to(world({"q": ("there", ""), "r": ()}, {}))


def test_what_nobody_has_read_is_no_zero() -> None:
    with pytest.raises(InvalidInput, match="xdr read RUN READER"):
        parse(EM).score(toy_judged(), {"one": ["volga"]})
