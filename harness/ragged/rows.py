"""Rows of texts, of which each text has a number of its own: vectors of its tokens, or terms and their weights."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Piece = tuple[NDArray[Any], ...]
"""The rows of one text, in as many columns as there are."""


class Ragged(NamedTuple):
    """``counts``: rows of each text, int64, shape (texts,); each column has the rows of all texts, back to back.

    Of a multi-vector model there is one column, the vectors, of shape (rows, dimensions). Of a sparse model there are two: the
    numbers of the terms, int32, rising in each text, and their weights, float32, none of them 0; both of shape (rows,).
    """

    counts: NDArray[np.int64]
    columns: Piece

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each text's rows begin, and where the last one's end: int64, shape (texts + 1,)."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.counts)])

    def part(self, first: int, end: int) -> Ragged:
        """The texts from one number to another."""
        starts = self.starts
        rows = slice(int(starts[first]), int(starts[end]))
        return Ragged(self.counts[first:end], tuple(column[rows] for column in self.columns))


def ragged(pieces: Sequence[Piece], empty: Piece) -> Ragged:
    """The texts one after another. ``empty``: the columns of a text without rows, which say the dtypes and widths."""
    counts = np.array([len(piece[0]) for piece in pieces], np.int64)
    columns = tuple(np.concatenate([own, *(piece[i] for piece in pieces)]) for i, own in enumerate(empty))
    return Ragged(counts, columns)


def joined(parts: Sequence[Ragged]) -> Ragged:
    """At least one: the texts of one after those of another."""
    columns = zip(*(part.columns for part in parts), strict=True)
    return Ragged(np.concatenate([part.counts for part in parts]), tuple(np.concatenate(own) for own in columns))


def pieces_of(rows: Ragged) -> list[Piece]:
    starts = rows.starts.tolist()
    return [tuple(column[start:end] for column in rows.columns) for start, end in itertools.pairwise(starts)]


def of_texts(rows: Ragged, flags: NDArray[np.bool_], *, of_none: bool) -> NDArray[np.bool_]:
    """What is true of every row of a text, or of any: ``of_none`` is what holds of a text without rows.

    True of every row where ``of_none`` is True, of any row where it is False. ``flags``: shape (rows,).
    """
    texts = np.repeat(np.arange(len(rows.counts)), rows.counts)
    hits = np.bincount(texts[flags != of_none], minlength=len(rows.counts)) > 0
    return np.asarray(hits != of_none)
