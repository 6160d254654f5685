"""Exact maximum inner product search over fixed tiles, with ties resolved by the one rule before the cut.

Documents are numbered in the order of their ids, and a score and a number make one key (``harness.order``). Keys are all
different, so that the best ``depth`` of them are well defined however they were collected: any tile size, any number of
threads, any order of tiles gives the same result. (faiss keeps arbitrary members of a group of equal scores.) The scores
themselves come from single-threaded matrix products of fixed shape.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from harness import progress
from harness.order import Keys, keys_of, numbers_of, scores_of

QUERY_TILE = 2048
"""Queries multiplied at once. Part of what fixes the bytes of a score: never an option."""

_MERGED_AT_ONCE = 512
"""Queries whose best documents are kept together: threads that bring theirs at the same time wait for each other."""

_ROWS = 16
"""Products have whole multiples of so many rows on both sides: kernels add up the last few differently."""

Candidates = tuple[NDArray[np.int64], Keys]
"""Rows of queries and keys of documents, of equal shape."""


def top_documents(scores: NDArray[np.float32], depth: int) -> NDArray[np.int64]:
    """Numbers of the best documents of one query, best first. ``scores``: shape (documents,)."""
    keys = keys_of(np.ascontiguousarray(scores, dtype=np.float32), np.arange(len(scores)))
    if depth < len(keys):
        keys = np.partition(keys, len(keys) - depth)[len(keys) - depth :]
    return numbers_of(np.sort(keys)[::-1])


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
class Tiles:
    """Vectors to search: ``read(i)`` gives the i-th tile, float32, shape (documents in the tile, dimensions)."""

    starts: Sequence[int]
    read: Callable[[int], NDArray[np.float32]]


def exact_search(
    queries: NDArray[np.float32], tiles: Tiles, depth: int, workers: int = 1
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Best documents of each query by inner product. ``queries``: float32, shape (queries, dimensions).

    Yields, for each query in order, document numbers and float32 scores, best first, ``depth`` at most.
    """
    best = [
        BestDocuments(len(queries[i : i + _MERGED_AT_ONCE]), depth) for i in range(0, len(queries), _MERGED_AT_ONCE)
    ]
    # Tiles of queries, each with those that keep what is found for them.
    asked = [
        (_padded(queries[i : i + QUERY_TILE]), best[i // _MERGED_AT_ONCE : (i + QUERY_TILE) // _MERGED_AT_ONCE])
        for i in range(0, len(queries), QUERY_TILE)
    ]
    product = _Product()

    def search_tile(documents: NDArray[np.float32], first_number: int) -> None:
        # Every product has the same memory layout: rows of queries by rows of documents.
        transposed = _padded(documents).T
        for tile, keepers in asked:
            scores = product(tile, transposed)[:, : len(documents)]
            for place, own in enumerate(keepers):
                rows = scores[place * _MERGED_AT_ONCE :][: len(own.thresholds)]
                own.offer(_candidates(rows, own.thresholds.copy(), first_number, depth))

    with (
        progress.task(f"search for {len(queries):,} queries", len(tiles.starts), "tiles") as advance,
        threadpool_limits(1, user_api="blas"),
        ThreadPoolExecutor(workers) as pool,
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
    for own in best:
        yield from own.results()


class _Product:
    """Matrix products, each of which is gone when its thread asks for the next: new memory would take a tenth of the time.

    NumPy's, because its BLAS was faster than torch's on the processor that docs/scale.md is about.
    """

    def __init__(self) -> None:
        self._of_thread = threading.local()

    def __call__(self, queries: NDArray[np.float32], documents: NDArray[np.float32]) -> NDArray[np.float32]:
        """``queries``: shape (queries, dimensions); ``documents``: shape (dimensions, documents)."""
        count = len(queries) * documents.shape[1]
        if getattr(self._of_thread, "numbers", np.empty(0)).size < count:
            self._of_thread.numbers = np.empty(count, np.float32)
        out = self._of_thread.numbers[:count].reshape(len(queries), -1)
        found: NDArray[np.float32] = np.matmul(queries, documents, out=out)
        return found


def _padded(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows, and zeros after them where their number is no multiple of ``_ROWS``."""
    missing = -len(vectors) % _ROWS
    return np.pad(vectors, ((0, missing), (0, 0))) if missing else vectors


def _candidates(
    scores: NDArray[np.float32], thresholds: NDArray[np.float32], first_number: int, depth: int
) -> Candidates:
    """Everything in the tile that may still be among the best: at least the query's threshold, ties included."""
    count = scores.shape[1]
    if count > depth and not np.isfinite(thresholds).all():
        in_tile = np.partition(scores, count - depth, axis=1)[:, count - depth]
        thresholds = np.maximum(thresholds, in_tile)
    places = np.flatnonzero(scores >= thresholds[:, None])
    rows, columns = np.divmod(places, max(count, 1))
    return rows, keys_of(scores[rows, columns], columns + first_number)
