"""Stores of rows: what was written is read, and what is not finite is never kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.errors import InvalidInput
from harness.ragged.rows import Ragged, joined, of_texts, ragged
from harness.ragged.store import Column, NumbersNotFinite, RaggedStore, texts_left_in

VECTORS = (Column("float16", 3),)
WEIGHTS = (Column("int32"), Column("float32"))
DESCRIPTION = {"model": "m"}


def vectors(*counts: int, seed: int = 0) -> Ragged:
    random = np.random.default_rng(seed)
    empty = (np.empty((0, 3), np.float16),)
    return ragged([(random.standard_normal((count, 3)).astype(np.float16),) for count in counts], empty)


def assert_same(one: Ragged, other: Ragged) -> None:
    assert one.counts.tolist() == other.counts.tolist()
    for left, right in zip(one.columns, other.columns, strict=True):
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("shard_bytes", [1, 1 << 20])
def test_blocks_are_read_as_they_were_written(tmp_path: Path, shard_bytes: int) -> None:
    blocks = [vectors(2, 0, 5), vectors(0), vectors(1, 1, seed=3)]
    store = RaggedStore(tmp_path / "s", DESCRIPTION, VECTORS)
    for block in blocks:
        store.append(block, shard_bytes, {"rows": 1})
    again = RaggedStore(tmp_path / "s", DESCRIPTION, VECTORS)
    assert again.rows == 6
    for number, block in enumerate(blocks):
        assert_same(again.read(number), block)
    assert texts_left_in(tmp_path / "s", DESCRIPTION, VECTORS) == 6
    assert texts_left_in(tmp_path / "s", {"model": "n"}, VECTORS) == 0
    assert RaggedStore(tmp_path / "s", DESCRIPTION, (Column("float32", 3),)).rows == 0


def test_two_columns_and_parts_of_them(tmp_path: Path) -> None:
    rows = Ragged(np.array([2, 0, 1]), (np.array([4, 9, 1], np.int32), np.array([0.5, 0.25, 3], np.float32)))
    store = RaggedStore(tmp_path / "s", DESCRIPTION, WEIGHTS)
    store.append(rows, 1, {})
    assert_same(store.read(0), rows)
    assert_same(joined([rows.part(0, 1), rows.part(1, 3)]), rows)


def test_a_damaged_block_is_not_read(tmp_path: Path) -> None:
    store = RaggedStore(tmp_path / "s", DESCRIPTION, VECTORS)
    store.append(vectors(2), 1, {})
    shard = tmp_path / "s" / "shard-00000"
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    with pytest.raises(InvalidInput, match="damaged; run the same command again"):
        store.read(0)
    assert RaggedStore(tmp_path / "s", DESCRIPTION, VECTORS).rows == 0


@pytest.mark.parametrize(("bad", "is_infinite"), [(np.nan, False), (np.inf, True)])
def test_numbers_that_are_not_finite_are_named_by_their_text(tmp_path: Path, bad: float, is_infinite: bool) -> None:
    store = RaggedStore(tmp_path / "s", DESCRIPTION, VECTORS)
    store.append(vectors(1), 1 << 20, {})
    rows = vectors(2, 0, 3)
    rows.columns[0][3, 1] = bad
    with pytest.raises(NumbersNotFinite) as caught:
        store.append(rows, 1 << 20, {})
    assert (caught.value.texts, caught.value.is_infinite) == ([2], is_infinite)
    store.append(vectors(4), 1 << 20, {})
    assert RaggedStore(tmp_path / "s", DESCRIPTION, VECTORS).rows == 2


def test_what_holds_of_all_rows_of_a_text_or_of_any() -> None:
    rows = vectors(2, 0, 2, 1)
    flags = np.array([True, False, True, True, False])
    assert of_texts(rows, flags, of_none=True).tolist() == [False, True, True, False]
    assert of_texts(rows, flags, of_none=False).tolist() == [True, False, True, False]
