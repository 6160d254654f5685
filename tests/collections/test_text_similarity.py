"""Near-duplicate texts: all pairs above the threshold, and none else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.collections import text_similarity
from harness.collections.text_similarity import Similar, ngrams, normalized, similar_pairs

TEXTS = st.lists(st.text(alphabet="ab c?", max_size=12), max_size=8)


def jaccard(one: str, two: str, n: int) -> float:
    """By the definition, for two texts without punctuation inside a word."""
    left, right = ({text[i : i + n] for i in range(max(1, len(text) - n + 1))} for text in (one, two))
    return len(left & right) / len(left | right)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Who  wrote it ?", "who wrote it"),
        ("Ｗｈｏ\twrote\nit", "who wrote it"),
        ("STRASSE?", "strasse"),
        ("Straße", "strasse"),
        ("«ما هذا؟»", "ما هذا"),
        ("हिन्दी में कौन?", "हिन्दी में कौन"),
        ("?!", ""),
    ],
)
def test_normalised_texts_differ_only_in_letters(text: str, expected: str) -> None:
    assert normalized(text) == expected
    assert normalized(expected) == expected


@given(st.text(max_size=20), st.integers(1, 6))
def test_ngrams_cover_the_text(text: str, n: int) -> None:
    grams = ngrams(text, n)
    assert grams == ({text} if len(text) < n else {text[i : i + n] for i in range(len(text) - n + 1)})


@settings(deadline=None)
@given(TEXTS, TEXTS, st.integers(1, 4), st.sampled_from([0.0, 0.3, 0.5, 0.8]))
def test_pairs_are_those_above_the_threshold(left: list[str], right: list[str], n: int, threshold: float) -> None:
    found = {(i, j): similarity for i, j, similarity in similar_pairs(left, right, n, threshold)}
    scores = {
        (i, j): jaccard(normalized(one), normalized(two), n)
        for i, one in enumerate(left)
        for j, two in enumerate(right)
    }
    assert found == {pair: pytest.approx(score) for pair, score in scores.items() if score > threshold}


WORDS = st.sampled_from(["who", "wrote", "the", "song", "of", "a", "river", "in", "1999", "the", "the"])
QUESTIONS = st.lists(st.lists(WORDS, min_size=3, max_size=12).map(" ".join), min_size=1, max_size=25)


@given(QUESTIONS, st.data())
def test_texts_of_common_words_that_differ_in_a_few_letters_are_found(
    questions: list[str], data: st.DataObject
) -> None:
    places = st.integers(0, len(questions) - 1)
    edited = [
        questions[place][:cut] + letter + questions[place][cut + 1 :]
        for place, cut, letter in data.draw(
            st.lists(st.tuples(places, st.integers(0, 40), st.sampled_from("xe")), max_size=25)
        )
    ]
    found = list(similar_pairs(questions, edited, 5, 0.8))
    scores = [(i, j, jaccard(one, two, 5)) for i, one in enumerate(questions) for j, two in enumerate(edited)]
    assert found == [score for score in scores if score[2] > 0.8]


@given(st.lists(QUESTIONS, max_size=3), QUESTIONS)
def test_each_lot_of_texts_finds_what_it_would_find_alone(lots: list[list[str]], others: list[str]) -> None:
    similar = Similar(others, 5, 0.8)
    for texts in lots:
        assert list(similar.pairs(texts)) == list(similar_pairs(texts, others, 5, 0.8))


def test_equal_texts_are_found_however_they_are_written() -> None:
    assert list(similar_pairs(["Who wrote it?", "what"], ["WHO WROTE  IT"], 5, 0.8)) == [(0, 0, 1.0)]


def test_nothing_is_similar_to_nothing() -> None:
    assert list(similar_pairs([], ["a"], 5, 0.8)) == []
    assert list(similar_pairs(["a"], [], 5, 0.8)) == []
    assert list(similar_pairs([], [], 5, 0.8)) == []


def test_more_texts_than_one_chunk_are_all_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_similarity, "_CHUNK", 2)
    texts = ["alpha beta", "gamma delta", "epsilon zeta", "eta theta", "iota kappa"]
    assert sorted(similar_pairs(texts, texts[::-1], 3, 0.9)) == [(i, 4 - i, 1.0) for i in range(5)]
