"""Approximate search: an exact factory gives the exact result, others what they give every time, faults with a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from harness.dense import approximate
from harness.dense.approximate import (
    ApproximateIndex,
    approximate_search,
    built_index,
    empty_index,
    recall_against_exact,
)
from harness.dense.search import Tiles, exact_search
from harness.dense.store import VectorStore
from harness.errors import InvalidInput

DIMENSIONS = 16
ROWS, BLOCK = 1200, 100


@pytest.fixture
def store(tmp_path: Path) -> VectorStore:
    # Whole numbers: all sums are exact, and there are ties.
    vectors = np.random.default_rng(0).integers(-3, 4, (ROWS, DIMENSIONS)).astype(np.float32)
    store = VectorStore(tmp_path / "store", {}, DIMENSIONS, "float16")
    for start in range(0, ROWS, BLOCK):
        store.append(vectors[start : start + BLOCK], 1 << 20)
    return store


QUERIES = np.random.default_rng(1).integers(-3, 4, (30, DIMENSIONS)).astype(np.float32)


def listed(found: object) -> list[tuple[list[int], list[float]]]:
    return [(numbers.tolist(), scores.tolist()) for numbers, scores in found]  # type: ignore[attr-defined]


def searched(
    settings: ApproximateIndex, store: VectorStore, folder: Path, depth: int = 20, threads: int = 1
) -> list[tuple[list[int], list[float]]]:
    return listed(approximate_search(settings, built_index(settings, store, folder), QUERIES, depth, threads))


def exact(store: VectorStore, depth: int) -> list[tuple[list[int], list[float]]]:
    tiles = Tiles([block.start for block in store.blocks], store.read)
    return listed(exact_search(QUERIES, tiles, depth))


@pytest.mark.parametrize("settings", [{"factory": "Flat"}, {"factory": "IVF8,Flat", "nprobe": 8}])
@pytest.mark.parametrize("shard_blocks", [1, 5, 256])
def test_an_exact_factory_gives_the_scores_of_exact_search_in_any_shards(
    store: VectorStore, tmp_path: Path, settings: dict[str, object], shard_blocks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approximate, "SHARD_BLOCKS", shard_blocks)
    chosen = ApproximateIndex.model_validate(settings)
    # At full depth no tie is cut, so that not even faiss can choose among equals.
    assert searched(chosen, store, tmp_path, depth=ROWS) == exact(store, ROWS)
    assert [s for _, s in searched(chosen, store, tmp_path)] == [s for _, s in exact(store, 20)]
    paths = built_index(chosen, store, tmp_path)
    assert len(paths) == -(-ROWS // BLOCK // shard_blocks)
    assert recall_against_exact(chosen, paths, store, QUERIES, ROWS, 1) == 1


def test_fewer_lists_visited_find_less(store: VectorStore, tmp_path: Path) -> None:
    recalls = []
    for nprobe in (1, 3, 16):
        chosen = ApproximateIndex(factory="IVF16,Flat", nprobe=nprobe)
        recalls.append(
            recall_against_exact(chosen, built_index(chosen, store, tmp_path), store, QUERIES, ROWS // 20, 1)
        )
    assert recalls[0] < recalls[1] < recalls[2]
    # All lists visited: only ties at the cut can differ.
    assert recalls[2] > 0.9


@pytest.mark.parametrize("factory", ["IVF8,PQ4x4", "HNSW8", "PCA8,IVF4,SQ8"])
def test_built_again_and_searched_by_more_threads_the_result_is_the_same(
    store: VectorStore, tmp_path: Path, factory: str
) -> None:
    chosen = ApproximateIndex(factory=factory, training_passages=700)
    one = searched(chosen, store, tmp_path / "one")
    assert one == searched(chosen, store, tmp_path / "two", threads=3)
    files = [sorted((tmp_path / name).rglob("*.faiss")) for name in ("one", "two")]
    assert [f.read_bytes() for f in files[0]] == [f.read_bytes() for f in files[1]]


def test_training_takes_evenly_spaced_passages_and_no_more(store: VectorStore) -> None:
    whole = np.concatenate([store.read(i) for i in range(len(store.blocks))])
    sample = approximate._sample(store, 100)
    rows = np.linspace(0, ROWS - 1, 100).astype(int)
    assert sample.tolist() == whole[rows].tolist()
    assert approximate._sample(store, 10 * ROWS).tolist() == whole.tolist()


def test_candidates_of_short_codes_are_scored_again_by_their_own_vectors(store: VectorStore, tmp_path: Path) -> None:
    """Of all of them the best are found, of more no fewer than of few, and each score is the inner product."""
    recalls = []
    for k_factor in (1, 4, ROWS // 20):
        chosen = ApproximateIndex(factory="IVF4,PQ8x4fs,RFlat", nprobe=4, k_factor=k_factor)
        shards = built_index(chosen, store, tmp_path)
        recalls.append(recall_against_exact(chosen, shards, store, QUERIES, 20, 1))
        everything = [dict(zip(numbers, scores, strict=True)) for numbers, scores in exact(store, ROWS)]
        for (numbers, scores), own in zip(searched(chosen, store, tmp_path), everything, strict=True):
            assert scores == [own[number] for number in numbers]
    assert recalls == sorted(recalls)
    assert recalls[0] < recalls[-1]
    # Of equal scores at the cut faiss keeps others.
    assert [scores for _, scores in searched(chosen, store, tmp_path)] == [scores for _, scores in exact(store, 20)]


def test_only_one_shard_is_in_memory_and_a_damaged_one_is_built_again(
    store: VectorStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approximate, "SHARD_BLOCKS", 5)
    chosen = ApproximateIndex(factory="IVF4,Flat", nprobe=2)
    shards = built_index(chosen, store, tmp_path)
    assert [shard.first for shard in shards] == [0, 500, 1000]
    paths = [shard.path for shard in shards]
    import faiss

    assert [faiss.read_index(str(path)).ntotal for path in paths] == [500, 500, 200]
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in paths]
    paths[1].write_bytes(before[1][0][:-9])
    again = [(path.read_bytes(), path.stat().st_mtime_ns) for path, _ in built_index(chosen, store, tmp_path)]
    assert [data for data, _ in again] == [data for data, _ in before]
    assert [new == old for new, old in zip(again, before, strict=True)] == [True, False, True]


@pytest.mark.parametrize("factory", ["nonsense", "IVF", "PQ7", "IVF8,PQ64x4", "Flat,"])
def test_a_string_that_faiss_does_not_know_is_refused_by_name(factory: str) -> None:
    with pytest.raises(InvalidInput, match=r"faiss makes no index .* for 16 dimensions"):
        empty_index(ApproximateIndex(factory=factory), DIMENSIONS)


@pytest.mark.parametrize(
    ("factory", "key"),
    [
        ("Flat", "nprobe"),
        ("HNSW8", "nprobe"),
        ("Flat", "ef_search"),
        ("IVF4,Flat", "ef_search"),
        ("IVF4,Flat", "k_factor"),
        ("PQ8x4fs", "k_factor"),
    ],
)
def test_a_search_parameter_that_the_index_lacks_is_refused(factory: str, key: str) -> None:
    with pytest.raises(InvalidInput, match=f"no search parameter {key}"):
        empty_index(ApproximateIndex.model_validate({"factory": factory, key: 4}), DIMENSIONS)


def test_too_few_passages_to_train_on_are_explained(store: VectorStore, tmp_path: Path) -> None:
    chosen = ApproximateIndex(factory="IVF64,Flat", training_passages=10)
    with pytest.raises(InvalidInput, match=r"cannot train .* on 10 passages"):
        built_index(chosen, store, tmp_path)


@pytest.mark.parametrize("wrong", [{"factory": ""}, {"factory": "Flat", "nprobe": 0}, {"factory": "Flat", "probe": 1}])
def test_a_card_with_impossible_settings_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ApproximateIndex.model_validate(wrong)
