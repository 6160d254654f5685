"""Exact maximum inner product search, with ties resolved by the one rule before the cut.

A score is the float32 inner product of one pair of vectors, summed alike for every pair. Matrix products, which are many
times faster, only choose the pairs: all that can be among the best, however the product was rounded, or the vectors before
it (``harness.dense.short_numbers``). (The same vector can get two scores from one product: kernels add up in an order that
depends on the place in the matrix, OpenBLAS's for AVX2 in every other column. Where scores that should be equal are a bit
apart, no rule for ties can help.)

Documents are numbered in the order of their ids, and a score and a number make one key (``harness.order``). Keys are all
different, so that the best ``depth`` of them are well defined however they were collected: any tile size, any number of
threads, any order of tiles, any BLAS, short numbers or none give the same bytes. (faiss keeps arbitrary members of a group
of equal scores.)
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness import progress
from harness.compute.integer_products import are_exact, are_faster
from harness.compute.linear import check_precision, linear
from harness.compute.pair_scores import pair_scores
from harness.dense.rounding import largest_difference, longest
from harness.dense.short_numbers import ShortDocuments, estimates, short_documents, short_queries
from harness.order import Keys, keys_of, numbers_of, scores_of

SEARCH_VERSION = 1
"""Raised when the same vectors give other rankings or scores than before."""

QUERY_TILE = 1024
"""The most queries that are multiplied at once: a longer product leaves the processor's cache before it is looked through."""

_FEWEST_QUERIES = 512
_FEWEST_TILES = 16
"""For less, making short numbers is not worth while: of few documents, too many may be among the best."""

_MOST_LEFT = 1 / 32
"""Of all pairs, those that short numbers may leave to be scored, which takes as long as multiplying several times as many."""

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


class _Tile:
    """Documents that are searched at once, with what all queries need of them."""

    def __init__(self, documents: NDArray[np.float32], first_number: int, queries_at_once: int) -> None:
        self.documents, self.first_number, self._queries_at_once = documents, first_number, queries_at_once
        self.length = longest(documents)

    @cached_property
    def short(self) -> ShortDocuments:
        return short_documents(self.documents, self._queries_at_once)


class _Group:
    """Queries that are multiplied at once, and the best documents of each."""

    def __init__(self, queries: NDArray[np.float32], depth: int, by_short_numbers: bool) -> None:
        self.best = BestDocuments(len(queries), depth)
        self._queries, self._depth = queries, depth
        self._lengths = np.linalg.norm(queries.astype(np.float64), axis=1)
        self._short = short_queries(queries) if by_short_numbers else None
        # Tiles to be searched without short numbers: twice as many after each one where these left too many pairs.
        self._wait = self._next_wait = 0

    def search(self, tile: _Tile) -> None:
        rows, columns = self._chosen(tile)
        scores = pair_scores(self._queries, tile.documents, rows, columns)
        kept = scores >= self.best.thresholds[rows]  # other threads may have raised them since
        self.best.offer((rows[kept], keys_of(scores[kept], columns[kept] + tile.first_number)))

    def _chosen(self, tile: _Tile) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        errors = largest_difference(self._queries.shape[1], self._lengths * tile.length)
        found = self._chosen_by_short_numbers(tile, errors)
        if found is None:
            found = chosen(_products(self._queries, tile.documents), errors, self.best.thresholds.copy(), self._depth)
        return found

    def _chosen_by_short_numbers(
        self, tile: _Tile, errors: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """None where they are not asked, or leave too many pairs."""
        if self._short is None or not np.isfinite(thresholds := self.best.thresholds.copy()).all():
            return None
        if self._wait:
            self._wait -= 1
            return None
        may_reach = estimates(self._short, tile.short, thresholds - errors).reach()
        if np.count_nonzero(may_reach) > _MOST_LEFT * may_reach.size:
            self._wait = self._next_wait = max(1, 2 * self._next_wait)
            return None
        self._next_wait = 0
        rows, columns = np.divmod(np.flatnonzero(may_reach), len(tile.documents))
        return rows, columns


def exact_search(
    queries: NDArray[np.float32], tiles: Tiles[NDArray[np.float32]], depth: int, workers: int = 1
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Best documents of each query by inner product. ``queries``: float32, shape (queries, dimensions).

    Yields, for each query in order, document numbers and float32 scores, best first, ``depth`` at most. Raises
    ``InvalidInput`` when vectors are too long for their products to be float32.
    """
    check_precision()
    by_short_numbers = (
        len(queries) >= _FEWEST_QUERIES and len(tiles.starts) >= _FEWEST_TILES and _integers_pay(queries.shape[1])
    )
    # As few products as the cache allows, of equal size: small ones are slow.
    at_once = math.ceil(len(queries) / max(1, math.ceil(len(queries) / QUERY_TILE)))
    groups = [
        _Group(queries[start : start + at_once], depth, by_short_numbers)
        for start in range(0, len(queries), max(1, at_once))
    ]

    def search_tile(documents: NDArray[np.float32], first_number: int) -> None:
        tile = _Tile(documents, first_number, at_once)
        for group in groups:
            group.search(tile)

    search_in_threads(len(queries), tiles, search_tile, workers)
    for group in groups:
        yield from group.best.results()


def _integers_pay(dimensions: int) -> bool:
    """In one thread, as products of a search are."""
    with ThreadPoolExecutor(1, initializer=_use_one_thread) as pool:
        return pool.submit(lambda: are_exact(dimensions) and are_faster(dimensions)).result()


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
