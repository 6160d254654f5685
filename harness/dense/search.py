"""Exact maximum inner product search, with ties resolved by the one rule before the cut.

A score is the float32 inner product of one pair of vectors, summed alike for every pair. Matrix products, which are many
times faster, only choose the pairs: all that can be among the best, however the product was rounded. (The same vector can get
two scores from one product: kernels add up in an order that depends on the place in the matrix, OpenBLAS's for AVX2 in every
other column. Where scores that should be equal are a bit apart, no rule for ties can help.)

Documents are numbered in the order of their ids, and a score and a number make one key (``harness.order``). Keys are all
different, so that the best ``depth`` of them are well defined however they were collected: any tile size, any number of
threads, any order of tiles, any BLAS gives the same bytes. (faiss keeps arbitrary members of a group of equal scores.)
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness import progress
from harness.compute.linear import check_precision, linear
from harness.compute.pair_scores import pair_scores
from harness.errors import InvalidInput
from harness.order import Keys, keys_of, numbers_of, scores_of

SEARCH_VERSION = 1
"""Raised when the same vectors give other rankings or scores than before."""

QUERY_TILE = 2048
"""The most queries that are multiplied at once."""

_MERGED_AT_ONCE = 512
"""Queries whose best documents are kept together: threads that bring theirs at the same time wait for each other."""

_UNIT = 2.0**-24
"""The largest relative error of rounding to float32."""

Tile = TypeVar("Tile")
Candidates = tuple[NDArray[np.int64], Keys]
"""Rows of queries and keys of documents, of equal shape."""


class BestDocuments:
    """The best ``depth`` documents of each of a fixed number of queries, over everything that was offered by any thread."""

    def __init__(self, queries: int, depth: int) -> None:
        self._depth = depth
        # No finite score has the key 0: it stands for a place that is not taken yet.
        self._keys: Keys = np.zeros((queries, depth), np.uint64)
        self._pending: list[Candidates] = []
        self._pending_count = 0
        # Merging costs as much as a look at all places, so that it waits for some share of them; but thresholds should rise.
        self._limit = queries * depth // 4
        self._lock = threading.Lock()
        # A document below its query's threshold cannot be among the best any more.
        self.thresholds = np.full(queries, -np.inf, np.float32)

    def offer(self, candidates: Candidates) -> None:
        with self._lock:
            self._pending.append(candidates)
            self._pending_count += len(candidates[0])
            if self._pending_count > self._limit:
                self._merge()

    def results(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """For each query: document numbers and scores, best first."""
        with self._lock:
            self._merge()
        for keys in np.sort(self._keys, axis=1)[:, ::-1]:
            found = keys[: np.count_nonzero(keys)]
            yield numbers_of(found), scores_of(found)

    def _merge(self) -> None:
        """Bring what is pending into the matrix of keys, at most ``depth`` of a query at a time, so that memory is bounded."""
        if not self._pending_count:
            return
        rows = np.concatenate([rows for rows, _ in self._pending])
        order = np.argsort(rows, kind="stable")
        rows, keys = rows[order], np.concatenate([keys for _, keys in self._pending])[order]
        self._pending, self._pending_count = [], 0
        counts = np.bincount(rows, minlength=len(self._keys))
        places = np.arange(len(rows)) - (np.cumsum(counts) - counts)[rows]
        for first in range(0, int(counts.max()), self._depth):
            width = min(self._depth, int(counts.max()) - first)
            taken = (places >= first) & (places < first + width)
            matrix = np.zeros((len(self._keys), self._depth + width), np.uint64)
            matrix[:, : self._depth] = self._keys
            matrix[rows[taken], self._depth + places[taken] - first] = keys[taken]
            self._keys = np.partition(matrix, width, axis=1)[:, width:].copy()
        lowest = self._keys[:, 0]  # as the partition leaves it
        full = lowest > 0
        self.thresholds[full] = scores_of(lowest[full])


@dataclass(frozen=True)
class Tiles(Generic[Tile]):
    """What is searched: ``read(i)`` gives the i-th tile, of vectors float32 of shape (documents in the tile, dimensions)."""

    starts: Sequence[int]
    read: Callable[[int], Tile]


def exact_search(
    queries: NDArray[np.float32], tiles: Tiles[NDArray[np.float32]], depth: int, workers: int = 1
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Best documents of each query by inner product. ``queries``: float32, shape (queries, dimensions).

    Yields, for each query in order, document numbers and float32 scores, best first, ``depth`` at most. Raises
    ``InvalidInput`` when vectors are too long for their products to be float32.
    """
    check_precision()
    best = [
        BestDocuments(len(queries[i : i + _MERGED_AT_ONCE]), depth) for i in range(0, len(queries), _MERGED_AT_ONCE)
    ]
    # As few products as memory allows, of equal size: small ones are slow.
    products = max(1, math.ceil(len(best) / (QUERY_TILE // _MERGED_AT_ONCE)))
    at_once = max(1, math.ceil(len(best) / products)) * _MERGED_AT_ONCE
    lengths = np.linalg.norm(queries.astype(np.float64), axis=1)

    def search_tile(documents: NDArray[np.float32], first_number: int) -> None:
        length = longest(documents)
        for start in range(0, len(queries), at_once):
            # Handed on without a name, so that it is gone before the next product is made.
            offer(start, _products(queries[start : start + at_once], documents), documents, length, first_number)

    def offer(
        start: int,
        estimates: NDArray[np.float32],
        documents: NDArray[np.float32],
        length: float,
        first_number: int,
    ) -> None:
        for first in range(0, len(estimates), _MERGED_AT_ONCE):
            own = best[(start + first) // _MERGED_AT_ONCE]
            part = slice(start + first, start + first + len(own.thresholds))
            errors = largest_difference(queries.shape[1], lengths[part] * length)
            found = estimates[first : first + len(errors)]
            rows, columns = chosen(found, errors, own.thresholds.copy(), depth)
            scores = pair_scores(queries[part], documents, rows, columns)
            kept = scores >= own.thresholds[rows]  # other threads may have raised them since
            own.offer((rows[kept], keys_of(scores[kept], columns[kept] + first_number)))

    search_in_threads(len(queries), tiles, search_tile, workers)
    for own in best:
        yield from own.results()


def search_in_threads(queries: int, tiles: Tiles[Tile], search_tile: Callable[[Tile, int], None], workers: int) -> None:
    """Every tile, with the number of its first document, in one of the threads. ``queries``: how many, for who watches."""
    with (
        progress.task(f"search for {queries:,} queries", len(tiles.starts), "tiles") as advance,
        ThreadPoolExecutor(workers, initializer=_use_one_thread) as pool,
    ):
        begun: deque[Future[None]] = deque()
        for index, first_number in enumerate(tiles.starts):
            # Tiles are read here, one more than there are workers, while these multiply.
            begun.append(pool.submit(search_tile, tiles.read(index), first_number))
            if len(begun) > workers:
                begun.popleft().result()
                advance()
        for searched in begun:
            searched.result()
            advance()


def _use_one_thread() -> None:
    import faiss
    import torch

    faiss.omp_set_num_threads(1)  # of the calling thread
    torch.set_num_threads(1)  # of the calling thread and of those that have not used torch yet


def _products(queries: NDArray[np.float32], documents: NDArray[np.float32]) -> NDArray[np.float32]:
    """All inner products, shape (queries, documents)."""
    import torch

    with torch.inference_mode():
        found: NDArray[np.float32] = linear(torch.from_numpy(queries), torch.from_numpy(documents), None).numpy()
    return found


def longest(documents: NDArray[np.float32]) -> float:
    """At least the length of the longest vector. ``documents``: shape (documents, dimensions)."""
    squares: NDArray[np.float32] = np.einsum("ij,ij->i", documents, documents)
    if not np.isfinite(squares).all():
        raise InvalidInput("vectors are too long (or not finite), so that their inner products are no float32 numbers")
    # What float32 lost: by rounding less than a thousandth, and squares of numbers below 2**-63.
    return 1.001 * float(np.sqrt(squares.max(initial=0))) + float(np.sqrt(documents.shape[1])) * 2.0**-63


def largest_difference(dimensions: int, products_of_lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far two float32 inner products of the same vectors may be from each other, whatever the order of their sums.

    Each is as far from the true one as Higham, Accuracy and Stability of Numerical Algorithms (2nd ed., 2002), equation 3.5,
    says with the inequality of Cauchy and Schwarz; and products can be too small for float32.
    """
    share = dimensions * _UNIT
    return 2 * (share / (1 - share) * products_of_lengths + dimensions * float(np.finfo(np.float32).tiny))


def chosen(
    estimates: NDArray[np.float32], errors: NDArray[np.float64], thresholds: NDArray[np.float32], depth: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of all that may be among the best of its query: whose score may reach the threshold, ties included.

    ``estimates``: shape (queries, documents); ``errors`` and ``thresholds``: shape (queries,).
    """
    count = estimates.shape[1]
    least = thresholds.astype(np.float64)
    if count > depth and not np.isfinite(least).all():
        # The score of ``depth`` documents is no lower than that.
        in_tile = np.partition(estimates, count - depth, axis=1)[:, count - depth]
        least = np.maximum(least, in_tile - errors)
    limits = np.nextafter((least - errors).astype(np.float32), np.float32(-np.inf))
    rows, columns = np.divmod(np.flatnonzero(estimates >= limits[:, None]), max(count, 1))
    return rows, columns
