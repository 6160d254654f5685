"""Exact search by weights of terms: the inner product of two sparse vectors, from inverted lists.

SciPy multiplies sparse matrices row by row (Gustavson 1978): for each term of a question, in the order of the terms' numbers,
it goes through the passages that have it and adds to their sums. That is a search of inverted lists, term at a time. Weights
are float32, so that a product of two is exact in double precision, fused or not; sums are taken in double precision in that
one order, and rounded to float32 once. So a score depends on the question and the passage alone, on any machine.

A passage that shares no term with a question has the score 0, as in the library's similarity, and is ranked like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.dense.jobs import Found, StoredTiles, candidates_of
from harness.dense.search import BestDocuments, Candidates, Tiles, chosen, search_in_threads
from harness.errors import InvalidInput
from harness.order import keys_of
from harness.ragged.rows import Ragged

INVERTED_VERSION = 1
"""Raised when the same weights give other rankings or scores than before."""

_QUERIES_AT_ONCE = 512
_BYTES_A_SCORE = 80
"""At most, of all that is kept at once for one question and one passage: sparse and dense sums, and scores."""


def queries_within(memory_bytes: int, threads: int, passages: int) -> int:
    """How many queries are searched at once in tiles of that many passages, for ``threads`` threads and half the memory."""
    return max(1, min(_QUERIES_AT_ONCE, memory_bytes // (2 * threads * _BYTES_A_SCORE * max(1, passages))))


@dataclass(frozen=True, eq=False)
class InvertedJob:
    """``queries``: terms and float32 weights. A task's result holds the best ``depth`` of its own tiles."""

    queries: Ragged
    terms: int
    depth: int
    queries_at_once: int
    threads: int

    @property
    def files(self) -> Mapping[str, Path]:
        return {}

    def opened(self, files: Mapping[str, Path]) -> Callable[[StoredTiles[Ragged]], Candidates]:
        return self._best_of

    def _best_of(self, task: StoredTiles[Ragged]) -> Candidates:
        return candidates_of(inverted_search(self, task.tiles()))


def inverted_search(job: InvertedJob, tiles: Tiles[Ragged]) -> Iterator[Found]:
    """For each query, in order: numbers of the best passages and their float32 scores, best first, ``depth`` at most.

    Raises ``InvalidInput`` where a score is too large for float32.
    """
    asked = range(0, len(job.queries.counts), job.queries_at_once)
    parts = [job.queries.part(start, min(start + job.queries_at_once, len(job.queries.counts))) for start in asked]
    groups = [(_matrix(part, job.terms), BestDocuments(len(part.counts), job.depth)) for part in parts]

    def search_tile(tile: Ragged, first_number: int) -> None:
        lists = _matrix(tile, job.terms).T.tocsr()
        for queries, best in groups:
            with np.errstate(over="ignore"):
                scores = (queries @ lists).toarray().astype(np.float32)
            if not np.isfinite(scores).all():
                raise InvalidInput("weights of terms are so large that their products are no float32 numbers")
            no_errors = np.zeros(len(scores))
            rows, columns = chosen(scores, no_errors, best.thresholds.copy(), job.depth)
            best.offer((rows, keys_of(scores[rows, columns], columns + first_number)))

    search_in_threads(len(job.queries.counts), tiles, search_tile, job.threads)
    for _, best in groups:
        yield from best.results()


def _matrix(rows: Ragged, terms: int) -> Any:
    """As SciPy's matrix of compressed rows in double precision, shape (texts, terms)."""
    from scipy import sparse

    numbers, weights = rows.columns
    return sparse.csr_array((weights.astype(np.float64), numbers, rows.starts), shape=(len(rows.counts), terms))
