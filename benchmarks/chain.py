"""Encode, fuse, store and search as one chain, on a share of the real collection: rates, and the peak memory of the process.

python benchmarks/chain.py --layers 2 --hidden 128 [--passages 18200] [--queries-each 35] [--json chain.json]
python benchmarks/chain.py --layers 12 --hidden 768 --passages 910 --json mbert.json

18,200 passages are a thousandth of the real collection, 910 a twenty-thousandth. Models are made from a configuration, with
random weights; 12 layers and 768 dimensions are mBERT's. Texts as in encoding.py, numbered so that all are different; a
passage's generated queries are questions with its number.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from encoding import LENGTHS, TOKEN_BUDGET, make_model, texts_of
from figures import give, measured_on

from harness.compute.jobs import LocalEngine
from harness.dense.encoding import blocks_of
from harness.dense.fusion import FusionSettings
from harness.dense.jobs import EncodingJob, TextBlock, ToFuse, encoded_by, opened_model, searched_by
from harness.dense.loading import EncoderSettings
from harness.dense.roles import Role
from harness.dense.store import VectorStore

QUERIES = 2_110
DEPTH = 500
_QUESTIONS, _PASSAGES = Role("query", max_length=LENGTHS["questions"]), Role("document", max_length=LENGTHS["passages"])


def run(passages: int, queries_each: int, layers: int, hidden: int, queries: int = QUERIES) -> dict[str, object]:
    """Seconds of each stage with and without generated queries, and the peak resident bytes of this process."""
    cores = os.cpu_count() or 1
    engine = LocalEngine(cores)
    texts, questions = texts_of("passages"), texts_of("questions")
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = make_model(Path(name) / "model", texts + questions, layers, hidden)
        job = EncodingJob(EncoderSettings(folder, "cls", "dot", "float32", "cpu"), TOKEN_BUDGET, cores)
        width = opened_model(engine, job, [_PASSAGES]).dimensions
        for kind, each in (("passages", 0), ("passages and generated queries, fused", queries_each)):
            begun = time.perf_counter()
            store = VectorStore(Path(name) / f"store-{each}", {}, width, "float16")
            blocks = (block_of(start, end, each, texts, questions) for start, end in blocks_of(passages))
            for block in engine.results(job, blocks):
                store.append(block.encoded.vectors, 1 << 30)
            seconds[kind] = time.perf_counter() - begun
        begun = time.perf_counter()
        asked = [text for _, text in zip(range(queries), itertools.cycle(questions), strict=False)]
        vectors = encoded_by(engine, job, asked, _QUESTIONS).vectors
        found = list(searched_by(engine, vectors, store, DEPTH))
        seconds["questions and search"] = time.perf_counter() - begun
        disk = store.size_bytes
    if any(len(numbers) != min(DEPTH, passages) for numbers, _ in found):
        raise RuntimeError("a question has too few passages")
    status = Path("/proc/self/status").read_text("ascii")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024
    sizes = {"passages": passages, "queries_each": queries_each, "layers": layers, "hidden": hidden, "queries": queries}
    machine = {"measured": measured_on(), "load": os.getloadavg()[0]}
    return {**sizes, "seconds": seconds, "peak_bytes": peak, "store_bytes": disk, **machine}


def block_of(start: int, end: int, each: int, texts: list[str], questions: list[str]) -> TextBlock:
    own = [f"{number} {texts[number % len(texts)]}" for number in range(start, end)]
    if not each:
        return TextBlock(own, _PASSAGES)
    generated = [
        f"{questions[(number * each + place) % len(questions)]} {number}"
        for number in range(start, end)
        for place in range(each)
    ]
    owners = np.repeat(np.arange(end - start), each)
    return TextBlock(own, _PASSAGES, ToFuse(generated, owners, _QUESTIONS, FusionSettings(alpha=0.01)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=18_200)
    parser.add_argument("--queries-each", type=int, default=35)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--json", type=Path, default=None, help="where the figures go; default: standard output")
    arguments = parser.parse_args()
    sizes = (arguments.passages, arguments.queries_each, arguments.layers, arguments.hidden)
    give(run(*sizes), arguments.json)


if __name__ == "__main__":
    main()
