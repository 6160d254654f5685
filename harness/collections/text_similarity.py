"""Near-duplicate texts: normalisation, character n-grams, pairs above a Jaccard similarity, and the one rule for questions."""

from __future__ import annotations

import itertools
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
    return " ".join(unicodedata.normalize("NFKC", text).casefold().translate(_LETTERS).split())


class _Letters(dict[int, int]):
    """What ``str.translate`` makes of each character: a blank of punctuation and control characters."""

    def __missing__(self, code: int) -> int:
        self[code] = code if unicodedata.category(chr(code))[0] not in "PZC" else ord(" ")
        return self[code]


_LETTERS = _Letters()


def ngrams(text: str, n: int) -> set[str]:
    """Character n-grams of a normalised text; a shorter text is its own only n-gram."""
    return {text[i : i + n] for i in range(len(text) - n + 1)} or {text}


def _incidence(sets: Sequence[set[str]], vocabulary: dict[str, int]) -> Any:
    """Sparse matrix, shape (texts, n-grams), with 1 where the text has the n-gram; others than these count for nothing."""
    from scipy.sparse import csr_matrix

    columns = [[vocabulary[gram] for gram in grams if gram in vocabulary] for grams in sets]
    pointers = np.cumsum([0, *map(len, columns)])
    values = np.ones(pointers[-1], np.int32)
    indices = np.fromiter(itertools.chain.from_iterable(columns), np.int64, pointers[-1])
    return csr_matrix((values, indices, pointers), shape=(len(sets), len(vocabulary)))


def similar_pairs(
    texts: Sequence[str], others: Sequence[str], n: int, threshold: float
) -> Iterator[tuple[int, int, float]]:
    """Pairs (i, j, Jaccard similarity of n-gram sets of the normalised texts) above ``threshold``, which is below 1.

    In the order of i, then j.
    """
    right = [ngrams(normalized(text), n) for text in others]
    # What no text of the other side has is shared with none: it counts in the sizes alone.
    vocabulary = {gram: place for place, gram in enumerate(sorted(set().union(*right)))}
    two, sizes_r = _incidence(right, vocabulary).T.tocsc(), np.array([len(grams) for grams in right])
    for start in range(0, len(texts), _CHUNK):
        left = [ngrams(normalized(text), n) for text in texts[start : start + _CHUNK]]
        shared = (_incidence(left, vocabulary) @ two).tocsr()
        shared.sort_indices()
        shared = shared.tocoo()
        sizes_l = np.array([len(grams) for grams in left])
        similarity = shared.data / (sizes_l[shared.row] + sizes_r[shared.col] - shared.data)
        for place in np.flatnonzero(similarity > threshold):
            yield start + int(shared.row[place]), int(shared.col[place]), float(similarity[place])
