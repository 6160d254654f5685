"""Store and exact search at the size of the real collection, on synthetic vectors: seconds, disk, and peak memory by stage.

python benchmarks/scale.py [--passages 18200000] [--queries 2110] [--depth 500] [--folder DIR] [--json scale.json]

Each stage is a process of its own, whose peak resident memory (VmHWM) is that stage's. Vectors are normally distributed
random numbers, 768 a passage, in float16; those of a block are made by shuffling and signing one block's numbers, so that
making them does not take longer than storing them. The store is removed afterwards.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# One thread for each matrix product: the parallel work is ours to share out.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from figures import give, measured_on

from harness.compute.platform import library_versions
from harness.dense.encoding import blocks_of

DIMENSIONS = 768
SHARD_BYTES = 1 << 30
Result = dict[str, Any]


def vectors_of(start: int, rows: int) -> np.ndarray:
    """Some rows of the synthetic collection, float32, shape (rows, dimensions): they depend on ``start`` alone."""
    random = np.random.default_rng(start)
    base = np.random.default_rng(0).standard_normal((rows, DIMENSIONS), dtype=np.float32)
    turned: np.ndarray = base[random.permutation(rows)] * random.choice(np.array([-1, 1], np.float32), DIMENSIONS)
    return turned


def store(folder: Path, passages: int, queries: int, depth: int) -> Result:
    from harness.dense.store import VectorStore

    vectors = VectorStore(folder / "store", {}, DIMENSIONS, "float16")
    appending = 0.0
    for start, end in blocks_of(passages):
        block = vectors_of(start, end - start)
        begun = time.perf_counter()
        vectors.append(block, SHARD_BYTES)
        appending += time.perf_counter() - begun
    disk = sum(file.stat().st_size for file in (folder / "store").iterdir())
    return {"appending_seconds": appending, "disk_bytes": disk, "rows": vectors.rows}


def reopen(folder: Path, passages: int, queries: int, depth: int) -> Result:
    """As the command that is run again does: every block is read and held against its hash."""
    from harness.dense.store import VectorStore

    return {"rows": VectorStore(folder / "store", {}, DIMENSIONS, "float16").rows}


def search(folder: Path, passages: int, queries: int, depth: int) -> Result:
    from harness.dense.search import Tiles, exact_search
    from harness.dense.store import VectorStore

    vectors = VectorStore(folder / "store", {}, DIMENSIONS, "float16")
    asked = np.random.default_rng(1).standard_normal((queries, DIMENSIONS), dtype=np.float32)
    tiles = Tiles([block.start for block in vectors.blocks], vectors.read)
    begun = time.perf_counter()
    found = list(exact_search(asked, tiles, depth, os.cpu_count() or 1))
    seconds = time.perf_counter() - begun
    # Held against products in float64 for one question, block by block.
    best = np.concatenate([asked[0].astype(np.float64) @ vectors.read(i).T for i in range(len(vectors.blocks))])
    expected = np.sort(best)[::-1][:depth]
    if not np.allclose(found[0][1], expected, rtol=1e-4, atol=1e-4):
        raise RuntimeError("the scores of the first question are not the best ones")
    return {"searching_seconds": seconds, "found": sum(len(numbers) for numbers, _ in found)}


STAGES: dict[str, Callable[[Path, int, int, int], Result]] = {"store": store, "reopen": reopen, "search": search}


def measured(stage: str, folder: Path, sizes: tuple[int, int, int]) -> Result:
    """What a stage says of itself, its seconds, and the peak resident bytes of its own process."""
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    process = context.Process(target=_measure, args=(stage, folder, sizes, results))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"the stage {stage!r} failed")
    found: dict[str, Any] = results.get()
    return found


def _measure(stage: str, folder: Path, sizes: tuple[int, int, int], results: Any) -> None:
    begun = time.perf_counter()
    result = STAGES[stage](folder, *sizes)
    seconds = time.perf_counter() - begun
    status = Path("/proc/self/status").read_text("ascii")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    results.put({"stage": stage, "seconds": seconds, "peak_bytes": peak * 1024, **result})


def run(sizes: tuple[int, int, int], parent: Path | None) -> Result:
    passages, queries, depth = sizes
    folder = Path(tempfile.mkdtemp(dir=parent))
    try:
        stages = []
        for stage in STAGES:
            print(f"{stage} ...", file=sys.stderr, flush=True)
            stages.append(measured(stage, folder, sizes) | {"load": os.getloadavg()[0]})
            print(stages[-1], file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(folder)
    own = {"libraries": library_versions(("numpy", "torch")), "measured": measured_on()}
    return {"passages": passages, "queries": queries, "depth": depth, "stages": stages, **own}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=18_200_000)
    parser.add_argument("--queries", type=int, default=2_110)
    parser.add_argument("--depth", type=int, default=500)
    parser.add_argument("--folder", type=Path, default=None, help="where to write; default: a temporary folder")
    parser.add_argument("--json", type=Path, default=None, help="where the figures go; default: standard output")
    arguments = parser.parse_args()
    give(run((arguments.passages, arguments.queries, arguments.depth), arguments.folder), arguments.json)


if __name__ == "__main__":
    main()
