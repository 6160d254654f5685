"""A leaderboard of XOR-Retrieve from end to end at full size: made-up passages, the real questions, two systems that draw.

XDR_TEST_DATA=DIR python benchmarks/full_size.py [--passages 18200000] [--folder DIR] [--json full.json]

Passages are windows of 100 words over the English texts of TyDi QA, in the file and under the name of the English Wikipedia
of 2019-02-01, in a cache of their own; the questions are those of the dev set. ``xdr leaderboard`` is run as its user would,
twice: the first time everything is done, the index of the passages included, the second time nothing is left to do. Each is
a process of its own, whose peak resident memory is given. Takes 35 GB of disk, which are free again afterwards.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from encoding import texts_of
from figures import give, measured_on

from harness.collections.xor_tydi import LANGUAGES

WORDS = 100
TRACK = """
schema_version = 1
name = "full-size"
version = 1
title = "XOR-Retrieve, made-up passages"
description = "Nothing but a measurement."
measures = ["R@2kt", "R@5kt"]
primary = "R@2kt"
depth = 500
baseline = "sampling-1"
systems = []
"""
PART = """
[[parts]]
name = "{lang}"
dataset = "xor-tydi/dev/{lang}"
lang = "{lang}"
"""
CARD = """
schema_version = 1
name = "sampling-{seed}"
title = "Sampling {seed}"
adapter = "{adapter}"
[parameters]
seed = {seed}
"""


def write_passages(path: Path, count: int) -> None:
    """DPR's TSV: number, a window of words of the texts, a title."""
    words = list(re.finditer(r"[^\s\"]+", " ".join(texts_of("passages"))))
    text = words[0].string
    rng = random.Random(0)
    starts = [rng.randrange(len(words) - WORDS) for _ in range(1 << 16)]
    windows = [text[words[start].start() : words[start + WORDS - 1].end()].replace('"', "") for start in starts]
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8") as file:
        file.write("id\ttext\ttitle\n")
        for number in range(1, count + 1):
            # The number makes passages different; nothing else has to.
            file.write(f"{number}\t{number} {windows[number % len(windows)]}\tTitle {number // 10}\n")


def run(passages: int, folder: Path) -> dict[str, object]:
    environment = {**os.environ, "XDR_HOME": str(folder / "home")}
    xdr = [str(Path(sys.executable).with_name("xdr"))]
    subprocess.run([*xdr, "data", "import", os.environ["XDR_TEST_DATA"]], env=environment, check=True)
    begun = time.perf_counter()
    corpus = folder / "home/data/enwiki-2019/enwiki_20190201_w100.tsv"
    # By a process of its own: what this one has ever held counts as held by every process that it starts.
    writing = multiprocessing.get_context("spawn").Process(target=write_passages, args=(corpus, passages))
    writing.start()
    writing.join()
    if writing.exitcode:
        raise RuntimeError(f"{corpus} could not be written")
    print(f"{corpus.stat().st_size / 1e9:.1f} GB in {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    track = folder / "track.toml"
    track.write_text(TRACK + "".join(PART.format(lang=lang) for lang in LANGUAGES), "utf-8")
    adapter = f"{Path(__file__).with_name('sampling_system.py')}:Sampling"
    cards = [folder / f"sampling-{seed}.toml" for seed in (1, 2)]
    for seed, card in enumerate(cards, 1):
        card.write_text(CARD.format(seed=seed, adapter=adapter), "utf-8")
    command = [*xdr, "leaderboard", str(track), *map(str, cards), "--allow-code"]
    command += ["--runs", str(folder / "runs"), "--reports", str(folder / "reports")]
    rounds = [_measured(command, environment) for _ in range(2)]
    return {
        "passages": passages,
        "corpus_bytes": corpus.stat().st_size,
        "index_bytes": sum(file.stat().st_size for file in corpus.with_name(f"{corpus.name}.index").iterdir()),
        "first": rounds[0],
        "again": rounds[1],
        "measured": measured_on(),
    }


def _measured(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    begun = time.perf_counter()
    process = subprocess.Popen(command, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} failed")
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, "peak_bytes": usage.ru_maxrss * 1024, "load": os.getloadavg()[0]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=18_200_000, help="as many as the dump can have")
    parser.add_argument("--folder", type=Path, default=None, help="where to write; default: a temporary folder")
    parser.add_argument("--json", type=Path, default=None, help="where the figures go; default: standard output")
    arguments = parser.parse_args()
    if "XDR_TEST_DATA" not in os.environ:
        print("XDR_TEST_DATA names no folder: the questions of XOR-TyDi are needed", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        give(run(arguments.passages, Path(name)), arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
