"""Near-duplicate texts: all pairs above the threshold, and none else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.collections import text_similarity
from harness.collections.text_similarity import ngrams, normalized, similar_pairs

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
