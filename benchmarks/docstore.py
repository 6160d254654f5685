"""Seconds, bytes and peak memory of the offset docstore on made-up passages of 100 words in DPR's TSV.

python benchmarks/docstore.py [--passages 1000000] [--order 18200000] [--folder DIR]

Prints a Markdown table. ``--order`` is the number of passages at which the end of the indexing, where the order and the digest
are made, is measured by itself, with made-up ids, offsets and hashes: it alone needs memory that grows with the collection.
Each stage runs in a process of its own, whose peak resident memory (VmHWM) is that stage's.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.collections.formats.passage_files import DprTsv
from harness.collections.storage.docstore import STEP, Indexing, open_docs
from harness.files.derived import Made
from harness.files.shards import Shards

BLOCK = 4096
LOOKUPS = 100_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--order", type=int, default=18_200_000)
    parser.add_argument("--folder", type=Path, default=None, help="where to write; default: a temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        source = Path(name) / "passages.tsv"
        write_passages(source, arguments.passages)
        size = source.stat().st_size
        print(f"{arguments.passages:,} passages, {size:,} bytes\n")
        print("| stage | seconds | passages/s | peak memory, MB |\n|---|---|---|---|")
        for title, stage, count in (
            ("index, first pass and order", index, arguments.passages),
            ("read all, block by block in the order of ids", read_all, arguments.passages),
            ("look up by id, at random", look_up, min(LOOKUPS, arguments.passages)),
        ):
            seconds, peak = measured(stage, source)
            print(f"| {title} | {seconds:.1f} | {count / seconds:,.0f} | {peak / 1e6:.0f} |", flush=True)
        raw = Path(name) / "order"
        write_raw(raw, arguments.order)
        seconds, peak = measured(make_order, raw)
        rate = arguments.order / seconds
        print(f"| order and digest of {arguments.order:,} | {seconds:.1f} | {rate:,.0f} | {peak / 1e6:.0f} |")
        on_disk = sum(file.stat().st_size for file in source.with_name("index").glob("*.npy"))
        print(f"\nIndex on the disk: {on_disk / arguments.passages:.1f} bytes a passage.")
    return 0


def write_passages(path: Path, count: int) -> None:
    """Words drawn from 20,000, some of them in quotation marks, so that the texts are quoted as many of Wikipedia's are."""
    draw = random.Random(1)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(20_000)]
    words += [f'"{word}"' for word in words[:200]]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["id", "text", "title"])
        for number in range(1, count + 1):
            writer.writerow([str(number), " ".join(draw.choices(words, k=100)), f"Title {number // 6}"])


def write_raw(home: Path, count: int) -> None:
    """What the pass over an empty source would leave in the folder ``home``, had it found ``count`` passages."""
    (home / "empty").parent.mkdir(parents=True)
    (home / "empty").touch()
    raw = Indexing(home / "empty", DprTsv(), home).raw
    raw.keep(Made())
    shards, numbers = Shards(raw.seal.parent), np.random.default_rng(1)
    for start in range(0, count, STEP):
        items = min(STEP, count - start)
        columns = [
            np.arange(650 * start, 650 * (start + items), 650, dtype="<u8").tobytes(),
            np.full(items, 650, "<u4").tobytes(),
            numbers.bytes(32 * items),
            "\n".join(map(str, range(start + 1, start + items + 1))).encode(),
        ]
        counts = {"position": 0, "lines": start + items, "width": len(str(count))}
        shards.append(map(memoryview, columns), items, 1 << 30, counts)


def make_order(home: Path) -> None:
    """Resume from the blocks with a source that has nothing more to give."""
    Indexing(home / "empty", DprTsv(), home).run()


def index(source: Path) -> None:
    open_docs(source, DprTsv(), source.with_name("index"))


def read_all(source: Path) -> None:
    docs = open_docs(source, DprTsv(), source.with_name("index"))
    for start in range(0, len(docs), BLOCK):
        docs[start : start + BLOCK]


def look_up(source: Path) -> None:
    docs = open_docs(source, DprTsv(), source.with_name("index"))
    draw = random.Random(2)
    for _ in range(min(LOOKUPS, len(docs))):
        docs.get(str(draw.randint(1, len(docs))))


def measured(stage: Callable[[Path], None], source: Path) -> tuple[float, int]:
    """Seconds and peak resident bytes of ``stage`` in a new process."""
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    process = context.Process(target=_measure, args=(stage, source, results))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{stage.__name__} failed")
    seconds, peak = results.get()
    return seconds, peak


def _measure(stage: Callable[[Path], None], source: Path, results: multiprocessing.SimpleQueue) -> None:  # type: ignore[type-arg]
    start = time.perf_counter()
    stage(source)
    seconds = time.perf_counter() - start
    status = Path("/proc/self/status").read_text("ascii")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    results.put((seconds, peak * 1024))


if __name__ == "__main__":
    sys.exit(main())
