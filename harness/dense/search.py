"""Exact maximum inner product search over fixed tiles, with ties resolved by the one rule before the cut.

Documents are numbered in the order of their ids, and a score and a number make one key (``harness.order``). Keys are all
different, so that the best ``depth`` of them are well defined however they were collected: any tile size, any number of
threads, any order of tiles gives the same result. (faiss keeps arbitrary members of a group of equal scores.) The scores
themselves come from single-threaded matrix products of fixed shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.order import Keys, keys_of, numbers_of, scores_of

QUERY_TILE = 128
"""Queries multiplied at once. Part of what fixes the bytes of a score: never an option."""

Candidates = tuple[NDArray[np.int64], Keys]


def top_documents(scores: NDArray[np.float32], depth: int) -> NDArray[np.int64]:
    """Numbers of the best documents of one query, best first. ``scores``: shape (documents,)."""
    keys = keys_of(np.ascontiguousarray(scores, dtype=np.float32), np.arange(len(scores)))
    if depth < len(keys):
        keys = np.partition(keys, len(keys) - depth)[len(keys) - depth :]
    return numbers_of(np.sort(keys)[::-1])


class BestDocuments:
    """The best ``depth`` documents of each of a fixed number of queries, over everything that was offered."""

    def __init__(self, queries: int, depth: int) -> None:
        self._depth = depth
        self._rows: NDArray[np.int64] = np.empty(0, np.int64)
        self._keys: Keys = np.empty(0, np.uint64)
        self._pending: list[Candidates] = []
        self._pending_count = 0
        self._limit = max(1 << 16, 2 * queries * depth)
        # A document below its query's threshold cannot be among the best any more.
        self.thresholds = np.full(queries, -np.inf, np.float32)

    def offer(self, candidates: Candidates) -> None:
        self._pending.append(candidates)
        self._pending_count += len(candidates[0])
        if self._pending_count > self._limit:
            self._merge()

    def results(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """For each query: document numbers and scores, best first."""
        self._merge()
        ends = np.searchsorted(self._rows, np.arange(len(self.thresholds)), side="right")
        start = 0
        for end in ends:
            keys = self._keys[start:end]
            yield numbers_of(keys), scores_of(keys)
            start = end

    def _merge(self) -> None:
        rows = np.concatenate([self._rows, *(rows for rows, _ in self._pending)])
        keys = np.concatenate([self._keys, *(keys for _, keys in self._pending)])
        self._pending, self._pending_count = [], 0
        order = np.lexsort((~keys, rows))
        rows, keys = rows[order], keys[order]
        firsts = np.searchsorted(rows, rows, side="left")
        kept = np.arange(len(rows)) - firsts < self._depth
        self._rows, self._keys = rows[kept], keys[kept]
        counts = np.bincount(self._rows, minlength=len(self.thresholds))
        full = np.flatnonzero(counts == self._depth)
        lasts = np.cumsum(counts)[full] - 1
        self.thresholds[full] = scores_of(self._keys[lasts])


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
    import torch

    best = BestDocuments(len(queries), depth)
    query_tiles = [torch.from_numpy(queries[i : i + QUERY_TILE]) for i in range(0, len(queries), QUERY_TILE)]

    def search_tile(index: int) -> list[Candidates]:
        # The transposed copy is made here so that every product has the same memory layout.
        documents = torch.from_numpy(tiles.read(index)).t().contiguous()
        found = []
        for place, tile in enumerate(query_tiles):
            first_row = place * QUERY_TILE
            scores = torch.mm(tile, documents).numpy()
            thresholds = best.thresholds[first_row : first_row + len(tile)].copy()
            found.append(_candidates(scores, thresholds, first_row, tiles.starts[index], depth))
        return found

    with ThreadPoolExecutor(workers, initializer=lambda: torch.set_num_threads(1)) as pool:
        for start in range(0, len(tiles.starts), 2 * workers):
            group = range(start, min(start + 2 * workers, len(tiles.starts)))
            for found in pool.map(search_tile, group):
                for candidates in found:
                    best.offer(candidates)
    yield from best.results()


def _candidates(
    scores: NDArray[np.float32], thresholds: NDArray[np.float32], first_row: int, first_number: int, depth: int
) -> Candidates:
    """Everything in the tile that may still be among the best: at least the query's threshold, ties included."""
    count = scores.shape[1]
    if count > depth and not np.isfinite(thresholds).all():
        in_tile = np.partition(scores, count - depth, axis=1)[:, count - depth]
        thresholds = np.maximum(thresholds, in_tile)
    rows, columns = np.nonzero(scores >= thresholds[:, None])
    return rows + first_row, keys_of(scores[rows, columns], columns + first_number)
