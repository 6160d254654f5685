"""Exact search over our store, streamed from the disk, beside faiss's IndexFlatIP in memory, on synthetic vectors.

python benchmarks/exact_search.py [--passages 2000000] [--queries 2110] [--depth 500] [--folder DIR] [--json search.json]

768 dimensions, float16 in our store and the same values in float32 (3 KB a passage) in the peer's index. Ours is measured
twice: as it is, with products of 8-bit integers first where these pay here, and by float32 products alone; the bytes that both
find are compared. All sides use all cores, take turns, and the shortest of two rounds counts. Filling the store and the index
is not timed. Vectors are independent random numbers, whose scores are as close to one another as scores can be.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
from figures import give, measured_on
from table import Row, print_table
from timing import shortest

from harness.compute.platform import library_versions
from harness.dense import search
from harness.dense.encoding import blocks_of
from harness.dense.search import Tiles, exact_search
from harness.dense.store import VectorStore

DIMENSIONS = 768
FULL = 2_000_000


def rows(passages: int = FULL, queries: int = 2_110, depth: int = 500, folder: Path | None = None) -> list[Row]:
    """Time all sides. Raises ``RuntimeError`` if ours differ by a bit, or the scores are not faiss's to five digits."""
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

        def by_float32() -> None:
            with patch.object(search, "_integers_pay", return_value=False):
                ours()

        def peer() -> None:
            faiss.omp_set_num_threads(cores)
            by_faiss.append(index.search(asked, depth)[0])

        seconds = shortest([ours, by_float32, peer], rounds=2)
    if len({b"".join(part.tobytes() for pair in results for part in pair) for results in found}) > 1:
        raise RuntimeError("products of integers choose other results than those of float32")
    if not all(
        np.allclose(scores, expected[: len(scores)], rtol=1e-5, atol=1e-4)
        for (_, scores), expected in zip(found[0], by_faiss[0], strict=True)
    ):
        raise RuntimeError("the scores are not faiss's")
    what = f"{queries:,} queries, {passages:,} passages, depth {depth}, streamed from float16 on disk"
    return [
        Row(what, seconds[0], "the same, by float32 products alone", seconds[1]),
        Row(what, seconds[0], "faiss IndexFlatIP, float32 in memory", seconds[2]),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=FULL)
    parser.add_argument("--queries", type=int, default=2_110)
    parser.add_argument("--depth", type=int, default=500)
    parser.add_argument("--folder", type=Path, default=None, help="where the store lies; default: a temporary folder")
    parser.add_argument("--json", type=Path, default=None, help="where the figures go; default: none are written")
    arguments = vars(parser.parse_args())
    path = arguments.pop("json")
    found = rows(**arguments)
    print_table(found)
    print(f"\nload {os.getloadavg()[0]:.1f}")
    if path is not None:
        own = {"libraries": library_versions(("numpy", "torch", "faiss-cpu")), "measured": measured_on()}
        give({"rows": [row._asdict() | {"load": os.getloadavg()[0]} for row in found], **own}, path)


if __name__ == "__main__":
    main()
