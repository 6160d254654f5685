"""Inverted lists: equal to the inner product, whatever the tiles, the threads and the memory, bit for bit."""

from __future__ import annotations

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
from harness.ragged.inverted import InvertedJob, inverted_search, queries_within
from harness.ragged.rows import Ragged, pieces_of, ragged
from harness.ragged.store import Column, RaggedStore

TERMS = 50
EMPTY = (np.empty(0, np.int32), np.empty(0, np.float32))
Found = list[tuple[NDArray[np.int64], NDArray[np.float32]]]


def texts(seed: int, count: int, most: int = 12) -> Ragged:
    """Weights, some below 0; every third text is that before it again, some have none."""
    random = np.random.default_rng(seed)
    pieces: list[tuple[NDArray[Any], ...]] = []
    for number in range(count):
        terms = np.sort(random.permutation(TERMS)[: int(random.integers(0, most + 1))]).astype(np.int32)
        own = terms, (random.random(len(terms)) * 3 - 0.5).astype(np.float32)
        pieces.append(pieces[-1] if number % 3 == 2 else own)
    return ragged(pieces, EMPTY)


def dense(rows: Ragged) -> NDArray[np.float64]:
    found = np.zeros((len(rows.counts), TERMS))
    for text, (terms, weights) in enumerate(pieces_of(rows)):
        found[text, terms] = weights
    return found


def search(queries: Ragged, passages: Ragged, depth: int = 5, size: int = 7, **options: Any) -> Found:
    starts = list(range(0, len(passages.counts), size))
    tiles = Tiles(starts, lambda i: passages.part(starts[i], min(starts[i] + size, len(passages.counts))))
    chosen = {"queries_at_once": 100, "threads": 1, **options}
    return list(inverted_search(InvertedJob(queries, TERMS, depth, **chosen), tiles))


def assert_same(one: Found, other: Found) -> None:
    for (numbers, scores), (others, others_scores) in zip(one, other, strict=True):
        assert numbers.tolist() == others.tolist()
        assert scores.tobytes() == others_scores.tobytes()


def test_rankings_are_those_of_the_inner_product() -> None:
    queries, passages = texts(1, 9), texts(2, 60)
    right = dense(queries) @ dense(passages).T
    assert (right == 0).any(axis=1).all()
    for row, (numbers, scores) in enumerate(search(queries, passages, 60)):
        np.testing.assert_allclose(scores, right[row, numbers], rtol=1e-6, atol=1e-6)
        whole = np.empty(60, np.float32)
        whole[numbers] = scores
        assert numbers.tolist() == top_documents(whole, 60).tolist()


def test_each_score_is_the_double_sum_in_the_order_of_the_terms_rounded_once() -> None:
    queries, passages = texts(3, 6), texts(4, 30)
    asked, there = dense(queries), dense(passages)
    for row, (numbers, scores) in enumerate(search(queries, passages, 30)):
        for number, score in zip(numbers.tolist(), scores, strict=True):
            total = 0.0
            for term in range(TERMS):
                total += asked[row, term] * there[number, term]
            assert np.float32(total) == score


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 40), st.integers(1, 9), st.integers(1, 3))
def test_neither_tiles_nor_memory_nor_threads_alter_a_bit(seed: int, size: int, at_once: int, threads: int) -> None:
    queries, passages = texts(seed, 8), texts(seed + 1, 40)
    undisturbed = search(queries, passages, size=40)
    assert_same(undisturbed, search(queries, passages, size=size, queries_at_once=at_once, threads=threads))


@pytest.mark.parametrize("task_bytes", [1, 2000, 1 << 30])
def test_any_engine_finds_the_same(tmp_path: Any, task_bytes: int) -> None:
    queries, passages = texts(5, 6), texts(6, 40)
    store = RaggedStore(tmp_path / "store", {}, (Column("int32"), Column("float32")))
    for start in range(0, 40, 8):
        store.append(passages.part(start, start + 8), 1000, {})
    job = InvertedJob(queries, TERMS, 5, 4, 2)
    here = list(best_by(LocalEngine(2), job, store, Asked(6, 5)))
    assert_same(here, list(best_by(SendingEngine(task_bytes), job, store, Asked(6, 5))))  # type: ignore[arg-type]
    assert_same(here, search(queries, passages))


@given(st.integers(0, 1 << 40), st.integers(1, 64), st.integers(0, 10_000))
def test_as_many_queries_at_once_as_the_memory_holds_scores_of(memory: int, threads: int, passages: int) -> None:
    found = queries_within(memory, threads, passages)
    assert found == 1 or found * passages * threads * 80 <= memory / 2
    assert 1 <= found <= 512


def test_scores_that_are_no_float32_are_refused() -> None:
    huge = ragged([(np.array([1], np.int32), np.array([1e38], np.float32))], EMPTY)
    with pytest.raises(InvalidInput, match="no float32"):
        search(huge, huge)
