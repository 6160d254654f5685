"""MaxSim: equal to the formula, whatever the tiles, the threads and the memory, bit for bit."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from engines import SendingEngine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.compute.jobs import LocalEngine
from harness.dense.jobs import Asked, best_by
from harness.dense.search import Tiles
from harness.errors import InvalidInput
from harness.order import top_documents
from harness.ragged.maxsim import NO_VECTORS, MaxSimJob, Sizes, maxsim_search, sizes_within
from harness.ragged.rows import Ragged, pieces_of, ragged
from harness.ragged.store import Column, RaggedStore

DIMENSIONS = 8
EVERYTHING = Sizes(1 << 15, 1 << 10)
Found = list[tuple[NDArray[np.int64], NDArray[np.float32]]]


def texts(seed: int, count: int, most: int, least: int = 0, dtype: str = "float32") -> Ragged:
    """Vectors of texts of many lengths; every third text is that before it again."""
    random = np.random.default_rng(seed)
    pieces: list[tuple[NDArray[Any], ...]] = []
    for number in range(count):
        own = random.standard_normal((int(random.integers(least, most + 1)), DIMENSIONS)).astype(dtype)
        pieces.append(pieces[-1] if number % 3 == 2 else (own,))
    return ragged(pieces, (np.empty((0, DIMENSIONS), dtype),))


def reference(queries: Ragged, passages: Ragged, *, is_mean: bool = False) -> NDArray[np.float64]:
    """The formula, in double precision, one pair after the other."""
    scores = np.empty((len(queries.counts), len(passages.counts)))
    for i, (query,) in enumerate(pieces_of(queries)):
        for j, (passage,) in enumerate(pieces_of(passages)):
            products = query.astype(np.float64) @ passage.astype(np.float64).T
            total = products.max(axis=1).sum() / (max(1, len(query)) if is_mean else 1) if len(passage) else NO_VECTORS
            scores[i, j] = total
    return scores


def tiles_of(passages: Ragged, size: int) -> Tiles[Ragged]:
    starts = list(range(0, len(passages.counts), size))
    return Tiles(starts, lambda i: passages.part(starts[i], min(starts[i] + size, len(passages.counts))))


def search(queries: Ragged, passages: Ragged, depth: int = 5, size: int = 7, **options: Any) -> Found:
    chosen = {"is_mean": False, "sizes": EVERYTHING, "threads": 1, **options}
    return list(maxsim_search(MaxSimJob(queries, depth, **chosen), tiles_of(passages, size)))


def assert_same(one: Found, other: Found) -> None:
    for (numbers, scores), (others, others_scores) in zip(one, other, strict=True):
        assert numbers.tolist() == others.tolist()
        assert scores.tobytes() == others_scores.tobytes()


@pytest.mark.parametrize("is_mean", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_rankings_are_those_of_the_formula(dtype: str, is_mean: bool) -> None:
    queries, passages = texts(1, 9, 6), texts(2, 60, 12, dtype=dtype)
    right = reference(queries, passages, is_mean=is_mean)
    assert (passages.counts == 0).any()
    assert (queries.counts == 0).any()
    for row, (numbers, scores) in enumerate(search(queries, passages, 60, is_mean=is_mean)):
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores, right[row, numbers], rtol=1e-5, atol=1e-5)
        assert sorted(numbers.tolist()) == list(range(60))
        whole = np.empty(60, np.float32)
        whole[numbers] = scores
        assert numbers.tolist() == top_documents(whole, 60).tolist()


def test_it_is_the_librarys_similarity() -> None:
    from sentence_transformers.util import maxsim

    queries, passages = texts(3, 5, 6, least=1), texts(4, 30, 12)
    right = maxsim([own for (own,) in pieces_of(queries)], [own for (own,) in pieces_of(passages)]).numpy()
    for row, (numbers, scores) in enumerate(search(queries, passages, 30)):
        np.testing.assert_allclose(scores, right[row, numbers], rtol=1e-5, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 1000),
    st.integers(1, 40),
    st.sampled_from([Sizes(1, 1), Sizes(1, 50), Sizes(13, 5), Sizes(40, 1000), EVERYTHING]),
    st.integers(1, 3),
)
def test_neither_tiles_nor_memory_nor_threads_alter_a_bit(seed: int, size: int, sizes: Sizes, threads: int) -> None:
    queries, passages = texts(seed, 6, 5), texts(seed + 1, 40, 9, dtype="float16")
    undisturbed = search(queries, passages, size=40)
    assert_same(undisturbed, search(queries, passages, size=size, sizes=sizes, threads=threads))


def test_equal_passages_have_equal_scores_and_the_last_ids_come_first() -> None:
    passages = texts(5, 3, 9, least=2)
    copies = ragged(pieces_of(passages)[:1] * 50, (np.empty((0, DIMENSIONS), np.float32),))
    for numbers, scores in search(texts(6, 4, 5, least=1), copies, depth=10, size=3, sizes=Sizes(5, 3)):
        assert len(set(scores.tolist())) == 1
        assert numbers.tolist() == list(range(49, 39, -1))


def test_a_question_does_not_depend_on_the_others() -> None:
    queries, passages = texts(7, 8, 5), texts(8, 40, 9)
    together = search(queries, passages)
    for place in range(8):
        assert_same(search(queries.part(place, place + 1), passages), [together[place]])


@pytest.mark.parametrize("task_bytes", [1, 3000, 1 << 30])
def test_any_engine_finds_the_same(tmp_path: Any, task_bytes: int) -> None:
    queries, passages = texts(9, 6, 5), texts(10, 40, 9, dtype="float16")
    store = RaggedStore(tmp_path / "store", {}, (Column("float16", DIMENSIONS),))
    for start in range(0, 40, 8):
        store.append(passages.part(start, start + 8), 1000, {})
    job = MaxSimJob(queries, 5, False, Sizes(20, 10), 2)
    here = list(best_by(LocalEngine(2), job, store, Asked(6, 5)))
    engine = SendingEngine(task_bytes)
    assert_same(here, list(best_by(engine, job, store, Asked(6, 5))))  # type: ignore[arg-type]
    assert_same(here, search(queries, passages))
    assert len(engine.sent) == {1: 5, 1 << 30: 1}.get(task_bytes, len(engine.sent))
    assert pickle.loads(pickle.dumps(job)).depth == 5


@given(st.integers(0, 1 << 40), st.integers(1, 64), st.integers(1, 4096))
def test_sizes_keep_within_the_memory_down_to_the_least(memory: int, threads: int, dimensions: int) -> None:
    sizes = sizes_within(memory, threads, dimensions)
    assert sizes.bytes(dimensions) * threads <= memory / 2 or sizes == Sizes(64, 64)
    assert min(sizes) >= 64


def test_no_product_is_larger_than_the_sizes_say(monkeypatch: pytest.MonkeyPatch) -> None:
    import harness.ragged.maxsim as module

    shapes: list[tuple[int, int]] = []
    product = module.linear

    def noted(values: Any, weight: Any, bias: Any) -> Any:
        shapes.append((len(weight), len(values)))
        return product(values, weight, bias)

    monkeypatch.setattr(module, "linear", noted)
    queries, passages = texts(11, 30, 5), texts(12, 90, 9)
    search(queries, passages, size=90, sizes=Sizes(32, 16))
    # Whole texts only: never more than one beside what fits.
    assert max(height for height, _ in shapes) <= 32
    assert max(width for _, width in shapes) <= 16
    assert sum(height for height, _ in shapes) == passages.counts.sum() * len({*_groups(queries, 16)})


def _groups(queries: Ragged, most: int) -> Sequence[int]:
    groups, total = [0], 0
    for place, count in enumerate(np.maximum(queries.counts, 1).tolist()):
        if place > groups[-1] and total + count > most:
            groups.append(place)
            total = 0
        total += count
    return groups


def test_vectors_that_are_too_long_are_refused() -> None:
    huge = ragged([(np.full((2, DIMENSIONS), 1e30, np.float32),)], (np.empty((0, DIMENSIONS), np.float32),))
    with pytest.raises(InvalidInput, match="too long"):
        search(texts(13, 2, 3, least=1), huge)
