"""Exact search: equal to a naive sort whatever the tiles and workers, ties included."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.compute.pair_scores import pair_scores
from harness.dense import search
from harness.dense.search import QUERY_TILE, BestDocuments, Tiles, exact_search
from harness.errors import InvalidInput
from harness.order import keys_of, numbers_of, scores_of, top_documents

SMALL = st.integers(-2, 2)
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


def naive(queries: np.ndarray, docs: np.ndarray, depth: int) -> list[list[tuple[float, int]]]:
    """Python integers and sorted(): no rounding, no partition, no keys."""
    found = []
    for query in queries.tolist():
        scores = [(sum(q * d for q, d in zip(query, doc, strict=True)), n) for n, doc in enumerate(docs.tolist())]
        found.append(sorted(scores, key=lambda pair: (-pair[0], -pair[1]))[:depth])
    return found


def tiles_of(docs: np.ndarray, size: int) -> Tiles:
    starts = list(range(0, len(docs), size))
    return Tiles(starts, lambda i: docs[starts[i] : starts[i] + size].astype(np.float32))


def searched(queries: np.ndarray, tiles: Tiles, depth: int, workers: int = 1) -> list[list[tuple[float, int]]]:
    found = exact_search(queries.astype(np.float32), tiles, depth, workers)
    return [list(zip(scores.tolist(), numbers.tolist(), strict=True)) for numbers, scores in found]


@settings(deadline=None, max_examples=120)
@given(st.data())
def test_search_equals_a_naive_sort_for_any_tiles_workers_and_depth(data: st.DataObject) -> None:
    count, wanted, width = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 5)), data.draw(st.integers(1, 3))
    docs = data.draw(hnp.arrays(np.int64, (count, width), elements=SMALL))
    queries = data.draw(hnp.arrays(np.int64, (wanted, width), elements=SMALL))
    depth, tile = data.draw(st.integers(1, count + 3)), data.draw(st.integers(1, count + 3))
    workers = data.draw(st.integers(1, 3))
    assert searched(queries, tiles_of(docs, tile), depth, workers) == naive(queries, docs, depth)


def test_all_equal_scores_are_ranked_by_number_descending() -> None:
    docs = np.ones((50, 2), np.int64)
    [found] = searched(np.ones((1, 2), np.int64), tiles_of(docs, 7), 6, workers=2)
    assert found == [(2.0, n) for n in (49, 48, 47, 46, 45, 44)]


def test_more_queries_than_one_tile_come_back_in_their_order() -> None:
    random = np.random.default_rng(3)
    docs, queries = random.integers(-3, 4, (60, 3)), random.integers(-3, 4, (2 * QUERY_TILE + 5, 3))
    assert searched(queries, tiles_of(docs, 16), 9, workers=3) == naive(queries, docs, 9)


@pytest.mark.parametrize(("queries", "docs"), [(0, 5), (2, 0)])
def test_no_queries_or_no_documents_give_no_results(queries: int, docs: int) -> None:
    found = searched(np.ones((queries, 2)), tiles_of(np.ones((docs, 2)), 4), 3)
    assert found == [[]] * queries


def test_scores_agree_with_faiss_where_there_are_no_ties() -> None:
    import faiss

    random = np.random.default_rng(11)
    docs, queries = (random.normal(size=(n, 24)).astype(np.float32) for n in (500, 20))
    index = faiss.IndexFlatIP(24)
    index.add(docs)
    scores, numbers = index.search(queries, 30)
    for row, (ours, our_scores) in enumerate(exact_search(queries, tiles_of(docs, 128), 30, 2)):
        assert ours.tolist() == numbers[row].tolist()
        np.testing.assert_allclose(our_scores, scores[row], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("dimensions", "queries"), [(24, 1), (100, 33), (768, 70)])
def test_equal_vectors_get_equal_scores_wherever_they_stand(dimensions: int, queries: int) -> None:
    random = np.random.default_rng(5)
    docs = random.normal(size=(300, dimensions)).astype(np.float32)
    copies = [3, 64, 65, 130, 299]
    docs[copies] = docs[3]
    asked = np.repeat(docs[3:4], queries, axis=0)
    found = list(exact_search(asked, tiles_of(docs, 77), 300))
    assert len({float(score) for numbers, scores in found for score in scores[np.isin(numbers, copies)]}) == 1
    # The copies are the best: those with the highest numbers stay, wherever the cut is.
    for depth in (1, 3, 5):
        for numbers, _ in exact_search(asked, tiles_of(docs, 77), depth, 2):
            assert numbers.tolist() == sorted(copies)[::-1][:depth]


@pytest.mark.parametrize("dimensions", [1, 7, 61, 64, 768])
def test_a_score_does_not_depend_on_where_its_vectors_lie_in_memory(dimensions: int) -> None:
    random = np.random.default_rng(8)
    query, doc = random.normal(size=(2, dimensions)).astype(np.float32)
    found = set()
    for place in range(20):
        memory = np.zeros(place + 3 * dimensions, np.float32)
        docs = memory[place:].reshape(3, dimensions)
        docs[place % 3] = doc
        ((numbers, scores),) = exact_search(query[None].copy(), Tiles([0], lambda _, docs=docs: docs), 3)
        found.add(float(scores[numbers == place % 3][0]))
    assert len(found) == 1
    exact = math.fsum(query.astype(np.float64) * doc.astype(np.float64))
    assert abs(found.pop() - exact) <= dimensions * 2.0**-24 * float(np.abs(query) @ np.abs(doc))


@given(st.integers(0, 2**32), st.sampled_from([1, 3, 64, 300]), st.floats(1e-6, 1e6), st.sampled_from([1, 4, 30]))
def test_the_rounding_of_products_changes_nothing(seed: int, dimensions: int, size: float, depth: int) -> None:
    """An adversary in the place of oneDNN: products as far from the scores as two float32 products can be from each other."""
    random = np.random.default_rng(seed)
    # Close to each other, with copies, so that errors of products are larger than the differences of scores.
    docs = random.normal(size=dimensions) + 1e-6 * random.normal(size=(60, dimensions))
    docs[random.integers(0, 60, 20)] = docs[random.integers(0, 60, 20)]
    docs, queries = ((size * vectors).astype(np.float32) for vectors in (docs, random.normal(size=(9, dimensions))))

    def adversary(queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
        rows, columns = np.divmod(np.arange(len(queries) * len(documents)), len(documents))
        scores = pair_scores(queries, documents, rows, columns).astype(np.float64).reshape(len(queries), -1)
        share = dimensions * 2.0**-24
        largest = 2 * share / (1 - share) * np.abs(queries.astype(np.float64)) @ np.abs(documents.astype(np.float64)).T
        wrong = (scores + largest * random.choice([-1, 1], size=largest.shape)).astype(np.float32)
        # Rounding may not bring them any further.
        inwards = np.nextafter(wrong, scores.astype(np.float32))
        return np.where(np.abs(wrong - scores) > largest, inwards, wrong)

    # All documents have a score: sorted by the rule, and cut afterwards.
    everything = searched(queries, tiles_of(docs, 60), 60)
    for query, found in zip(queries, everything, strict=True):
        assert sorted(number for _, number in found) == list(range(60))
        scores = docs.astype(np.float64) @ query.astype(np.float64)
        differences = np.array([score for score, _ in found]) - scores[[number for _, number in found]]
        assert np.all(
            np.abs(differences) <= 1e-6 * dimensions * np.linalg.norm(query) * np.linalg.norm(docs, axis=1).max()
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "_products", adversary)
        assert searched(queries, tiles_of(docs, 17), depth, workers=2) == [
            sorted(found, key=lambda pair: (-pair[0], -pair[1]))[:depth] for found in everything
        ]


def test_vectors_that_are_too_long_are_refused() -> None:
    docs = np.full((3, 4), 3e19, np.float32)
    with pytest.raises(InvalidInput, match="too long"):
        list(exact_search(docs[:1], Tiles([0], lambda _: docs), 2))


def test_merging_in_the_middle_of_a_search_loses_no_ties(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a merge after every tile the thresholds rise as early as they can; what equals them must still get in."""

    class Eager(BestDocuments):
        def __init__(self, queries: int, depth: int) -> None:
            super().__init__(queries, depth)
            self._limit = 0

    merges: list[float] = []
    monkeypatch.setattr(Eager, "_merge", lambda self: (BestDocuments._merge(self), merges.append(self.thresholds[0])))
    monkeypatch.setattr(search, "BestDocuments", Eager)
    docs = np.random.default_rng(2).integers(-1, 2, (200, 2))
    queries = np.array([[1, 1], [1, 0], [0, 0]])
    assert searched(queries, tiles_of(docs, 5), 8, workers=2) == naive(queries, docs, 8)
    assert len(merges) > 10
    assert np.isfinite(merges[-1])


@given(hnp.arrays(np.float32, st.integers(1, 60), elements=FINITE), st.data())
def test_keys_hold_score_and_number_and_order_by_both(scores: np.ndarray, data: st.DataObject) -> None:
    number = st.integers(0, 2**32 - 1)
    numbers = np.array(data.draw(st.lists(number, min_size=len(scores), max_size=len(scores), unique=True)), np.int64)
    keys = keys_of(scores, numbers)
    assert numbers_of(keys).tolist() == numbers.tolist()
    assert scores_of(keys).tolist() == scores.tolist()
    by_key = [number for _, number in sorted(zip(keys.tolist(), numbers.tolist(), strict=True))]
    by_rule = [number for _, number in sorted(zip(scores.tolist(), numbers.tolist(), strict=True))]
    assert by_key == by_rule


def test_keys_keep_the_bits_of_every_kind_of_score_but_minus_zero() -> None:
    scores = np.array([0.0, 1e-45, -1e-45, 1e-38, -1e-38, 1.5, -1.5, 3.4e38, -3.4e38], np.float32)
    back = scores_of(keys_of(scores, np.arange(len(scores))))
    assert back.tobytes() == scores.tobytes()


def test_minus_zero_ties_with_zero() -> None:
    keys = keys_of(np.array([-0.0, 0.0], np.float32), np.array([7, 7]))
    assert keys[0] == keys[1]
    assert top_documents(np.array([0.0, -0.0, -1], np.float32), 2).tolist() == [1, 0]


@given(hnp.arrays(np.float32, st.integers(1, 40), elements=st.sampled_from([-1, 0, 0.5, 2])), st.integers(1, 45))
def test_top_documents_equals_a_naive_sort(scores: np.ndarray, depth: int) -> None:
    expected = sorted(range(len(scores)), key=lambda n: (-scores[n], -n))[:depth]
    assert top_documents(scores, depth).tolist() == expected
