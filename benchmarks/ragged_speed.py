"""Late interaction and sparse retrieval beside the library whose models they are: encode passages and questions, and search.

python benchmarks/ragged_speed.py [--passages 1000] [--questions 200] [--layers 2] [--hidden 128] [--only ADAPTER]

Ours is what the adapters ``multi-vector`` and ``sparse`` do: passages go to a store on the disk, block by block, and are
searched from there. The peer is sentence-transformers' own ``encode_document``, ``encode_query``, ``similarity`` and the best
100 of each row, all in memory. Both have the same model of random weights (BERT with mBERT's 119,547 pieces; 128 dimensions a
token, or the 200 largest weights a text), the same texts (``encoding.py`` says which) and all cores. Each side is a process of
its own, which loads first; the peak memory is all that it took. Batches have 2,048 tokens, of ``sparse`` 512, the peer's 32
texts, of ``sparse`` 4. The best scores of both must be the same to three digits.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import encoding
import numpy as np
from table import Row, print_table

from harness.adapters.contract import Context, Request
from harness.collections.view import Docs
from harness.compute.platform import peak_memory_bytes
from harness.records import Doc, Query

DEPTH = 100
ADAPTERS = ("multi-vector", "sparse")
KEPT_WEIGHTS = 200
_BATCH = {"multi-vector": 32, "sparse": 4}
"""Texts of the peer: its default, and fewer where each token has a number for each term, which for 32 passages take 6 GB."""
_TOKENS = {"multi-vector": 2048, "sparse": 512}


class Texts(NamedTuple):
    passages: list[str]
    questions: list[str]


class Side(NamedTuple):
    """``best``: the scores of the first ten of each question, to be compared."""

    encoded_in: float
    searched_in: float
    peak_bytes: int
    best: np.ndarray


def rows(
    passages: int = 1000, questions: int = 200, layers: int = 2, hidden: int = 128, only: Sequence[str] = ADAPTERS
) -> list[Row]:
    """Time both sides of the adapters. Raises ``RuntimeError`` if they do not find the same scores."""
    chosen = random.Random(0)
    every = {kind: encoding.texts_of(kind) for kind in ("passages", "questions")}
    counts = {"passages": passages, "questions": questions}
    texts = Texts(*(chosen.sample(own, min(counts[kind], len(own))) for kind, own in every.items()))
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        plain = encoding.make_model(Path(name) / "plain", [*texts.passages, *texts.questions], layers, hidden)
        for adapter in only:
            model = _MAKE[adapter](plain, Path(name) / adapter)
            ours, peer = (_in_a_process(side, adapter, model, texts) for side in ("ours", "peer"))
            if not np.allclose(ours.best, peer.best, rtol=1e-3, atol=1e-3):
                raise RuntimeError(f"{adapter}: the scores are not the library's")
            size = f"{len(texts.passages):,} passages, {len(texts.questions):,} questions"
            memory = f"peak {ours.peak_bytes / 1e6:,.0f} MB, the library's {peer.peak_bytes / 1e6:,.0f}"
            for what, own, other in (
                (f"encoding {size} ({memory})", ours.encoded_in, peer.encoded_in),
                (f"searching {size}, depth {DEPTH}", ours.searched_in, peer.searched_in),
            ):
                found.append(Row(f"`{adapter}`: {what}", own, "sentence-transformers", other))
    return found


def _multi_vector(plain: Path, folder: Path) -> Path:
    import torch
    from sentence_transformers import MultiVectorEncoder

    torch.manual_seed(0)  # of the layer that the library appends
    MultiVectorEncoder(str(plain), device="cpu").save(str(folder), create_model_card=False)
    return folder


def _sparse(plain: Path, folder: Path) -> Path:
    import torch
    from sentence_transformers import SparseEncoder
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sparse_encoder.modules import SpladePooling

    torch.manual_seed(0)  # of the head for masked words
    modules = [Transformer(str(plain), transformer_task="fill-mask"), SpladePooling("max")]
    SparseEncoder(modules=modules, device="cpu", max_active_dims=KEPT_WEIGHTS).save(
        str(folder), create_model_card=False
    )
    return folder


_MAKE: dict[str, Callable[[Path, Path], Path]] = {"multi-vector": _multi_vector, "sparse": _sparse}


def _in_a_process(side: str, adapter: str, model: Path, texts: Texts) -> Side:
    # Unlike a pool of multiprocessing, it says so when its process is killed, as for memory.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_SIDES[side], adapter, model, texts).result()


def ours(adapter: str, model: Path, texts: Texts) -> Side:
    from harness.adapters.loading import load_adapter

    kind = load_adapter(adapter, Path()).kind
    parameters: dict[str, Any] = {"model": str(model), "title": "ignore", "token_budget": _TOKENS[adapter]}
    if adapter == "multi-vector":
        parameters["store_dtype"] = "float32"
    system = kind(kind.Parameters.model_validate(parameters))
    docs = Docs(Doc(f"d{place:06}", "", text) for place, text in enumerate(texts.passages))
    asked = tuple(Query(f"q{place}", text, "en", f"q{place}") for place, text in enumerate(texts.questions))
    with tempfile.TemporaryDirectory() as name:
        context = Context(cache=Path(name), work=Path(name), workers=os.cpu_count() or 1)
        rankings = {ranking.query_id: ranking for ranking in system.search(Request(docs, asked, DEPTH), context)}
    seconds = {stage["name"]: stage["seconds"] for stage in context.record.stages}
    best = np.array([np.asarray(rankings[query.query_id].scores)[:10] for query in asked])
    return Side(seconds["encode passages"] + seconds["encode queries"], seconds["search"], peak_memory_bytes(), best)


def peer(adapter: str, model: Path, texts: Texts) -> Side:
    import sentence_transformers
    import torch

    name = {"multi-vector": "MultiVectorEncoder", "sparse": "SparseEncoder"}[adapter]
    encoder = getattr(sentence_transformers, name)(str(model), device="cpu", local_files_only=True)
    torch.set_num_threads(os.cpu_count() or 1)
    began = time.perf_counter()
    documents: Sequence[Any] = encoder.encode_document(texts.passages, batch_size=_BATCH[adapter])
    queries: Sequence[Any] = encoder.encode_query(texts.questions, batch_size=_BATCH[adapter])
    encoded = time.perf_counter()
    found = torch.topk(encoder.similarity(queries, documents), min(DEPTH, len(texts.passages)), dim=1)
    searched = time.perf_counter()
    return Side(encoded - began, searched - encoded, peak_memory_bytes(), found.values[:, :10].numpy())


_SIDES: dict[str, Callable[[str, Path, Texts], Side]] = {"ours": ours, "peer": peer}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=1000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--only", nargs="+", choices=ADAPTERS, default=ADAPTERS)
    print_table(rows(**vars(parser.parse_args())))
    print(f"\nload {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
