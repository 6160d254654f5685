"""Exact search by MaxSim: the sum, over a question's vectors, of the largest inner product with one of a passage's vectors.

Khattab and Zaharia, ColBERT (arXiv 2004.12832), equation 3; "meanmaxsim" divides the sum by the number of the question's
vectors. An inner product is float32 and summed alike for every pair of vectors (``harness.compute.pair_scores``); the largest
ones are added up in double precision, in the order of the question's vectors, and the sum is rounded to float32 once. So a
score depends on the question and the passage alone: not on tiles, threads, memory, or how a matrix product rounds.

Matrix products, which are many times faster, choose what has to be computed so: the passages that may be among the best, and
of their vectors those that may be the nearest to one of the question's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.compute.linear import check_precision, linear
from harness.compute.pair_scores import pair_scores
from harness.dense.jobs import Found, StoredTiles, candidates_of
from harness.dense.rounding import largest_difference, longest
from harness.dense.search import BestDocuments, Candidates, Tiles, chosen, search_in_threads
from harness.dense.store import as_float32
from harness.order import keys_of
from harness.ragged.rows import Ragged

MAXSIM_VERSION = 1
"""Raised when the same vectors give other rankings or scores than before."""

NO_VECTORS = -1e9
"""The score of a passage without any vector, below all that have one: that of sentence-transformers' ``maxsim``."""

_QUERIES_AT_ONCE = 512
_BYTES_A_PRODUCT = 80
"""At most, of all that is kept at once for one product of a passage's vector and a question's."""


class Sizes(NamedTuple):
    """How many vectors of passages and of questions are multiplied at once; a single text may have more."""

    passages: int
    queries: int

    def bytes(self, dimensions: int) -> int:
        """What one thread takes at most, beside the tile: vectors in float32, and what is made of their products."""
        return 8 * (self.passages + self.queries) * dimensions + self.passages * self.queries * _BYTES_A_PRODUCT


def sizes_within(memory_bytes: int, threads: int, dimensions: int) -> Sizes:
    """What lets ``threads`` threads search in half of that memory; less than 64 vectors of each are never taken."""
    share = memory_bytes // (2 * threads)
    passages, queries = 1 << 15, 1 << 10
    while Sizes(passages, queries).bytes(dimensions) > share and (passages, queries) != (64, 64):
        # Fewer passages make no product slower until they are about as many as the questions' vectors.
        if passages > 4 * queries or queries == 64:
            passages //= 2
        else:
            queries //= 2
    return Sizes(passages, queries)


@dataclass(frozen=True, eq=False)
class MaxSimJob:
    """``queries``: one column, float32. A task's result holds the best ``depth`` of its own tiles."""

    queries: Ragged
    depth: int
    is_mean: bool
    sizes: Sizes
    threads: int

    @property
    def files(self) -> Mapping[str, Path]:
        return {}

    def opened(self, files: Mapping[str, Path]) -> Callable[[StoredTiles[Ragged]], Candidates]:
        return self._best_of

    def _best_of(self, task: StoredTiles[Ragged]) -> Candidates:
        return candidates_of(maxsim_search(self, task.tiles()))


def maxsim_search(job: MaxSimJob, tiles: Tiles[Ragged]) -> Iterator[Found]:
    """For each query, in order: numbers of the best passages and their float32 scores, best first, ``depth`` at most.

    Tiles have one column, float16 or float32. Raises ``InvalidInput`` when vectors are too long for float32 products.
    """
    check_precision()
    groups = list(_groups(job))

    def search_tile(tile: Ragged, first_number: int) -> None:
        lacking = np.flatnonzero(tile.counts == 0)
        for group in groups:
            group.offer_without_vectors(lacking + first_number)
        for start, end in _runs(tile.counts, job.sizes.passages, len(tile.counts)):
            piece = _Passages(tile.part(start, end), first_number + start)
            for group in groups if len(piece.numbers) else ():
                group.search(piece, job.depth)

    search_in_threads(len(job.queries.counts), tiles, search_tile, job.threads)
    for group in groups:
        yield from group.best.results()


class _Passages:
    """Some of a tile's passages with at least one vector. ``starts``: where their vectors begin; ``numbers``: of passages."""

    def __init__(self, rows: Ragged, first_number: int) -> None:
        own = np.flatnonzero(rows.counts)
        self.numbers = own + first_number
        self.counts = rows.counts[own]
        self.starts = rows.starts[:-1][own]
        self.vectors = as_float32(rows.columns[0])
        self.longest = longest(self.vectors)


class _Group:
    """Some queries, and the best passages of each. ``vectors``: float32, at least one for each query."""

    def __init__(self, rows: Ragged, depth: int, is_mean: bool) -> None:
        self.vectors, counts = _at_least_one(rows)
        self.ends = np.cumsum(counts)
        self.starts = self.ends - counts
        self.divisors = counts.astype(np.float64) if is_mean else np.ones(len(counts))
        self.lengths = np.linalg.norm(self.vectors.astype(np.float64), axis=1)
        self.best = BestDocuments(len(counts), depth)

    def offer_without_vectors(self, numbers: NDArray[np.int64]) -> None:
        if len(numbers):
            rows = np.repeat(np.arange(len(self.starts)), len(numbers))
            scores = np.full(len(rows), NO_VECTORS, np.float32)
            self.best.offer((rows, keys_of(scores, np.tile(numbers, len(self.starts)))))

    def search(self, passages: _Passages, depth: int) -> None:
        import torch

        with torch.inference_mode():
            products: NDArray[np.float32] = linear(
                torch.from_numpy(self.vectors), torch.from_numpy(passages.vectors), None
            ).numpy()
        # Along rows: down the columns it is fifteen times as slow.
        nearest = np.maximum.reduceat(products, passages.starts, axis=1)
        sums = np.add.reduceat(nearest, self.starts, axis=0, dtype=np.float64) / self.divisors[:, None]
        # Of one vector's products, of their sums, and of the one rounding to float32.
        each = largest_difference(self.vectors.shape[1], self.lengths * passages.longest)
        largest = np.add.reduceat(self.lengths * passages.longest, self.starts)
        errors = (np.add.reduceat(each, self.starts) + 2.0**-22 * largest) / self.divisors
        thresholds = self.best.thresholds.copy()
        rows, places = chosen(sums.astype(np.float32), errors, thresholds, depth)
        # A nearest vector's exact product is no lower than the largest estimate less one error, nor its own estimate
        # than that less another.
        least = np.nextafter((nearest - 2 * each[:, None]).astype(np.float32), np.float32(-np.inf))
        for row, ours in _by_row(rows, places):
            scores = self._exact(row, ours, passages, products, least)
            kept = scores >= self.best.thresholds[row]  # other threads may have raised it since
            keys = keys_of(scores[kept], passages.numbers[ours[kept]])
            self.best.offer((np.full(len(keys), row), keys))

    def _exact(
        self,
        row: int,
        places: NDArray[np.int64],
        passages: _Passages,
        products: NDArray[np.float32],
        least: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Scores of one query and the passages at these places."""
        own = slice(int(self.starts[row]), int(self.ends[row]))
        counts = passages.counts[places]
        of_passage = np.repeat(np.arange(len(places)), counts)
        steps = np.arange(len(of_passage)) - np.repeat(np.cumsum(counts) - counts, counts)
        vectors = np.repeat(passages.starts[places], counts) + steps
        rows, columns = np.nonzero(products[own, vectors] >= least[own, places][:, of_passage])
        exact = pair_scores(self.vectors[own], passages.vectors, rows, vectors[columns])
        largest = np.full((own.stop - own.start, len(places)), -np.inf, np.float32)
        np.maximum.at(largest, (rows, of_passage[columns]), exact)
        total = np.zeros(len(places))
        for products_of_one in largest:  # one after another: NumPy's own sum has an order that depends on the shape
            total += products_of_one
        return np.asarray(total / self.divisors[row], np.float32)


def _groups(job: MaxSimJob) -> Iterator[_Group]:
    for start, end in _runs(np.maximum(job.queries.counts, 1), job.sizes.queries, _QUERIES_AT_ONCE):
        yield _Group(job.queries.part(start, end), job.depth, job.is_mean)


def _runs(counts: NDArray[np.int64], rows: int, texts: int) -> Iterator[tuple[int, int]]:
    """Consecutive texts, as many as have that many rows together, at least one and at most ``texts``."""
    start, total = 0, 0
    for place, count in enumerate(counts.tolist()):
        if place > start and (total + count > rows or place - start >= texts):
            yield start, place
            start, total = place, 0
        total += count
    if len(counts) > start:
        yield start, len(counts)


def _at_least_one(rows: Ragged) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Vectors and their counts; where a query has none, one of zeros, of which every product is 0 as the empty sum is."""
    vectors, starts = as_float32(rows.columns[0]), rows.starts[:-1]
    lacking = np.flatnonzero(rows.counts == 0)
    filled = np.insert(vectors, starts[lacking], np.float32(0), axis=0)
    return np.ascontiguousarray(filled), np.maximum(rows.counts, 1)


def _by_row(rows: NDArray[np.int64], places: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """The places of each row; ``rows`` are sorted."""
    found, firsts = np.unique(rows, return_index=True)
    if len(found):
        yield from zip(found.tolist(), np.split(places, firsts[1:]), strict=True)
