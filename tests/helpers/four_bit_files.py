"""Small models in the form of ``harness.dense.four_bit``, written field by field as its docstring says."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PIECES = ("<s>", "<pad>", "</s>", "<unk>", "▁", "▁a", "▁b", "a", "b", "c", "▁query", ":", "▁passage", "ab", "▁ab", "あ")
HIDDEN, LAYERS, HEADS, INTERMEDIATE, VOCABULARY, POSITIONS, TYPES = 64, 2, 4, 96, 20, 40, 2
MATRICES = {"q": (HIDDEN, HIDDEN), "k": (HIDDEN, HIDDEN), "v": (HIDDEN, HIDDEN), "ao": (HIDDEN, HIDDEN)} | {
    "fi": (INTERMEDIATE, HIDDEN),
    "fo": (HIDDEN, INTERMEDIATE),
}


class Made(NamedTuple):
    """The file's bytes, and what its tensors mean: float32 arrays by the file's own names."""

    data: bytes
    values: dict[str, NDArray[np.float32]]


def made(seed: int = 0) -> Made:
    random = np.random.default_rng(seed)
    raw: dict[str, bytes] = {}
    values: dict[str, NDArray[np.float32]] = {}

    def matrix(name: str, rows: int, columns: int) -> None:
        blocks, found = [], []
        for _ in range(rows * columns // 32):
            scale = float(np.float16(random.uniform(0.01, 0.1)))
            weights = random.integers(0, 16, 32).tolist()
            blocks.append(struct.pack("<e", scale) + bytes(weights[i] | weights[i + 16] << 4 for i in range(16)))
            found += [(weight - 8) * scale for weight in weights]
        raw[name] = b"".join(blocks)
        values[name] = np.array(found, np.float32).reshape(rows, columns)

    def floats(name: str, *size: int, around: float = 0.0) -> None:
        values[name] = (around + random.normal(0, 0.1, size)).astype(np.float32)
        raw[name] = values[name].astype("<f4").tobytes()

    matrix("emb.word", VOCABULARY, HIDDEN)
    floats("emb.pos", POSITIONS, HIDDEN)
    floats("emb.type", TYPES, HIDDEN)
    floats("emb.ln.w", HIDDEN, around=1)
    floats("emb.ln.b", HIDDEN)
    for layer in range(LAYERS):
        for name, (rows, columns) in MATRICES.items():
            matrix(f"l{layer}.{name}.w", rows, columns)
            floats(f"l{layer}.{name}.b", rows)
        for name in ("aln", "oln"):
            floats(f"l{layer}.{name}.w", HIDDEN, around=1)
            floats(f"l{layer}.{name}.b", HIDDEN)
    return Made(_head() + _placed(raw), values)


def _head() -> bytes:
    texts = [piece.encode() for piece in PIECES]
    offsets = [sum(map(len, texts[:place])) for place in range(len(texts) + 1)]
    scores = [0.0] * 4 + [-2.0 - 0.1 * place for place in range(len(texts) - 4)]
    return b"".join(
        [
            b"E5S1" + struct.pack("<I", 1),
            struct.pack(
                "<7ifi", HIDDEN, LAYERS, HEADS, INTERMEDIATE, VOCABULARY, POSITIONS, TYPES, np.float32(1e-12), 32
            ),
            struct.pack("<5iQ", len(texts), 0, 2, 1, 3, offsets[-1]),
            struct.pack(f"<{len(offsets)}I", *offsets),
            struct.pack(f"<{len(scores)}f", *scores),
            b"".join(texts),
            struct.pack("<iIIBI", 1, 9, ord("ａ"), 1, ord("a")),
        ]
    )


def _placed(raw: dict[str, bytes]) -> bytes:
    """The table of tensors, and the tensors behind it."""
    start = len(_head()) + 4 + sum(2 + len(name) + 1 + 4 + 8 + 8 for name in raw)
    table = struct.pack("<i", len(raw))
    place = start
    for name, data in raw.items():
        table += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", 0, 0, place, len(data))
        place += len(data)
    return table + b"".join(raw.values())
