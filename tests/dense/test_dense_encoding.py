"""Encoding: batches that depend on the texts alone, equal texts once, the same bytes for any number of workers."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tiny_models
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.dense import encoding, remembered
from harness.dense.encoder import Encoder
from harness.dense.encoding import Limits, blocks_of, encode_block, encode_texts, packed
from harness.dense.loading import EncoderSettings
from harness.dense.remembered import blocks_remembered
from harness.dense.roles import Role


def cut_at(max_length: int) -> Role:
    return Role("document", max_length=max_length)


TEXTS = [
    "the river volga flows to the sea" + " and the lake" * (n % 7) + (f" {n % 40}" if n % 3 else "") for n in range(120)
]


class CountedTexts:
    def __init__(self, encoder: CountingEncoder, texts: Sequence[str], role: Role) -> None:
        self._encoder, self._texts, self._role = encoder, texts, role
        assert role.max_length is not None
        self.counts = [min(len(text), role.max_length) for text in texts]
        self.lost = [max(0, len(text) - role.max_length) for text in texts]

    def vectors(self, places: Sequence[int]) -> np.ndarray:
        return self._encoder.encode([self._texts[i] for i in places], self._role)


class CountingEncoder:
    """A text's vector is its characters' codes; remembers every batch."""

    dimensions = 4

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self._lock = threading.Lock()

    def tokenized(self, texts: Sequence[str], role: Role) -> CountedTexts:
        return CountedTexts(self, texts, role)

    def encode(self, texts: Sequence[str], role: Role) -> np.ndarray:
        with self._lock:
            self.batches.append(list(texts))
        return np.array([[sum(map(ord, text[i::4])) for i in range(4)] for text in texts], np.float32)


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(1, 200))
def test_batches_hold_every_text_once_within_the_budget_by_rising_length(counts: list[int], budget: int) -> None:
    batches = packed(counts, budget)
    order = [index for batch in batches for index in batch]
    assert order == [index for _, index in sorted((count, index) for index, count in enumerate(counts))]
    for batch in batches:
        assert len(batch) * max(counts[i] for i in batch) <= budget or len(batch) == 1


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(1, 200))
def test_no_batch_could_have_taken_the_first_text_of_the_next(counts: list[int], budget: int) -> None:
    batches = packed(counts, budget)
    for batch, following in itertools.pairwise(batches):
        assert (len(batch) + 1) * counts[following[0]] > budget


def test_equal_texts_are_encoded_once_in_a_block() -> None:
    encoder = CountingEncoder()
    texts = ["one", "two", "one", "three", "two", "one"]
    vectors = encode_block(encoder, texts, cut_at(8), Limits(1000, 1)).vectors
    assert sorted(text for batch in encoder.batches for text in batch) == ["one", "three", "two"]
    assert vectors.tolist() == CountingEncoder().encode(texts, cut_at(8)).tolist()


def test_texts_of_equal_length_are_batched_in_the_order_of_their_first_occurrence() -> None:
    encoder = CountingEncoder()
    texts = [f"{n * 7919 % 10_000:04}" for n in range(100)] + ["long text"]
    encode_block(encoder, [*texts, *texts[::-1]], cut_at(20), Limits(12, 1))
    assert [text for batch in encoder.batches for text in batch] == texts


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(alphabet="abc", max_size=6), max_size=30), st.integers(1, 40), st.integers(1, 4))
def test_vectors_stand_in_the_order_of_the_texts(texts: list[str], budget: int, workers: int) -> None:
    vectors = encode_texts(CountingEncoder(), texts, cut_at(5), Limits(budget, workers)).vectors
    expected = CountingEncoder().encode(texts, cut_at(5)).reshape(len(texts), 4)
    assert vectors.dtype == np.float32
    assert vectors.tolist() == expected.tolist()


def test_more_workers_run_the_same_batches() -> None:
    batches = []
    for workers in (1, 2, 5):
        encoder = CountingEncoder()
        encode_block(encoder, TEXTS, cut_at(200), Limits(300, workers))
        batches.append(sorted(encoder.batches))
    assert len(batches[0]) > 10
    assert batches[0] == batches[1] == batches[2]


def test_blocks_cover_the_texts_without_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "BLOCK_ROWS", 10)
    assert list(blocks_of(25)) == [(0, 10), (10, 20), (20, 25)]
    assert list(blocks_of(20)) == [(0, 10), (10, 20)]
    assert list(blocks_of(0)) == []


@pytest.fixture(scope="module", params=["cls", "model", "static"])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    models = tiny_models.shared()
    path: Path = {"cls": models.plain, "model": models.sentence, "static": models.static}[request.param]
    return Encoder(EncoderSettings(path, "cls" if request.param == "cls" else "model", "dot", "float32", "cpu"))


def test_bytes_are_the_same_for_any_number_of_workers(encoder: Encoder) -> None:
    one, *others = (
        encode_block(encoder, TEXTS, cut_at(32), Limits(100, workers)).vectors.tobytes() for workers in (1, 2, 5)
    )
    assert others == [one, one]


def test_workers_may_share_a_fresh_tokenizer() -> None:
    """Its padding is set by whoever comes first; the others must not trip over that."""
    encoder = Encoder(EncoderSettings(tiny_models.shared().plain, "cls", "dot", "float32", "cpu"))
    texts = [f"{n} tea" for n in range(200)]
    expected = encode_block(encoder, texts, cut_at(16), Limits(16, 1)).vectors
    for _ in range(5):
        assert encode_block(encoder, texts, cut_at(16), Limits(16, 8)).vectors.tobytes() == expected.tobytes()


def test_a_vector_does_not_depend_on_other_blocks(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "BLOCK_ROWS", 40)
    role, limits = cut_at(32), Limits(200, 2)
    together = encode_texts(encoder, TEXTS, role, limits).vectors
    reordered = encode_texts(encoder, [*TEXTS[80:], *TEXTS[40:80]], role, limits).vectors
    assert together[40:80].tobytes() == encode_texts(encoder, TEXTS[40:80], role, limits).vectors.tobytes()
    assert together[40:80].tobytes() == reordered[40:].tobytes()


def test_texts_are_tokenized_once_and_give_the_bytes_of_each_batch_by_itself(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    role, limits = cut_at(32), Limits(100, 2)
    different = list(dict.fromkeys(TEXTS))
    expected = np.zeros((len(different), encoder.dimensions), np.float32)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the workers have it
    for batch in packed(encoder.token_counts(different, role), 100):
        expected[batch] = encoder.encode([different[i] for i in batch], role)
    torch.set_num_threads(threads)
    calls: list[int] = []
    tokenized = Encoder.tokenized
    monkeypatch.setattr(Encoder, "tokenized", lambda *given: calls.append(len(given[1])) or tokenized(*given))
    vectors = encode_block(encoder, TEXTS, role, limits).vectors
    assert calls == [len(different)]
    assert vectors.tobytes() == expected[[different.index(text) for text in TEXTS]].tobytes()


def test_remembered_blocks_are_encoded_once_and_give_the_same_bytes(encoder: Encoder) -> None:
    role, limits = cut_at(32), Limits(200, 2)
    expected = encode_texts(encoder, TEXTS, role, limits)
    with blocks_remembered():
        first, again = (encode_block(encoder, TEXTS, role, limits) for _ in range(2))
        assert again is first
        for column, own in zip(again, expected, strict=True):
            assert column.tobytes() == own.tobytes()
    assert encode_block(encoder, TEXTS, role, limits) is not first, "outside of it nothing is kept"


def test_only_what_is_alike_in_every_respect_is_remembered() -> None:
    def batches(encoder: CountingEncoder, texts: list[str], role: Role, budget: int) -> int:
        encode_block(encoder, texts, role, Limits(budget, 1))
        return len(encoder.batches)

    with blocks_remembered():
        encoder = CountingEncoder()
        assert batches(encoder, ["ab", "c"], cut_at(5), 100) == 1
        assert batches(encoder, ["ab", "c"], cut_at(5), 100) == 1
        assert batches(encoder, ["a", "bc"], cut_at(5), 100) == 2, "texts that are alike when joined"
        assert batches(encoder, ["ab", "c"], cut_at(6), 100) == 3, "another length"
        assert batches(encoder, ["ab", "c"], cut_at(5), 101) == 4, "another budget"
        assert batches(CountingEncoder(), ["ab", "c"], cut_at(5), 100) == 1, "another encoder"


def test_the_oldest_blocks_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST_BYTES", 2 * 4 * 4)  # two texts of four dimensions
    encoder = CountingEncoder()
    with blocks_remembered():
        for text in ("a", "b", "a", "c", "a", "b"):
            encode_block(encoder, [text], cut_at(5), Limits(100, 1))
    assert encoder.batches == [["a"], ["b"], ["c"], ["b"]]
