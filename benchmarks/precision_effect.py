"""What 8-bit integers do to scores: XQuAD's questions of its 240 English paragraphs, encoded in float32 and in int8.

XDR_TEST_DATA=DIR python benchmarks/precision_effect.py --model FOLDER [--langs ar de] [--questions 300]

Both by the kernel onnx, passages and questions in the same precision, paragraphs alone without titles, cosine, as the card's
model says. Differences are those of the same questions; intervals are of a paired bootstrap over paragraphs, since the
questions of one paragraph are not independent: percentiles of 10,000 resamples at 95 %.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.dense.encoder import Encoder
from harness.dense.encoding import TOKENS_OF_A_THREAD, Limits, encode_texts
from harness.dense.loading import EncoderSettings
from harness.dense.roles import PASSAGES, QUESTIONS, Role

RESAMPLES = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--langs", nargs="+", default=["ar", "de"])
    parser.add_argument("--questions", type=int, default=300, help="of each language, drawn with a fixed seed")
    options = parser.parse_args()
    passages = [paragraph["context"] for paragraph in paragraphs("en")]
    asked = {lang: questions(lang, options.questions) for lang in options.langs}
    scores: dict[str, NDArray[np.float32]] = {}
    ranks: dict[str, dict[str, NDArray[np.int64]]] = {}
    for dtype in ("float32", "int8"):
        encoder = Encoder(EncoderSettings(options.model, "model", "cosine", dtype, "cpu", kernel="onnx"))
        documents = encoded(encoder, passages, PASSAGES)
        scores[dtype] = documents
        ranks[dtype] = {
            lang: ranks_of(encoded(encoder, [text for text, _ in own], QUESTIONS) @ documents.T, [p for _, p in own])
            for lang, own in asked.items()
        }
    cosine = (scores["float32"] * scores["int8"]).sum(axis=1)
    print(f"passages: cosine of int8 and float32 {cosine.mean():.4f} on average, {cosine.min():.4f} at least\n")
    print("| language | questions | measure | float32 | int8 | difference | 95 % interval |")
    print("|---|---:|---|---:|---:|---:|---|")
    for lang, own in asked.items():
        for name, of in MEASURES.items():
            exact, rounded = (of(ranks[dtype][lang]) for dtype in ("float32", "int8"))
            lower, upper = interval(rounded - exact, [place for _, place in own])
            means = f"{100 * exact.mean():.1f} | {100 * rounded.mean():.1f} | {100 * (rounded - exact).mean():+.2f}"
            print(f"| {lang} | {len(own)} | {name} | {means} | {100 * lower:+.2f} to {100 * upper:+.2f} |")


def paragraphs(lang: str) -> list[Any]:
    path = Path(os.environ["XDR_TEST_DATA"]) / "xquad" / f"xquad.{lang}.json"
    articles = json.loads(path.read_text("utf-8"))["data"]
    return [paragraph for article in articles for paragraph in article["paragraphs"]]


def questions(lang: str, count: int) -> list[tuple[str, int]]:
    """Questions with the place of their paragraph."""
    every = [(own["question"], place) for place, found in enumerate(paragraphs(lang)) for own in found["qas"]]
    return random.Random(0).sample(every, min(count, len(every)))


def encoded(encoder: Encoder, texts: list[str], role: Role) -> NDArray[np.float32]:
    return encode_texts(encoder, texts, role, Limits(TOKENS_OF_A_THREAD, os.cpu_count() or 1)).vectors


def ranks_of(scores: NDArray[np.float32], relevant: list[int]) -> NDArray[np.int64]:
    """Rank of each question's paragraph, the first is 1; of equal scores it is the last."""
    own = scores[np.arange(len(relevant)), relevant]
    ranks: NDArray[np.int64] = (scores >= own[:, None]).sum(axis=1)
    return ranks


def _success(cutoff: int) -> Any:
    return lambda ranks: (ranks <= cutoff).astype(float)


MEASURES = {
    "Success@1": _success(1),
    "Success@10": _success(10),
    "RR@10": lambda ranks: np.where(ranks <= 10, 1 / ranks, 0.0),
}


def interval(differences: NDArray[np.float64], places: list[int]) -> tuple[float, float]:
    _, group = np.unique(places, return_inverse=True)
    sums, counts = np.bincount(group, differences), np.bincount(group)
    drawn = np.random.default_rng(0).integers(0, len(sums), (RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    lower, upper = np.quantile(means, [0.025, 0.975])
    return float(lower), float(upper)


if __name__ == "__main__":
    main()
