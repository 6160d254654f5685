"""Exact products of matrices of small integers by oneDNN, where this machine multiplies these faster than float32.

Whether it does is measured, not read from the processor's flags: what a kernel makes of instructions only time tells (on
AVX2, torch's ``_int_mm`` takes thirty times as long as float32, oneDNN's product for quantized layers half as long). Since
sums of integers have no rounding, the same bytes come out of a search either way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.compute.linear import linear

if TYPE_CHECKING:
    import torch

LARGEST_LEFT = 127
"""Magnitude of the left matrix's numbers. They are stored with ``ZERO`` added, as bytes without a sign."""

ZERO = 128

LARGEST_PAIR = 128
"""Of the right matrix, the magnitudes of any two neighbours in a row together. Kernels without VNNI add two products in 16
bits and cut the sum off: 255 times 128 still fits. Which neighbours they add depends on how they cut a row into blocks."""

_ROWS, _COLUMNS = 256, 512
"""Of the matrices that are tried."""

_FASTER = 0.75
"""The most that a product of integers may take of a float32 product's time: making integers takes time as well."""

_ROUNDS = 3


class Packed(NamedTuple):
    """The right matrix, as oneDNN wants it beside a left one of ``rows`` rows."""

    matrix: torch.Tensor
    columns: int


def packed(right: torch.Tensor, rows: int) -> Packed:
    """``right``: int8, shape (columns, inner), whose neighbours in a row keep to ``LARGEST_PAIR``."""
    import torch

    columns, inner = right.shape
    return Packed(torch.ops.onednn.qlinear_prepack(right, [rows, inner]), columns)


def scaled_products(
    left: NDArray[np.uint8], right: Packed, scales: NDArray[np.float32], offsets: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """``(left - ZERO)`` times ``right`` transposed; each column times its scale, plus its offset. Shape (rows, columns).

    Products of integers are exact; their scaling and the offset are rounded to float32.
    """
    import torch

    with torch.inference_mode():
        found: NDArray[np.float32] = torch.ops.onednn.qlinear_pointwise(
            torch.from_numpy(left),
            1.0,
            ZERO,
            right.matrix,
            torch.from_numpy(scales),
            torch.zeros(right.columns, dtype=torch.int64),
            None if offsets is None else torch.from_numpy(offsets),
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "",
        ).numpy()
    return found


@cache
def are_exact(inner: int) -> bool:
    """Whether there are products of rows of ``inner`` integers, and what comes out is what it should be."""
    import torch

    if inner < 2 or not hasattr(torch.ops.onednn, "qlinear_pointwise"):
        return False
    left, right = _hardest(inner)
    try:
        found = scaled_products(left, packed(torch.from_numpy(right), len(left)), np.ones(len(right), np.float32))
    except (RuntimeError, TypeError):  # no such kernel here, or another signature
        return False
    expected = (left.astype(np.float64) - ZERO) @ right.astype(np.float64).T
    return np.array_equal(found, expected.astype(np.float32))


@cache
def are_faster(inner: int) -> bool:
    """Whether such products, where they are exact, take so much less time than float32 ones that it pays to use them."""
    import torch

    left, right = _hardest(inner)
    integers = packed(torch.from_numpy(right), len(left))
    scales = np.ones(len(right), np.float32)
    values, weights = torch.from_numpy(left).float(), torch.from_numpy(right).float()
    by_integers = _seconds(lambda: scaled_products(left, integers, scales))
    return by_integers <= _FASTER * _seconds(lambda: linear(values, weights, None))


def _hardest(inner: int) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """Matrices whose sums are cut off by a kernel that adds up in 16 bits any other two products, or three neighbours."""
    random = np.random.default_rng(0)
    left = random.integers(ZERO - LARGEST_LEFT, ZERO + LARGEST_LEFT + 1, (_ROWS, inner)).astype(np.uint8)
    left[: _ROWS // 2] = ZERO + LARGEST_LEFT
    # Each third or each second is large, from any place on; in some rows less so, where the others are less small.
    rows = np.arange(_COLUMNS)
    is_large = (np.arange(inner) + rows[:, None]) % np.where(rows % 8 < 4, 3, 2)[:, None] == 0
    large = np.where(rows % 16 < 12, LARGEST_PAIR - 1, random.integers(1, LARGEST_PAIR, _COLUMNS))
    right = np.where(is_large, large[:, None], LARGEST_PAIR - large[:, None])
    return left, (right * random.choice([-1, 1], (_COLUMNS, 1))).astype(np.int8)


def _seconds(product: Callable[[], object]) -> float:
    """The least of some rounds, by the clock of this thread, which stands still while others have the processor."""
    times = []
    for _ in range(_ROUNDS):
        begun = time.thread_time()
        product()
        times.append(time.thread_time() - begun)
    return min(times)
