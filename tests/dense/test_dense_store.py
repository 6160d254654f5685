"""The vector store: what was appended comes back, and whatever a crash leaves is an intact prefix to go on from."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.dense.store import VectorStore
from harness.errors import InvalidInput

DIMENSIONS = 3
SIZES = [4, 1, 5, 4, 2]


def blocks_of(dtype: str = "float16", seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.normal(size=(rows, DIMENSIONS)).astype(dtype).astype(np.float32) for rows in SIZES]


def opened(path: Path, dtype: str = "float16", **description: object) -> VectorStore:
    return VectorStore(path, description or {"docs": "abc"}, DIMENSIONS, dtype)


def filled(path: Path, dtype: str = "float16", shard_bytes: int = 40) -> VectorStore:
    """Open and append the blocks that are not there yet, as the dense system does."""
    store = opened(path, dtype)
    for block in blocks_of(dtype)[len(store.blocks) :]:
        store.append(block, shard_bytes)
    return store


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(path.iterdir())}


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("shard_bytes", [1, 40, 10_000])
def test_blocks_come_back_as_they_were_appended_in_any_shards(tmp_path: Path, dtype: str, shard_bytes: int) -> None:
    filled(tmp_path / "s", dtype, shard_bytes)
    store = opened(tmp_path / "s", dtype)
    for index, block in enumerate(blocks_of(dtype)):
        read = store.read(index)
        assert read.dtype == np.float32
        assert read.tobytes() == block.tobytes()
    assert [block.start for block in store.blocks] == [0, 4, 5, 10, 14]
    assert store.rows == 16
    assert store.size_bytes == 16 * DIMENSIONS * np.dtype(dtype).itemsize
    assert store.size_bytes == sum(file.stat().st_size for file in (tmp_path / "s").glob("shard-*"))


def test_shard_bytes_decide_when_a_new_file_is_begun(tmp_path: Path) -> None:
    def shards(shard_bytes: int) -> list[int]:
        return [block.shard for block in filled(tmp_path / str(shard_bytes), shard_bytes=shard_bytes).blocks]

    # Blocks of 24, 6, 30, 24 and 12 bytes; a file that holds 40 is full.
    assert shards(40) == [0, 0, 0, 1, 1]
    assert shards(1) == [0, 1, 2, 3, 4]
    assert shards(10_000) == [0] * 5


def test_float16_rounds_what_float32_keeps(tmp_path: Path) -> None:
    value = np.full((1, DIMENSIONS), 1 / 3, np.float32)
    for dtype, kept in (("float16", np.float32(np.float16(1 / 3))), ("float32", np.float32(1 / 3))):
        store = opened(tmp_path / dtype, dtype)
        store.append(value, 100)
        assert store.read(0)[0, 0] == kept


@pytest.mark.parametrize("change", ["description", "dtype", "header"])
def test_vectors_of_something_else_are_begun_anew(tmp_path: Path, change: str) -> None:
    filled(tmp_path / "s")
    if change == "description":
        store = opened(tmp_path / "s", docs="another")
    elif change == "dtype":
        store = opened(tmp_path / "s", "float32")
    else:
        (tmp_path / "s" / "store.json").write_bytes(b"{\xff")
        store = opened(tmp_path / "s")
    assert store.rows == 0
    assert not list((tmp_path / "s").glob("shard-*"))


def test_a_damaged_block_is_refused_on_read(tmp_path: Path) -> None:
    store = filled(tmp_path / "s")
    shard = tmp_path / "s" / "shard-00000"
    data = bytearray(shard.read_bytes())
    data[25] ^= 1
    shard.write_bytes(data)
    store.read(0)
    with pytest.raises(InvalidInput, match="shard-00000 is damaged"):
        store.read(1)


@pytest.mark.parametrize("cut", ["shard is gone", "shard is short", "journal line is cut", "journal is gone"])
def test_a_crash_leaves_an_intact_prefix_and_the_rest_is_done_again(tmp_path: Path, cut: str) -> None:
    filled(tmp_path / "whole")
    path = filled(tmp_path / "cut").path
    journal, last = path / "blocks.journal", path / "shard-00001"
    if cut == "shard is gone":
        last.unlink()
        intact = 3
    elif cut == "shard is short":
        last.write_bytes(last.read_bytes()[:-1])
        intact = 4
    elif cut == "journal line is cut":
        journal.write_bytes(journal.read_bytes()[:-5])
        intact = 4
    else:
        journal.unlink()
        intact = 0
    store = opened(path)
    assert len(store.blocks) == intact
    assert store.rows == sum(SIZES[:intact])
    filled(path)
    assert contents(path) == contents(tmp_path / "whole")


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_one_changed_byte_anywhere_is_found_and_fixed(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = filled(Path(folder) / "s").path
        whole = contents(path)
        name = data.draw(st.sampled_from(sorted(set(whole) - {"store.json"})))
        place = data.draw(st.integers(0, len(whole[name]) - 1))
        byte = data.draw(st.integers(0, 255).filter(lambda b: b != whole[name][place]))
        (path / name).write_bytes(whole[name][:place] + bytes([byte]) + whole[name][place + 1 :])
        before = opened(path)
        for index, block in enumerate(blocks_of()[: len(before.blocks)]):
            assert before.blocks[index].start == sum(SIZES[:index])
            assert before.read(index).tobytes() == block.tobytes()
        after = filled(path)
        assert [after.read(i).tobytes() for i in range(len(SIZES))] == [b.tobytes() for b in blocks_of()]
        assert {k: v for k, v in contents(path).items() if k.startswith("shard")} == {
            k: v for k, v in whole.items() if k.startswith("shard")
        }


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2000), st.sampled_from(["blocks.journal", "shard-00000", "shard-00001"]))
def test_a_file_cut_anywhere_is_fixed(length: int, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = filled(Path(folder) / "s").path
        whole = contents(path)
        (path / name).write_bytes(whole[name][:length])
        filled(path)
        assert contents(path) == whole


def test_a_store_may_go_on_with_other_shard_sizes(tmp_path: Path) -> None:
    store = opened(tmp_path / "s")
    for number, block in enumerate(blocks_of()):
        store = opened(tmp_path / "s")
        store.append(block, [40, 1, 10_000, 1, 30][number])
    assert [store.read(i).tobytes() for i in range(5)] == [block.tobytes() for block in blocks_of()]
