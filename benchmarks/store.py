"""Storing and fusing vectors beside the disk itself: the same bytes, with the same waiting for the disk (fsync).

python benchmarks/store.py [--passages 204800] [--queries-each 5] [--folder DIR]

The peer writes the float16 bytes of each block, waits for the disk, adds a line to a second file and waits again, which is
what our store promises after each block; it converts and hashes nothing. Fusing takes vectors in memory, passages and
``--queries-each`` generated queries for each, and stores the result: its peer writes only what is stored.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from table import Row, print_table
from timing import shortest

from harness.dense.encoding import BLOCK_ROWS
from harness.dense.fusion import FusionSettings, fuse
from harness.dense.store import VectorStore

DIMENSIONS = 768


def rows(passages: int = 50 * BLOCK_ROWS, queries_each: int = 5, folder: Path | None = None) -> list[Row]:
    random = np.random.default_rng(0)
    block_rows = min(BLOCK_ROWS, passages)
    blocks = max(1, passages // block_rows)
    vectors = random.standard_normal((block_rows, DIMENSIONS), dtype=np.float32)
    generated = random.standard_normal((block_rows * queries_each, DIMENSIONS), dtype=np.float32)
    owners = np.repeat(np.arange(block_rows), queries_each)
    settings = FusionSettings(alpha=0.01)
    data = vectors.astype(np.float16).tobytes()
    with tempfile.TemporaryDirectory(dir=folder) as name:

        def stored(fused: bool) -> None:
            with tempfile.TemporaryDirectory(dir=name) as own:
                store = VectorStore(Path(own) / "store", {}, DIMENSIONS, "float16")
                for _ in range(blocks):
                    store.append(fuse(vectors, generated, owners, settings) if fused else vectors, 1 << 30)

        def written() -> None:
            with tempfile.TemporaryDirectory(dir=name) as own:
                for number in range(blocks):
                    _append(Path(own) / "data", data)
                    _append(Path(own) / "lines", b"%d\n" % number)

        storing, fusing, disk = shortest([lambda: stored(False), lambda: stored(True), written])
    size = f"{blocks * block_rows:,} passages, {blocks * len(data) / 1e9:.2f} GB"
    peer = f"the same bytes written alone ({blocks * len(data) / 1e6 / disk:,.0f} MB/s)"
    return [
        Row(f"store, {size}", storing, peer, disk),
        Row(f"fuse with {queries_each} queries each, and store, {size}", fusing, peer, disk),
    ]


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=50 * BLOCK_ROWS)
    parser.add_argument("--queries-each", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None, help="where to write; default: a temporary folder")
    print_table(rows(**vars(parser.parse_args())))
    print(f"\nload {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
