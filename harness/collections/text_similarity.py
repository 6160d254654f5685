"""Near-duplicate texts: normalisation, character n-grams, pairs above a Jaccard similarity, and the one rule for questions."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

_CHUNK = 2048

NGRAM = 5
THRESHOLD = 0.8
"""Two questions are one question where the Jaccard similarity of their character 5-grams is above 0.8: the same letters, or all
but a few. Training rows, reports and whatever else asks for overlap ask here."""


def near_duplicates(texts: Sequence[str], others: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    """Pairs (i, j, similarity) of texts that are one question by the rule above, whatever language they are said to be in."""
    return similar_pairs(texts, others, NGRAM, THRESHOLD)


def normalized(text: str) -> str:
    """Compatibility forms unified, case folded, punctuation and control characters as blanks, runs of blanks as one.

    >>> normalized("  Who  wrote it ?")
    'who wrote it'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = [c if unicodedata.category(c)[0] not in "PZC" else " " for c in folded]
    return " ".join("".join(kept).split())


def ngrams(text: str, n: int) -> set[str]:
    """Character n-grams of a normalised text; a shorter text is its own only n-gram."""
    return {text[i : i + n] for i in range(len(text) - n + 1)} or {text}


def _incidence(sets: Sequence[set[str]], vocabulary: dict[str, int]) -> Any:
    """Sparse matrix, shape (texts, n-grams), with 1 where the text has the n-gram."""
    from scipy.sparse import csr_matrix

    columns = [vocabulary[gram] for grams in sets for gram in grams]
    pointers = np.concatenate([[0], np.cumsum([len(grams) for grams in sets])])
    return csr_matrix((np.ones(len(columns), np.int32), columns, pointers), shape=(len(sets), len(vocabulary)))


def similar_pairs(
    texts: Sequence[str], others: Sequence[str], n: int, threshold: float
) -> Iterator[tuple[int, int, float]]:
    """Pairs (i, j, Jaccard similarity of n-gram sets of the normalised texts) above ``threshold``, which is below 1."""
    left, right = ([ngrams(normalized(text), n) for text in side] for side in (texts, others))
    vocabulary = {
        gram: i for i, gram in enumerate(dict.fromkeys(g for grams in [*left, *right] for g in sorted(grams)))
    }
    one, two = _incidence(left, vocabulary), _incidence(right, vocabulary).T.tocsc()
    sizes_l, sizes_r = (np.array([len(grams) for grams in side]) for side in (left, right))
    for start in range(0, len(left), _CHUNK):
        shared = (one[start : start + _CHUNK] @ two).tocoo()
        rows = shared.row + start
        similarity = shared.data / (sizes_l[rows] + sizes_r[shared.col] - shared.data)
        for place in np.flatnonzero(similarity > threshold):
            yield int(rows[place]), int(shared.col[place]), float(similarity[place])
