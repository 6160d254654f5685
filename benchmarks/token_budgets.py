"""What the tokens in a batch cost: batches and padding, counted; seconds of one thread by kernel, timed.

python benchmarks/token_budgets.py --model FOLDER [--budgets 256 384 512 768 1024 2048 16384] [--passages 48] [--questions 400]
    [--rounds 3] [--kernels torch-fused onnx "onnx, int8"]

--model: a folder of sentence-transformers. Texts are those of encoding_engines.py; all of them are counted, as many as are
asked for are encoded. The shortest round counts.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path
from typing import Any

from encoding_engines import texts

from harness.dense.encoder import Encoder
from harness.dense.encoding import Limits, in_batches, packed
from harness.dense.loading import EncoderSettings
from harness.dense.roles import PASSAGES, QUESTIONS, Role

KERNELS: dict[str, tuple[Any, str]] = {
    "torch": ("float32", "torch"),
    "torch-fused": ("float32", "torch-fused"),
    "onnx": ("float32", "onnx"),
    "onnx, int8": ("int8", "onnx"),
}
ROLES = {"passages": PASSAGES, "questions": QUESTIONS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--budgets", type=int, nargs="+", default=[256, 384, 512, 768, 1024, 2048, 16384])
    parser.add_argument("--passages", type=int, default=48)
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kernels", nargs="*", choices=KERNELS, default=["torch-fused", "onnx", "onnx, int8"])
    options = parser.parse_args()
    every = texts()
    counts = {"passages": options.passages, "questions": options.questions}
    chosen = {kind: random.Random(0).sample(own, min(counts[kind], len(own))) for kind, own in every.items()}
    plain = Encoder(EncoderSettings(options.model, "model", "cosine", "float32", "cpu", kernel="torch"))
    for kind, own in every.items():
        tokens = plain.token_counts(own, ROLES[kind])
        for budget in options.budgets:
            batches = packed(tokens, budget)
            padding = sum(len(batch) * tokens[batch[-1]] for batch in batches) / sum(tokens) - 1
            print(f"{len(own):,} {kind}, {budget:,} tokens: {len(batches)} batches, {padding:.1%} padding", flush=True)
    for name in options.kernels:
        dtype, kernel = KERNELS[name]
        encoder = Encoder(EncoderSettings(options.model, "model", "cosine", dtype, "cpu", kernel=kernel))
        for kind, own in chosen.items():
            taken = dict.fromkeys(options.budgets, float("inf"))
            for _ in range(options.rounds):
                for budget in options.budgets:
                    taken[budget] = min(taken[budget], seconds(encoder, own, ROLES[kind], budget))
            told = ", ".join(f"{budget:,}: {found:.2f} s" for budget, found in taken.items())
            print(f"{name}, {len(own):,} {kind}: {told}", flush=True)


def seconds(encoder: Encoder, own: list[str], role: Role, budget: int) -> float:
    """Of the clock, from texts to vectors, by one worker with one thread."""
    began = time.perf_counter()
    tokens = encoder.tokenized(own, role)
    for _ in in_batches(tokens, Limits(budget, 1), tokens.vectors):
        pass
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
