"""Recall against time of approximate indexes on made-up, clustered vectors, by our shards of a store and by faiss alone.

python benchmarks/recall_curve.py [--passages 2000000] [--dimensions 256] [--queries 1000] [--depth 100] [--json curve.json]

A vector is the unit vector of a cluster's centre plus noise of 0.7 of its length in random directions; there is a cluster for
each 200 passages, and clusters have passages by Zipf's law, as topics have. Questions are made in the same way, of clusters
drawn as passages are. So neighbours are near, unlike those of independent random numbers, which no index can find. The
vectors of a real encoder are easier or harder: take shapes from here, and recall from a run's manifest.

Both sides have the same vectors, in float16, the same factory string and all cores for the search. Ours maps an index of each
1,048,576 passages from the disk and merges what it finds; faiss has one index in memory, which all cores trained and filled
(ours takes one, so that a machine makes the same index each time). The shorter of two searches counts.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from figures import give, measured_on
from numpy.typing import NDArray
from timing import shortest

from harness.compute.platform import library_versions
from harness.dense.approximate import (
    ApproximateIndex,
    approximate_search,
    built_index,
    empty_index,
    set_search_parameters,
)
from harness.dense.encoding import blocks_of
from harness.dense.search import Tiles, exact_search
from harness.dense.store import VectorStore

PASSAGES_A_CLUSTER = 200
NOISE = 0.7
TRAINING = 100_000
Numbers = list[NDArray[np.int64]]


class Sizes(NamedTuple):
    passages: int = 2_000_000
    dimensions: int = 256
    queries: int = 1_000
    depth: int = 100


def indexes(sizes: Sizes) -> dict[str, list[dict[str, int]]]:
    """Factory strings, and the settings of the search that are tried with each.

    Lists: four times the square root of the number of vectors, to a power of two. ``PQ...x4fs`` are codes of 4 bits, scanned
    in the processor's registers, and ``RFlat`` scores the best of them again by their own vectors: the way of ScaNN.
    """
    lists = 2 ** round(np.log2(4 * np.sqrt(sizes.passages)))
    probes = [max(1, lists // share) for share in (512, 128, 32, 8)]
    return {
        "HNSW32": [{"ef_search": number} for number in (sizes.depth, 2 * sizes.depth, 4 * sizes.depth)],
        f"IVF{lists},Flat": [{"nprobe": number} for number in probes],
        f"IVF{lists},PQ{sizes.dimensions // 2}x4fs,RFlat": [
            {"nprobe": number, "k_factor": factor} for number, factor in zip(probes, (4, 4, 8, 16), strict=True)
        ],
    }


class Clusters:
    """Where passages and questions come from, the same each time."""

    def __init__(self, sizes: Sizes) -> None:
        self._random = np.random.default_rng(0)
        count = max(1, sizes.passages // PASSAGES_A_CLUSTER)
        self._centres = self._random.standard_normal((count, sizes.dimensions), dtype=np.float32)
        self._centres /= np.linalg.norm(self._centres, axis=1, keepdims=True)
        shares = 1 / np.arange(1, count + 1)
        self._shares = shares / shares.sum()

    def drawn(self, count: int) -> NDArray[np.float32]:
        """Float32, shape (count, dimensions), of length 1."""
        centres = self._centres[self._random.choice(len(self._centres), count, p=self._shares)]
        noise = self._random.standard_normal(centres.shape, dtype=np.float32)
        vectors: NDArray[np.float32] = centres + np.float32(NOISE / np.sqrt(centres.shape[1])) * noise
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors


def run(sizes: Sizes, folder: Path | None = None) -> dict[str, Any]:
    """Recall, seconds of both sides and bytes, for each index and setting, and the seconds of exact search."""
    clusters, cores = Clusters(sizes), os.cpu_count() or 1
    with tempfile.TemporaryDirectory(dir=folder) as name:
        store = VectorStore(Path(name) / "store", {}, sizes.dimensions, "float16")
        for start, end in blocks_of(sizes.passages):
            store.append(clusters.drawn(end - start), 1 << 30)
        asked = clusters.drawn(sizes.queries)
        found: list[Numbers] = []
        tiles = Tiles([block.start for block in store.blocks], store.read)
        (seconds,) = shortest(
            [lambda: found.append([numbers for numbers, _ in exact_search(asked, tiles, sizes.depth, cores)])], rounds=2
        )
        exact = found[0]
        points: list[dict[str, Any]] = []
        for factory, settings in indexes(sizes).items():
            points += _points(factory, settings, store, (asked, exact), Path(name))
            print(points[-len(settings) :], file=sys.stderr, flush=True)
    return {
        **sizes._asdict(),
        "shards": "mapped",
        "vector_bytes": sizes.passages * sizes.dimensions * 2,
        "exact_seconds": seconds,
        "points": points,
        "libraries": library_versions(("numpy", "torch", "faiss-cpu")),
        "measured": measured_on(),
        "load": os.getloadavg()[0],
    }


def _points(
    factory: str,
    settings: Sequence[dict[str, int]],
    store: VectorStore,
    wanted: tuple[NDArray[np.float32], Numbers],
    folder: Path,
) -> Iterator[dict[str, Any]]:
    import faiss

    (asked, exact), cores = wanted, os.cpu_count() or 1
    depth = len(exact[0])
    index = ApproximateIndex(factory=factory, training_passages=TRAINING)
    shards, ours_built = _timed(lambda: built_index(index, store, folder))
    faiss.omp_set_num_threads(cores)
    peer, theirs_built = _timed(lambda: _by_faiss(index, store))
    for chosen in settings:
        own = index.model_copy(update=chosen)
        set_search_parameters(peer, own)
        ours: list[Numbers] = []
        theirs: list[Numbers] = []

        def search(own: ApproximateIndex = own, ours: list[Numbers] = ours) -> None:
            found = approximate_search(own, shards, asked, depth, cores)
            ours.append([numbers for numbers, _ in found])

        def search_by_faiss(theirs: list[Numbers] = theirs) -> None:
            faiss.omp_set_num_threads(cores)
            theirs.append(list(peer.search(asked, depth)[1]))

        seconds = shortest([search, search_by_faiss], rounds=2)
        yield {
            "factory": factory,
            **chosen,
            "recall": _recall(ours[0], exact),
            "search_seconds": seconds[0],
            "faiss_recall": _recall(theirs[0], exact),
            "faiss_seconds": seconds[1],
            "build_seconds": ours_built,
            "faiss_build_seconds": theirs_built,
            "bytes": sum(shard.path.stat().st_size for shard in shards),
        }
    for shard in shards:
        shard.path.unlink()


def _by_faiss(settings: ApproximateIndex, store: VectorStore) -> Any:
    """Trained on as many vectors as ours, the first ones, which are as good as any of independent ones."""
    index = empty_index(settings, store.dimensions)
    blocks = range(len(store.blocks))
    sample = np.concatenate([store.read(number) for number in blocks[: 1 + TRAINING // store.blocks[0].items]])
    if not index.is_trained:
        index.train(sample[:TRAINING])
    for number in blocks:
        index.add(store.read(number))
    return index


def _recall(found: Numbers, exact: Numbers) -> float:
    return float(np.mean([len(np.intersect1d(one, two)) / len(two) for one, two in zip(found, exact, strict=True)]))


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.perf_counter()
    found = work()
    return found, time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in Sizes()._asdict().items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--folder", type=Path, default=None, help="where to write; default: a temporary folder")
    parser.add_argument("--json", type=Path, default=None, help="where the figures go; default: standard output")
    arguments = vars(parser.parse_args())
    folder, path = arguments.pop("folder"), arguments.pop("json")
    give(run(Sizes(**arguments), folder), path)


if __name__ == "__main__":
    main()
