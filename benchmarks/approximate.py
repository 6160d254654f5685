"""What approximate indexes find of the exact result, and what they take: real questions and passages, a small real encoder.

XDR_TEST_DATA=DIR python benchmarks/approximate.py [--depth 100] [--json approximate.json]

Passages are windows of 100 words, 20 words apart, over the paragraphs of TyDi QA in all languages whose files are there;
questions those of XOR-TyDi's dev set; both are encoded by the embedded encoder mini-xdr. Recall is the mean share of the exact
``depth`` best passages that an index finds, over all questions. One core builds, all search.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from encoding import texts_of
from figures import give, measured_on

from harness.dense.approximate import ApproximateIndex, approximate_search, built_index
from harness.dense.encoder import Encoder
from harness.dense.encoding import Limits, blocks_of, encode_texts
from harness.dense.loading import EncoderSettings
from harness.dense.roles import Role
from harness.dense.search import Tiles, exact_search
from harness.dense.store import VectorStore
from harness.files.package import package_root

WORDS, APART = 100, 20
INDEXES = (
    {"factory": "SQ8"},
    {"factory": "HNSW32", "ef_search": 128},
    {"factory": "IVF256,Flat", "nprobe": 8},
    {"factory": "IVF256,Flat", "nprobe": 32},
    {"factory": "IVF256,PQ32", "nprobe": 32},
    {"factory": "OPQ32,IVF256,PQ32", "nprobe": 32},
)


def run(depth: int, indexes: tuple[dict[str, Any], ...] = INDEXES, most: int | None = None) -> dict[str, Any]:
    """Figures of every index; ``most`` passages and questions, or all."""
    cores = os.cpu_count() or 1
    encoder = Encoder(EncoderSettings(package_root() / "systems/models/mini-xdr", "model", "dot", "float32", "cpu"))
    limits, asking, asked_of = Limits(16_384, cores), Role("query", max_length=256), Role("document", max_length=256)
    passages, questions = windows()[:most], texts_of("questions")[:most]
    with tempfile.TemporaryDirectory() as name:
        store = VectorStore(Path(name) / "store", {}, encoder.dimensions, "float16")
        for start, end in blocks_of(len(passages)):
            store.append(encode_texts(encoder, passages[start:end], asked_of, limits).vectors, 1 << 30)
        asked = encode_texts(encoder, questions, asking, limits).vectors
        begun = time.perf_counter()
        tiles = Tiles([block.start for block in store.blocks], store.read)
        exact = [numbers for numbers, _ in exact_search(asked, tiles, depth, cores)]
        searched = time.perf_counter() - begun
        found = [_figures(settings, store, asked, exact, Path(name)) for settings in indexes]
    return {
        "passages": len(passages),
        "questions": len(questions),
        "dimensions": encoder.dimensions,
        "depth": depth,
        "vector_bytes": store.size_bytes,
        "exact_seconds": searched,
        "indexes": found,
        "measured": measured_on(),
        "load": os.getloadavg()[0],
    }


def _figures(
    settings: dict[str, Any], store: VectorStore, asked: np.ndarray, exact: list[np.ndarray], folder: Path
) -> dict[str, Any]:
    index = ApproximateIndex(**settings)
    begun = time.perf_counter()
    shards = built_index(index, store, folder)
    built = time.perf_counter() - begun
    begun = time.perf_counter()
    found = [numbers for numbers, _ in approximate_search(index, shards, asked, len(exact[0]), os.cpu_count() or 1)]
    searched = time.perf_counter() - begun
    shares = [len(np.intersect1d(one, two)) / len(two) for one, two in zip(found, exact, strict=True)]
    return {
        **settings,
        "recall": float(np.mean(shares)),
        "bytes": sum(shard.path.stat().st_size for shard in shards),
        "build_seconds": built,
        "search_seconds": searched,
    }


def windows() -> list[str]:
    """Windows of words over all paragraphs, each once; of a short paragraph the whole."""
    folder = os.environ.get("XDR_TEST_DATA")
    texts = texts_of("passages")
    if folder is not None:
        for path in sorted((Path(folder) / "tydiqa-goldp").glob("*.json")):
            articles = json.loads(path.read_text("utf-8"))["data"]
            texts += [paragraph["context"] for article in articles for paragraph in article["paragraphs"]]
    found: dict[str, None] = {}
    for text in dict.fromkeys(texts):
        words = text.split()
        for start in range(0, max(1, len(words) - WORDS + APART), APART):
            found[" ".join(words[start : start + WORDS])] = None
    return list(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--json", type=Path, default=None, help="where the figures go; default: standard output")
    arguments = parser.parse_args()
    give(run(arguments.depth), arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
