"""Near-duplicate texts: normalisation, character n-grams, pairs above a Jaccard similarity, and the one rule for questions."""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CHUNK = 2048

NGRAM = 5
THRESHOLD = 0.8
"""Two questions are one question where the Jaccard similarity of their character 5-grams is above 0.8: the same letters, or all
but a few. Training rows, reports and whatever else asks for overlap ask here."""


def near_duplicates(texts: Sequence[str], others: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    """Pairs (i, j, similarity) of texts that are one question by the rule above, whatever language they are said to be in."""
    return similar_to(others).pairs(texts)


def similar_to(others: Sequence[str]) -> Similar:
    """The same for several lots of texts one after the other."""
    return Similar(others, NGRAM, THRESHOLD)


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


class _Sets:
    """Of each text the number of its n-grams, and which of them have a place in a vocabulary: a sparse matrix of ones."""

    def __init__(self, texts: Sequence[str], n: int, place_of: Callable[[str], int | None]) -> None:
        sizes, counts, places = array("q"), array("q", [0]), array("q")
        for text in texts:
            grams = ngrams(normalized(text), n)
            places.extend(place for gram in grams if (place := place_of(gram)) is not None)
            sizes.append(len(grams))
            counts.append(len(places))
        self.sizes = np.array(sizes, np.int64)
        self._starts, self._places = np.array(counts, np.int64), np.array(places, np.int64)

    def frequency(self, vocabulary: int) -> NDArray[np.int64]:
        """In how many texts each n-gram is."""
        return np.bincount(self._places, minlength=vocabulary)

    def members(self, vocabulary: int) -> Any:
        from scipy.sparse import csr_matrix

        values = np.ones(len(self._places), np.int32)
        return csr_matrix((values, self._places, self._starts), shape=(len(self.sizes), vocabulary))

    def rarest(self, rank: NDArray[np.int64], threshold: float) -> Any:
        """Of each text so many n-grams of the lowest rank, as a matrix, that two without a common one are below the threshold.

        Sets of a similarity above t share more than t of the n-grams of either. So at most s - floor(t s) - 1 of a set's s
        n-grams are not shared, and among one more than these, the first ones in an order that both sets keep, is a shared one
        (Chaudhuri et al. 2006, "A Primitive Operator for Similarity Joins in Data Cleaning"). N-grams without a place come
        before all others.
        """
        from scipy.sparse import csr_matrix

        known = np.diff(self._starts)
        rows = np.repeat(np.arange(len(known)), known)
        order = np.lexsort((rank[self._places], rows))
        # A rounding error makes it one more, never one less.
        wanted = self.sizes - np.floor(threshold * self.sizes - 1e-9).astype(np.int64)
        kept = order[np.arange(len(rows)) - self._starts[rows] < (wanted - self.sizes + known)[rows]]
        values = np.ones(len(kept), np.int32)
        return csr_matrix((values, (rows[kept], self._places[kept])), shape=(len(known), len(rank)))


class Similar:
    """Finds texts that are nearly one of ``others``, whose n-grams are made once for all texts that it is asked for.

    Only pairs that share one of their rarest n-grams are compared, as all such pairs do: memory is that of the n-grams, and
    common words cost nothing.
    """

    def __init__(self, others: Sequence[str], n: int, threshold: float) -> None:
        self._n, self._threshold = n, threshold
        self._vocabulary: dict[str, int] = {}
        number = self._vocabulary
        self._right = _Sets(others, n, lambda gram: number.setdefault(gram, len(number)))
        count = len(number)
        self._rank = np.empty(count, np.int64)
        self._rank[np.argsort(self._right.frequency(count), kind="stable")] = np.arange(count)
        self._members = self._right.members(count)
        self._rarest = self._right.rarest(self._rank, threshold).T.tocsc()

    def pairs(self, texts: Sequence[str]) -> Iterator[tuple[int, int, float]]:
        """Pairs (i, j, Jaccard similarity of n-gram sets of the normalised texts) above the threshold, from 0 to below 1.

        In the order of i, then j.
        """
        for start in range(0, len(texts), _CHUNK):
            # What no text of the other side has is shared with none: it counts in the sizes alone.
            left = _Sets(texts[start : start + _CHUNK], self._n, self._vocabulary.get)
            candidates = (left.rarest(self._rank, self._threshold) @ self._rarest).tocsr()
            candidates.sort_indices()
            rows, columns = candidates.nonzero()
            own = left.members(len(self._vocabulary))
            for first in range(0, len(rows), _CHUNK):
                i, j = rows[first : first + _CHUNK], columns[first : first + _CHUNK]
                shared = np.asarray(own[i].multiply(self._members[j]).sum(axis=1)).ravel()
                similarity = shared / (left.sizes[i] + self._right.sizes[j] - shared)
                for place in np.flatnonzero(similarity > self._threshold):
                    yield start + int(i[place]), int(j[place]), float(similarity[place])


def similar_pairs(
    texts: Sequence[str], others: Sequence[str], n: int, threshold: float
) -> Iterator[tuple[int, int, float]]:
    """``Similar.pairs`` of one lot of texts."""
    return Similar(others, n, threshold).pairs(texts)
