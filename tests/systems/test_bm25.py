"""BM25 equals the formula, ranks nothing that shares no term with the question, and breaks ties by id."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.adapters.contract import Context, Request
from harness.collections.view import Docs
from harness.errors import InvalidInput
from harness.records import Doc, Query, Ranking
from systems.bm25 import Bm25

TEXTS = {
    "d1": "tea tea green leaf",
    "d2": "coffee seed and tea",
    "d3": "the volga is a long long river of russia that flows into the caspian sea",
    "d4": "the nile is a river",
    "d5": "fuji 3776",
    "d6": "",
    "d7": "coffee seed and tea",
}
QUESTIONS = ["tea", "green tea", "river sea volga", "tea tea coffee", "the river", "Fuji 3776 ?", "nothing"]


def ranked(tmp_path: Path, questions: list[str], depth: int = 10, **parameters: Any) -> list[Ranking]:
    docs = Docs(Doc(doc_id, "", text) for doc_id, text in TEXTS.items())
    queries = tuple(Query(str(n), text, "en", str(n)) for n, text in enumerate(questions))
    system = Bm25(Bm25.Parameters(**{"stem": False} | parameters))
    return list(system.search(Request(docs, queries, depth), Context(cache=tmp_path, work=tmp_path)))


def by_formula(question: str, k1: float, b: float) -> dict[str, float]:
    """Lucene's variant: idf = ln(1 + (N - df + 0.5) / (df + 0.5)), no (k1 + 1) in the numerator."""
    corpus = {doc_id: text.lower().split() for doc_id, text in TEXTS.items()}
    mean = sum(map(len, corpus.values())) / len(corpus)
    scores = {}
    for doc_id, words in corpus.items():
        score = 0.0
        for term in question.lower().replace("?", "").split():
            holding = sum(term in other for other in corpus.values())
            idf = math.log(1 + (len(corpus) - holding + 0.5) / (holding + 0.5))
            count = words.count(term)
            score += idf * count / (count + k1 * (1 - b + b * len(words) / mean))
        scores[doc_id] = score
    return {doc_id: score for doc_id, score in scores.items() if score > 0}


@pytest.mark.parametrize(("k1", "b"), [(0.9, 0.4), (1.5, 0.75), (2.0, 0.0)])
def test_scores_equal_the_formula(tmp_path: Path, k1: float, b: float) -> None:
    for question, ranking in zip(QUESTIONS, ranked(tmp_path, QUESTIONS, k1=k1, b=b), strict=True):
        found = dict(zip(ranking.doc_ids, np.asarray(ranking.scores).tolist(), strict=True))
        assert found == pytest.approx(by_formula(question, k1, b), abs=1e-5), question


@pytest.mark.parametrize("method", ["lucene", "robertson", "atire", "bm25l", "bm25+"])
def test_every_ranked_passage_shares_a_term_and_scores_above_0(tmp_path: Path, method: str) -> None:
    rankings = ranked(tmp_path, QUESTIONS, method=method)
    for question, ranking in zip(QUESTIONS, rankings, strict=True):
        assert all(score > 0 for score in ranking.scores)
        assert all(set(TEXTS[doc_id].split()) & set(question.lower().split()) for doc_id in ranking.doc_ids)
    assert "d1" in rankings[1].doc_ids


@pytest.mark.parametrize("question", ["nothing", "", "?!", "東京"])
def test_a_question_that_matches_nothing_has_an_empty_ranking(tmp_path: Path, question: str) -> None:
    [ranking] = ranked(tmp_path, [question])
    assert list(ranking.doc_ids) == []
    assert len(ranking.scores) == 0


def test_ties_go_to_the_higher_id_before_the_cut(tmp_path: Path) -> None:
    [deep], [shallow] = ranked(tmp_path, ["coffee"]), ranked(tmp_path, ["coffee"], depth=1)
    assert list(deep.doc_ids) == ["d7", "d2"]
    assert deep.scores[0] == deep.scores[1]
    assert list(shallow.doc_ids) == ["d7"]


def test_stemming_lets_other_forms_match(tmp_path: Path) -> None:
    assert [list(r.doc_ids) for r in ranked(tmp_path, ["rivers"], stem=True)] == [["d4", "d3"]]
    assert [list(r.doc_ids) for r in ranked(tmp_path, ["rivers"], stem=False)] == [[]]


def test_titles_count_only_where_they_are_wanted(tmp_path: Path) -> None:
    request = Request(
        Docs([Doc("a", "Volga", "a river"), Doc("b", "", "a lake")]), (Query("q", "volga", "ru", "q"),), 5
    )
    for use_title, expected in ((True, ["a"]), (False, [])):
        system = Bm25(Bm25.Parameters(use_title=use_title))
        [ranking] = system.search(request, Context(cache=tmp_path, work=tmp_path))
        assert list(ranking.doc_ids) == expected


def test_passages_without_any_term_are_refused(tmp_path: Path) -> None:
    request = Request(Docs([Doc("a", "", "?"), Doc("b", "", "")]), (Query("q", "volga", "ru", "q"),), 5)
    with pytest.raises(InvalidInput, match="no passage holds any term"):
        list(Bm25(Bm25.Parameters()).search(request, Context(cache=tmp_path, work=tmp_path)))


def test_the_segmentation_is_noted_for_the_manifest(tmp_path: Path) -> None:
    context = Context(cache=tmp_path, work=tmp_path)
    request = Request(Docs([Doc("a", "", "東京 tea")]), (Query("q", "tea", "fi", "q"),), 5)
    list(Bm25(Bm25.Parameters()).search(request, context))
    assert context.record.facts["segmentation"] == {"en": "character bigrams", "stemmer": "en"}
