"""Approximate search by any faiss factory string: trained on a sample, built and searched in shards of bounded memory.

One index, trained once, is filled for each ``SHARD_BLOCKS`` blocks of a store, written to the disk, and searched shard by
shard; what is found is merged by the one rule for ties. Scores are the index's own: a product quantizer's are estimates.

Training and adding use one thread, and faiss's own fixed seeds, so that a machine makes the same index of the same vectors
each time. Another faiss version or kind of processor may train other centroids; the store's exact search has no such freedom.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.compute.platform import library_versions
from harness.dense.search import BestDocuments, Tiles, exact_search
from harness.dense.store import VectorStore
from harness.errors import InvalidInput
from harness.files.derived import Derived, Made
from harness.files.toml_records import Record
from harness.files.writing import atomic_write
from harness.files.yaml_records import digest_of
from harness.order import keys_of

SHARD_BLOCKS = 256
"""Blocks of the store in one index, 1,048,576 passages at most: it bounds memory, and as graphs end with a shard, it
is part of what fixes the results."""

INDEX_VERSION = 1
"""Raised when the same vectors and settings give another index or other results of it than before."""

RECALL_QUERIES = 100
"""Questions for which the recall against exact search is measured."""

_QUERIES_AT_ONCE = 512

_NAMES_IN_FAISS = {"nprobe": "nprobe", "ef_search": "efSearch", "k_factor": "k_factor_rf"}

Found = Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]


class ApproximateIndex(Record):
    """``factory``: a faiss factory string, as "IVF4096,PQ64"; ``training_passages``: how many the index is trained on.

    ``nprobe`` (inverted lists visited), ``ef_search`` (candidates in a graph) and ``k_factor`` (candidates for each document
    wanted, scored again by an index that ends in "RFlat" or "Refine(...)") are faiss's own where they are left out.
    """

    factory: str = Field(min_length=1, max_length=200)
    training_passages: int = Field(default=200_000, ge=1)
    nprobe: int | None = Field(default=None, ge=1)
    ef_search: int | None = Field(default=None, ge=1)
    k_factor: int | None = Field(default=None, ge=1)

    @property
    def search_parameters(self) -> dict[str, int]:
        """By their names here."""
        found: dict[str, int] = self.model_dump(include=set(_NAMES_IN_FAISS), exclude_none=True)
        return found


class IndexShard(NamedTuple):
    """A file of an index, and the number of the first passage in it."""

    path: Path
    first: int


def empty_index(settings: ApproximateIndex, dimensions: int) -> Any:
    """A faiss index without vectors. Raises ``InvalidInput`` where faiss cannot make it, or it lacks a search parameter."""
    import faiss

    try:
        index = faiss.index_factory(dimensions, settings.factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise InvalidInput(
            f"faiss makes no index {settings.factory!r} for {dimensions} dimensions: {_reason(error)}; "
            'examples are "Flat", "IVF4096,Flat", "IVF4096,PQ64" and "HNSW32"'
        ) from error
    set_search_parameters(index, settings)
    return index


def built_index(settings: ApproximateIndex, store: VectorStore, folder: Path) -> list[IndexShard]:
    """An index of all blocks of the store, whose files are made where they are not there or not as they were written.

    Raises ``InvalidInput`` when faiss cannot train on so few vectors.
    """
    description = {
        "index": settings.model_dump(include={"factory", "training_passages"}),
        "store": [block.digest for block in store.blocks],
        "dimensions": store.dimensions,
        "shard blocks": SHARD_BLOCKS,
        "libraries": library_versions(("faiss-cpu",)),
    }
    own = folder / digest_of(description)[:32]
    trained = functools.cache(lambda: _trained(settings, store))
    groups = [
        range(first, min(first + SHARD_BLOCKS, len(store.blocks)))
        for first in range(0, len(store.blocks), SHARD_BLOCKS)
    ]
    shards = []
    for number, blocks in enumerate(groups):
        path, first = own / f"index-{number:05d}.faiss", store.blocks[blocks[0]].start
        Derived(path.with_suffix(".seal"), description).made(partial(_write, trained, store, blocks, path))
        shards.append(IndexShard(path, first))
    return shards


def approximate_search(
    settings: ApproximateIndex, shards: Sequence[IndexShard], queries: NDArray[np.float32], depth: int, threads: int
) -> Found:
    """Documents of each query as ``exact_search`` gives them, as far as the index finds them; fewer where it finds fewer."""
    import faiss

    best = [
        BestDocuments(len(queries[i : i + _QUERIES_AT_ONCE]), depth) for i in range(0, len(queries), _QUERIES_AT_ONCE)
    ]
    with _threads(threads):
        for path, first in shards:
            # Mapped, not read: a search takes from the disk what it looks at, and what was looked at lately is in memory still.
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
            set_search_parameters(index, settings)
            for place, own in enumerate(best):
                asked = np.ascontiguousarray(queries[place * _QUERIES_AT_ONCE : (place + 1) * _QUERIES_AT_ONCE])
                scores, numbers = index.search(asked, min(depth, index.ntotal))
                rows, columns = np.nonzero(numbers >= 0)
                own.offer((rows, keys_of(scores[rows, columns], numbers[rows, columns] + first)))
    for own in best:
        yield from own.results()


def recall_against_exact(
    settings: ApproximateIndex,
    shards: Sequence[IndexShard],
    store: VectorStore,
    queries: NDArray[np.float32],
    depth: int,
    threads: int,
) -> float:
    """Mean share of the exact ``depth`` best that the index finds, over at most ``RECALL_QUERIES`` queries, evenly spaced."""
    places = np.unique(np.linspace(0, len(queries) - 1, min(RECALL_QUERIES, len(queries))).astype(int))
    sample = np.ascontiguousarray(queries[places])
    tiles = Tiles([block.start for block in store.blocks], store.read)
    shares = [
        len(np.intersect1d(numbers, expected)) / max(len(expected), 1)
        for (numbers, _), (expected, _) in zip(
            approximate_search(settings, shards, sample, depth, threads),
            exact_search(sample, tiles, depth, threads),
            strict=True,
        )
    ]
    return float(np.mean(shares)) if shares else 1.0


def _trained(settings: ApproximateIndex, store: VectorStore) -> Any:
    import faiss

    index = empty_index(settings, store.dimensions)
    if not index.is_trained:
        sample = _sample(store, settings.training_passages)
        try:
            with _threads(1):
                index.train(sample)
        except RuntimeError as error:
            raise InvalidInput(
                f"faiss cannot train {settings.factory!r} on {len(sample)} passages: {_reason(error)}; "
                "choose fewer lists or a smaller code, or raise training_passages"
            ) from error
    return faiss.serialize_index(index)


def _sample(store: VectorStore, count: int) -> NDArray[np.float32]:
    """``count`` vectors, evenly spaced over the store, or all of them; only one block more is in memory."""
    rows = np.unique(np.linspace(0, store.rows - 1, min(count, store.rows)).astype(np.int64))
    sample = np.empty((len(rows), store.dimensions), np.float32)
    for number, block in enumerate(store.blocks):
        first, last = np.searchsorted(rows, [block.start, block.start + block.items])
        if last > first:
            sample[first:last] = store.read(number)[rows[first:last] - block.start]
    return sample


def _write(trained: Callable[[], Any], store: VectorStore, blocks: range, path: Path) -> Made:
    import faiss

    index = faiss.deserialize_index(trained())
    with _threads(1):
        for number in blocks:
            index.add(store.read(number))
    with atomic_write(path) as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(file.write))  # type: ignore[attr-defined]
    return Made([path])


def set_search_parameters(index: Any, settings: ApproximateIndex) -> None:
    """Raises ``InvalidInput`` where a faiss index lacks one of them."""
    import faiss

    for name, value in settings.search_parameters.items():
        try:
            faiss.ParameterSpace().set_index_parameter(index, _NAMES_IN_FAISS[name], value)
        except RuntimeError as error:
            raise InvalidInput(
                f"an index {settings.factory!r} has no search parameter {name}; leave it out of the card"
            ) from error


def _reason(error: RuntimeError) -> str:
    """faiss's own words, without the place in its source."""
    return str(error).rsplit("failed: ", 1)[-1].rsplit("Error: ", 1)[-1].strip().splitlines()[-1]


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
