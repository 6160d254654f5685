"""Products of small integers are exact, or not used."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.compute import integer_products
from harness.compute.integer_products import LARGEST_LEFT, LARGEST_PAIR, ZERO, are_exact, packed, scaled_products

KERNEL = pytest.mark.skipif(not are_exact(64), reason="this machine has no exact products of integers")


def right_matrix(random: np.random.Generator, columns: int, inner: int) -> np.ndarray:
    """Of both signs; where neighbours have the same one they are as large together as they may be."""
    large = random.integers(1, LARGEST_PAIR, (columns, 1))
    found = np.where(np.arange(inner) % 2, large, LARGEST_PAIR - large) * random.choice([-1, 1, 1, 1], (columns, inner))
    return found.astype(np.int8)


@KERNEL
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 70), st.integers(2, 300))
def test_products_are_those_of_pythons_integers(seed: int, rows: int, columns: int, inner: int) -> None:
    random = np.random.default_rng(seed)
    right = right_matrix(random, columns, inner)
    left = random.choice([1, ZERO, 255, ZERO - LARGEST_LEFT, ZERO + LARGEST_LEFT, 200], (rows, inner)).astype(np.uint8)
    found = scaled_products(left, packed(torch.from_numpy(right), rows), np.ones(columns, np.float32))
    expected = [
        [sum((a - ZERO) * b for a, b in zip(one, two, strict=True)) for two in right.tolist()] for one in left.tolist()
    ]
    assert found.tolist() == expected


@KERNEL
@pytest.mark.parametrize(
    "shape", [(704, 4096, 768), (1024, 4096, 384), (512, 33, 1024), (600, 500, 772), (1, 4096, 64)]
)
def test_products_of_the_sizes_of_a_search_are_exact(shape: tuple[int, int, int]) -> None:
    rows, columns, inner = shape
    random = np.random.default_rng(inner)
    right = right_matrix(random, columns, inner)
    left = random.integers(ZERO - LARGEST_LEFT, ZERO + LARGEST_LEFT + 1, (rows, inner)).astype(np.uint8)
    left[::3] = 255
    found = scaled_products(left, packed(torch.from_numpy(right), rows), np.ones(columns, np.float32))
    # In float64, which holds such sums exactly; a part is enough.
    part = slice(None, None, max(1, rows // 40))
    assert np.array_equal(found[part], (left[part].astype(np.float64) - ZERO) @ right.astype(np.float64).T)


@KERNEL
def test_columns_have_their_scale_and_their_offset() -> None:
    left = np.array([[129, 127], [255, 1]], np.uint8)
    right = packed(torch.tensor([[3, 5], [-7, 1], [0, 0]], dtype=torch.int8), 2)
    scales, offsets = (np.array(values, np.float32) for values in ([1, 0.5, 9], [0.25, 100, -3]))
    found = scaled_products(left, right, scales, offsets)
    assert found.tolist() == [[-2 + 0.25, -4 + 100, -3], [-254 + 0.25, -508 + 100, -3]]


@pytest.mark.parametrize(
    ("added", "exact"), [([0, 1], True), ([1, 2], True), ([0, 2], False), ([0, 3], False), ([0, 1, 2], False)]
)
def test_kernels_that_cut_sums_off_are_not_used(added: list[int], exact: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that add up some of each four products in 16 bits, the others alone: only any two neighbours may be added."""

    def kernel(left: np.ndarray, right: np.ndarray, scales: np.ndarray) -> np.ndarray:
        fours = (left.astype(np.int64)[:, None] * right.astype(np.int64)).reshape(len(left), len(right), -1, 4)
        cut = np.clip(fours[..., added].sum(axis=3), -(2**15), 2**15 - 1).sum(axis=2)
        others = np.delete(fours, added, axis=3).sum(axis=(2, 3))
        return (cut + others - ZERO * right.astype(np.int64).sum(axis=1)).astype(np.float32)

    monkeypatch.setattr(integer_products, "packed", lambda right, rows: right.numpy())
    monkeypatch.setattr(integer_products, "scaled_products", kernel)
    are_exact.cache_clear()
    assert are_exact(16) is exact
    are_exact.cache_clear()


def test_without_a_kernel_nothing_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise RuntimeError("could not create a primitive")

    monkeypatch.setattr(integer_products, "packed", refused)
    are_exact.cache_clear()
    assert not are_exact(16)
    are_exact.cache_clear()
