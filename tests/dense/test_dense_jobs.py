"""Encoding, fusing and searching as tasks: what travels is computed to the bytes of what stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_models
from engines import SendingEngine

from harness.compute.jobs import Engine, LocalEngine
from harness.dense import encoding
from harness.dense.encoder import Encoder
from harness.dense.encoding import Limits, encode_texts
from harness.dense.fusion import FusionSettings, fuse
from harness.dense.jobs import EncodingJob, TextBlock, ToFuse, encoded_by, opened_model, searched_by
from harness.dense.loading import EncoderSettings
from harness.dense.roles import Role
from harness.dense.search import Tiles, exact_search
from harness.dense.store import VectorStore
from harness.errors import InvalidInput

TEXTS = [f"the river {n % 9} flows to the sea {'and the lake ' * (n % 4)}" for n in range(50)]
SETTINGS = EncoderSettings(tiny_models.shared().plain, "cls", "dot", "float32", "cpu")
TWELVE, FIVE = (Role("document", max_length=length) for length in (12, 5))


@pytest.fixture(params=["local", "sent"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return LocalEngine(2) if request.param == "local" else SendingEngine(1000)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "BLOCK_ROWS", 16)


def test_texts_are_encoded_to_the_bytes_of_encode_texts(engine: Engine) -> None:
    found = encoded_by(engine, EncodingJob(SETTINGS, 100, 2), TEXTS, TWELVE)
    expected = encode_texts(Encoder(SETTINGS), TEXTS, TWELVE, Limits(100, 1))
    assert [column.tobytes() for column in found] == [column.tobytes() for column in expected]
    assert found.lost.any()


def test_no_texts_are_no_vectors_of_the_models_dimensions(engine: Engine) -> None:
    job = EncodingJob(SETTINGS, 100, 2)
    opened = opened_model(engine, job, [TWELVE, FIVE])
    assert opened.dimensions == 16
    assert [use.max_length for use in opened.uses] == [12, 5]
    assert encoded_by(engine, job, [], TWELVE).vectors.shape == (0, 16)


def test_a_block_is_fused_as_fuse_does_it(engine: Engine) -> None:
    settings = FusionSettings(alpha=0.2, combine="mean")
    owners = np.sort(np.arange(40) % 10)
    task = TextBlock(TEXTS[:10], TWELVE, ToFuse(TEXTS[10:], owners, FIVE, settings))
    [fused] = engine.results(EncodingJob(SETTINGS, 100, 2), [task])
    encoder = Encoder(SETTINGS)
    passages, queries = (
        encode_texts(encoder, texts, role, Limits(100, 1)) for texts, role in ((TEXTS[:10], TWELVE), (TEXTS[10:], FIVE))
    )
    expected = fuse(passages.vectors, queries.vectors, owners, settings)
    assert fused.encoded.vectors.tobytes() == expected.tobytes()
    assert fused.encoded.lost.tobytes() == passages.lost.tobytes()
    assert fused.fused.texts == 40
    assert fused.fused.lost == queries.lost.sum() > 0


def filled_store(folder: Path, dtype: str = "float16") -> tuple[VectorStore, np.ndarray]:
    """Blocks of unequal size, vectors of small integers, so that there are ties everywhere."""
    store = VectorStore(folder, {}, 3, dtype)
    vectors = np.random.default_rng(4).integers(-2, 3, (70, 3)).astype(np.float32)
    for start, end in ((0, 16), (16, 32), (32, 33), (33, 49), (49, 65), (65, 70)):
        store.append(vectors[start:end], 1 << 20)
    return store, vectors


@pytest.mark.parametrize("task_bytes", [1, 200, 1 << 20])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_tasks_of_any_size_find_what_one_search_finds(tmp_path: Path, task_bytes: int, dtype: str) -> None:
    store, vectors = filled_store(tmp_path, dtype)
    queries = np.random.default_rng(5).integers(-2, 3, (20, 3)).astype(np.float32)
    engine = SendingEngine(task_bytes)
    found = list(searched_by(engine, queries, store, 7))
    expected = list(exact_search(queries, Tiles([0], lambda _: vectors), 7))
    assert [(n.tolist(), s.tolist()) for n, s in found] == [(n.tolist(), s.tolist()) for n, s in expected]
    block_bytes = 16 * 3 * store.dtype.itemsize
    assert len(engine.sent) == -(-6 // max(1, min(6, task_bytes // block_bytes)))


def test_vectors_travel_in_the_dtype_of_the_store(tmp_path: Path) -> None:
    sent = {}
    for dtype in ("float16", "float32"):
        engine = SendingEngine(1 << 20)
        list(searched_by(engine, np.ones((1, 3), np.float32), filled_store(tmp_path / dtype, dtype)[0], 2))
        [sent[dtype]] = engine.sent
    assert sent["float32"] - sent["float16"] == 70 * 3 * 2


def test_a_local_search_reads_a_store_tile_by_tile(tmp_path: Path) -> None:
    store, _ = filled_store(tmp_path)
    read: list[int] = []
    original = store.read
    store.read = lambda number: (read.append(number), original(number))[1]  # type: ignore[method-assign]
    list(searched_by(LocalEngine(2), np.ones((1, 3), np.float32), store, 2))
    assert sorted(read) == list(range(6))


def test_an_empty_store_or_no_queries_find_nothing(tmp_path: Path, engine: Engine) -> None:
    empty = VectorStore(tmp_path / "empty", {}, 3, "float16")
    assert [len(n) for n, _ in searched_by(engine, np.ones((2, 3), np.float32), empty, 5)] == [0, 0]
    assert list(searched_by(engine, np.ones((0, 3), np.float32), filled_store(tmp_path / "full")[0], 5)) == []


def test_a_damaged_block_is_not_sent(tmp_path: Path) -> None:
    store, _ = filled_store(tmp_path)
    shard = tmp_path / "shard-00000"
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    with pytest.raises(InvalidInput, match="damaged"):
        list(searched_by(SendingEngine(1), np.ones((1, 3), np.float32), store, 2))
