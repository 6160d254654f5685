"""Storing and fusing vectors beside the disk itself: the same bytes, with the same waiting for the disk (fsync).

python benchmarks/store.py [--passages 1024000] [--queries-each 5] [--folder DIR]

The peer writes the float16 bytes of each block, waits for the disk, adds a line to a second file and waits again, which is
what our store promises after each block; it converts and hashes nothing. Fusing takes vectors in memory, of passages and of
``--queries-each`` generated queries for each, and stores the result. Its peer computes nothing: it reads as many vectors in
float16 from the disk, none of them cached, and writes the fused ones, as a fusion of stored vectors would have to.
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


def rows(passages: int = 250 * BLOCK_ROWS, queries_each: int = 5, folder: Path | None = None) -> list[Row]:
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

        inputs = Path(name) / "inputs"
        for _ in range(blocks * (1 + queries_each)):
            _append(inputs, data)

        def read_and_written() -> None:
            with inputs.open("rb", buffering=0) as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                buffer = bytearray(len(data))
                while file.readinto(buffer):
                    pass
            written()

        storing, fusing, writing, moving = shortest(
            [lambda: stored(False), lambda: stored(True), written, read_and_written]
        )
    megabytes = blocks * len(data) / 1e6
    size = f"{blocks * block_rows:,} passages, {megabytes / 1e3:.2f} GB"
    alone = f"the same bytes written alone ({megabytes / writing:,.0f} MB/s)"
    moved = f"the vectors read and the fused ones written alone ({(2 + queries_each) * megabytes / moving:,.0f} MB/s)"
    return [
        Row(f"store, {size}", storing, alone, writing),
        Row(f"fuse with {queries_each} queries each, and store, {size}", fusing, moved, moving),
    ]


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=250 * BLOCK_ROWS)
    parser.add_argument("--queries-each", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None, help="where to write; default: a temporary folder")
    print_table(rows(**vars(parser.parse_args())))
    print(f"\nload {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
