"""Exact search over our store, streamed from the disk, beside faiss's IndexFlatIP in memory, on synthetic vectors.

python benchmarks/exact_search.py [--passages 2000000] [--queries 2110] [--depth 500] [--folder DIR]

768 dimensions, float16 in our store and the same values in float32 (3 KB a passage) in the peer's index. Both sides use all
cores, take turns, and the shorter of two rounds counts. Filling the store and the index is not timed.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from table import Row, print_table
from timing import shortest

from harness.dense.encoding import blocks_of
from harness.dense.search import Tiles, exact_search
from harness.dense.store import VectorStore

DIMENSIONS = 768
FULL = 2_000_000


def rows(passages: int = FULL, queries: int = 2_110, depth: int = 500, folder: Path | None = None) -> list[Row]:
    """Time both sides. Raises ``RuntimeError`` if the scores are not the same to five digits."""
    import faiss

    cores = os.cpu_count() or 1
    random = np.random.default_rng(0)
    asked = random.standard_normal((queries, DIMENSIONS), dtype=np.float32)
    index = faiss.IndexFlatIP(DIMENSIONS)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        store = VectorStore(Path(name) / "store", {}, DIMENSIONS, "float16")
        for start, end in blocks_of(passages):
            store.append(random.standard_normal((end - start, DIMENSIONS), dtype=np.float32), 1 << 30)
            index.add(store.read(len(store.blocks) - 1))
        tiles = Tiles([block.start for block in store.blocks], store.read)
        found: list[Sequence[tuple[np.ndarray, np.ndarray]]] = []
        by_faiss = []

        def ours() -> None:
            found.append(list(exact_search(asked, tiles, depth, cores)))

        def peer() -> None:
            faiss.omp_set_num_threads(cores)
            by_faiss.append(index.search(asked, depth)[0])

        our_seconds, peer_seconds = shortest([ours, peer], rounds=2)
    if not all(
        np.allclose(scores, expected[: len(scores)], rtol=1e-5, atol=1e-4)
        for (_, scores), expected in zip(found[0], by_faiss[0], strict=True)
    ):
        raise RuntimeError("the scores are not faiss's")
    what = f"exact search, {queries:,} queries, {passages:,} passages, depth {depth}, streamed from float16 on disk"
    return [Row(what, our_seconds, "faiss IndexFlatIP, float32 in memory", peer_seconds)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=FULL)
    parser.add_argument("--queries", type=int, default=2_110)
    parser.add_argument("--depth", type=int, default=500)
    parser.add_argument("--folder", type=Path, default=None, help="where the store lies; default: a temporary folder")
    print_table(rows(**vars(parser.parse_args())))
    print(f"\nload {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
