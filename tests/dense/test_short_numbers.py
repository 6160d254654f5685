"""Exact search by short numbers is that by float32 products, to the bit, whatever the vectors are."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.compute.integer_products import LARGEST_PAIR, ZERO, Packed, are_exact
from harness.dense import search, short_numbers
from harness.dense.search import Tiles, exact_search
from harness.dense.short_numbers import estimates, short_documents, short_queries

pytestmark = pytest.mark.skipif(not are_exact(64), reason="this machine has no exact products of integers")

HALF = st.floats(width=16, allow_nan=False, allow_infinity=False)
"""All of a float16 store: subnormal ones and those up to 65,504."""
FLOAT = st.floats(-(2.0**60), 2.0**60, width=32, allow_nan=False)
TINY = st.floats(-(2.0**-100), 2.0**-100, width=32, allow_nan=False)
SHAPES = ("normal", "near", "huge", "one large", "constant", "subnormal", "copies", "in languages", "far apart", "zero")


def documents_of(shape: str, random: np.random.Generator, count: int, dimensions: int) -> np.ndarray:
    """Vectors of a store in float16, as float32."""
    found = random.normal(size=(count, dimensions))
    if shape == "near":
        found = random.normal(size=dimensions) + 2e-3 * found
    elif shape == "huge":
        found *= random.choice([1e-3, 1, 9e3], (count, 1))
    elif shape == "one large":
        found[:, random.integers(dimensions)] = random.choice([-6e4, 3e3], count)
    elif shape == "constant":
        found[:] = np.round(random.normal(size=(count, 1)), 1)
    elif shape == "subnormal":
        found *= 3e-8
    elif shape == "copies":
        found = found[random.integers(0, max(1, count // 7), count)]
    elif shape == "in languages":
        found += 5 * random.normal(size=(3, dimensions))[random.integers(0, 3, count)]
    elif shape == "far apart":
        found[::2] += 300
    elif shape == "zero":
        found *= random.random((count, 1)) < 0.3
    return found.clip(-65_000, 65_000).astype(np.float16).astype(np.float32)


def found_by(
    queries: np.ndarray, docs: np.ndarray, depth: int, tile: int, workers: int = 1
) -> list[tuple[list[int], bytes]]:
    starts = list(range(0, len(docs), tile))
    tiles = Tiles(starts, lambda place: docs[starts[place] : starts[place] + tile])
    return [(numbers.tolist(), scores.tobytes()) for numbers, scores in exact_search(queries, tiles, depth, workers)]


class Counted:
    """How many searches of a tile short numbers answered."""

    def __init__(self, patch: pytest.MonkeyPatch, most_left: float = 1) -> None:
        self.answers: list[bool] = []
        chosen = search._Group._chosen_by_short_numbers

        def counted(*args: object) -> object:
            found = chosen(*args)  # type: ignore[arg-type]
            self.answers.append(found is not None)
            return found

        patch.setattr(search._Group, "_chosen_by_short_numbers", counted)
        patch.setattr(search, "_FEWEST_QUERIES", 1)
        patch.setattr(search, "_FEWEST_TILES", 1)
        patch.setattr(search, "_MOST_LEFT", most_left)
        patch.setattr(search, "_integers_pay", lambda _: True)


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 2**32), st.sampled_from(SHAPES), st.sampled_from(SHAPES), st.data())
def test_rankings_and_scores_are_those_of_float32(seed: int, shape: str, asked: str, data: st.DataObject) -> None:
    random = np.random.default_rng(seed)
    dimensions = data.draw(st.sampled_from([2, 3, 31, 64, 385]))
    count, depth, tile = (data.draw(st.integers(1, most)) for most in (150, 170, 60))
    docs, queries = (
        documents_of(name, random, size, dimensions)
        for name, size in ((shape, count), (asked, data.draw(st.integers(1, 9))))
    )
    expected = found_by(queries, docs, depth, tile)
    with pytest.MonkeyPatch.context() as patch:
        counted = Counted(patch, data.draw(st.sampled_from([1, 0.1])))
        assert found_by(queries, docs, depth, tile, data.draw(st.integers(1, 3))) == expected
    assert counted.answers


@settings(deadline=None, max_examples=80)
@given(st.data())
def test_any_vectors_are_found_as_by_float32(data: st.DataObject) -> None:
    numbers = data.draw(st.sampled_from([HALF, FLOAT, TINY]))
    shape = data.draw(st.tuples(st.integers(1, 30), st.sampled_from([2, 3, 6])))
    docs = data.draw(hnp.arrays(np.float32, shape, elements=numbers))
    queries = data.draw(hnp.arrays(np.float32, (data.draw(st.integers(1, 4)), shape[1]), elements=numbers))
    depth, tile = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 8))
    expected = found_by(queries, docs, depth, tile)
    with pytest.MonkeyPatch.context() as patch:
        Counted(patch)
        assert found_by(queries, docs, depth, tile) == expected


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.sampled_from(SHAPES), st.sampled_from(SHAPES), st.sampled_from([2, 16, 67]))
def test_what_reaches_a_threshold_is_never_left_out(seed: int, shape: str, asked: str, dimensions: int) -> None:
    """Every pair's own inner product, of fractions of integers, as the threshold: the sharpest there is."""
    random = np.random.default_rng(seed)
    docs, queries = documents_of(shape, random, 20, dimensions), documents_of(asked, random, 6, dimensions)
    short = short_documents(docs, len(queries))
    exact = [[Fraction(0)] * len(docs) for _ in queries]
    for row, query in enumerate(queries.tolist()):
        for column, doc in enumerate(docs.tolist()):
            exact[row][column] = sum((Fraction(a) * Fraction(b) for a, b in zip(query, doc, strict=True)), Fraction(0))
    for column in range(len(docs)):
        needed = np.array([float(row[column]) for row in exact])
        assert estimates(short_queries(queries), short, np.nextafter(needed, -np.inf)).reach()[:, column].all()


@pytest.mark.parametrize("side", ["documents", "queries"])
def test_where_all_roundings_point_the_same_way_nothing_is_left_out(side: str) -> None:
    """The inequality of Cauchy and Schwarz is an equality here: every number lost the same, just below a half of a unit."""
    dimensions = 64
    lost = np.full(dimensions, 0.49)
    lost[:2] = (100, 27) if side == "documents" else (127, 0)
    # These lose nothing: of a unit of 1 / 127 or 1, as neighbours have 127 together.
    other = np.ones(dimensions) if side == "documents" else np.where(np.arange(dimensions) % 2, 63.0, 64.0)
    other[:2] = 0
    docs, query = (lost, other) if side == "documents" else (other, lost)
    # Its opposite beside it: the middle is zero. What small numbers score is lost altogether, only the bound still has it.
    short = short_documents(np.stack([docs, -docs]).astype(np.float32), 1)
    asked = short_queries(query[None].astype(np.float32))
    score = float(lost @ other)
    for needed, reaches in ((score, True), (1.01 * score, False)):
        assert estimates(asked, short, np.array([np.nextafter(needed, 0)])).reach()[0, 0] == reaches


@pytest.fixture
def lowest(monkeypatch: pytest.MonkeyPatch) -> None:
    """An adversary in the place of the kernel: each step of its float32 arithmetic rounded down as far as it can be."""

    def products(left: np.ndarray, right: Packed, scales: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        integers = left.astype(np.float64) @ right.matrix.double().numpy().T  # with ZERO still in it
        middle = ZERO * right.matrix.double().numpy().sum(axis=1)
        unit = 2.0**-23
        differences = integers - middle - unit * (np.abs(integers) + np.abs(middle))
        scaled = differences * scales - unit * np.abs(differences * scales)
        summed = scaled + offsets - unit * (np.abs(scaled) + offsets)
        return np.nextafter(summed.astype(np.float32), np.float32(-np.inf))

    monkeypatch.setattr(short_numbers, "packed", lambda codes, rows: Packed(codes, len(codes)))
    monkeypatch.setattr(short_numbers, "scaled_products", products)


def test_what_the_kernel_rounds_is_in_the_bound_where_nothing_else_is(lowest: None) -> None:
    """Vectors that small numbers hold without a rest, and a sum that is small beside those that it is the difference of."""
    docs = np.where(np.arange(64) % 2, 63, 64).astype(np.float32)
    query = np.zeros(64, np.float32)
    query[0] = 1
    short = short_documents(np.stack([docs, -docs]), 1)
    assert estimates(short_queries(query[None]), short, np.array([64.0])).reach()[0, 0]
    assert not estimates(short_queries(query[None]), short, np.array([64.1])).reach()[0, 0]


def test_the_rounding_of_scaled_products_changes_nothing(lowest: None) -> None:
    for seed, shape in enumerate(SHAPES):
        random = np.random.default_rng(seed)
        docs, queries = documents_of(shape, random, 90, 32), documents_of("normal", random, 5, 32)
        expected = found_by(queries, docs, 7, 13)
        with pytest.MonkeyPatch.context() as patch:
            Counted(patch)
            assert found_by(queries, docs, 7, 13) == expected


@given(st.integers(0, 2**32), st.sampled_from(SHAPES), st.sampled_from([2, 65, 384]))
def test_integers_of_neighbours_fit_the_kernel(seed: int, shape: str, dimensions: int) -> None:
    docs = documents_of(shape, np.random.default_rng(seed), 40, dimensions)
    seen: list[np.ndarray] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(short_numbers, "packed", lambda codes, rows: seen.append(codes.numpy().astype(int)))
        short = short_documents(docs, 3)
    sizes = np.abs(seen[0])
    assert (sizes[:, :-1] + sizes[:, 1:]).max() <= LARGEST_PAIR
    codes = short_queries(docs).codes
    assert codes.min() >= 1
    # And they are the vectors, but for the rest.
    back = seen[0] * short.units[:, None].astype(np.float64) + short.middle.astype(np.float64)
    assert (np.linalg.norm(docs - back, axis=1) <= short.rests).all()


def test_a_search_takes_short_numbers_where_they_pay_and_leaves_few_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(4)
    docs, queries = random.normal(size=(20_000, 64)).astype(np.float32), random.normal(size=(30, 64)).astype(np.float32)
    expected = found_by(queries, docs, 5, 500)
    counted = Counted(monkeypatch, most_left=search._MOST_LEFT)
    assert found_by(queries, docs, 5, 500) == expected
    assert sum(counted.answers) > 20


def test_where_short_numbers_leave_too_many_pairs_they_are_asked_less_and_less(monkeypatch: pytest.MonkeyPatch) -> None:
    docs = np.ones((400, 8), np.float32)
    asked: list[int] = []
    counted = Counted(monkeypatch, most_left=search._MOST_LEFT)
    estimated = search.estimates
    monkeypatch.setattr(search, "estimates", lambda *args: (asked.append(len(counted.answers)), estimated(*args))[1])
    [(numbers, _)] = found_by(docs[:1], docs, 3, 4)
    assert numbers == [399, 398, 397]
    assert not any(counted.answers)
    assert len(asked) > 3
    assert np.diff(asked).tolist() == [2**place + 1 for place in range(len(asked) - 1)]


def test_few_queries_or_documents_are_searched_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_asked(_: int) -> bool:
        raise AssertionError

    monkeypatch.setattr(search, "_integers_pay", not_asked)
    few = np.ones((3, 4), np.float32)
    many = np.ones((2 * search._FEWEST_QUERIES, 4), np.float32)
    assert len(found_by(few, np.ones((200, 4), np.float32), 2, 1)) == 3
    assert len(found_by(many, few, 2, 1)) == len(many)
