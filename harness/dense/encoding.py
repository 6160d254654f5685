"""Encoding many texts so that the bytes depend on the texts alone: fixed blocks, batches packed by token count.

Texts are cut into blocks of ``BLOCK_ROWS``. Inside a block equal texts are encoded once; the different ones are stably
sorted by token count and packed until ``texts x longest`` reaches the token budget, the card's or that of the device. Workers
take whole batches, each with one thread; more workers or memory run more batches at once, never other batches.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness import progress
from harness.dense.remembered import remembered_block
from harness.dense.roles import Role

BLOCK_ROWS = 4096
"""Texts per block, and documents per search tile. Part of what fixes the bytes of a vector: never an option."""

TOKENS_OF_A_THREAD = 768
"""Tokens in a batch that one thread computes: a larger one is no faster, pads more, and leaves other threads without any."""
TOKENS_OF_AN_ACCELERATOR = 16_384
"""Tokens in a batch on what computes a whole batch at once, and has little to do with a small one."""


Made = TypeVar("Made")


class TokenizedTexts(Protocol):
    """``counts``: tokens of each text; ``lost``: those cut off; ``vectors``: of the texts at some places, as one batch."""

    counts: list[int]
    lost: list[int]

    def vectors(self, places: Sequence[int]) -> NDArray[np.float32]: ...


class TextEncoder(Protocol):
    dimensions: int

    def tokenized(self, texts: Sequence[str], role: Role) -> TokenizedTexts: ...


class Limits(NamedTuple):
    """``token_budget``: tokens in a batch, padding included; ``workers`` is the operator's and changes no bytes."""

    token_budget: int
    workers: int


class Encoded(NamedTuple):
    """``vectors``: float32, shape (texts, dimensions); ``tokens`` and ``lost``: of each text, kept and cut off, int64."""

    vectors: NDArray[np.float32]
    tokens: NDArray[np.int64]
    lost: NDArray[np.int64]


def token_budget_on(device: str) -> int:
    """Tokens in a batch, padding included, where no card says how many. ``device``: as ``resolved_device`` names it.

    >>> token_budget_on("cpu"), token_budget_on("cuda:1")
    (768, 16384)
    """
    return TOKENS_OF_A_THREAD if device == "cpu" else TOKENS_OF_AN_ACCELERATOR


def packed(token_counts: Sequence[int], token_budget: int) -> list[list[int]]:
    """Batches of indices, by rising token count: as many as keep ``texts x longest`` within the budget, at least one.

    >>> packed([5, 1, 3, 9], 8)
    [[1, 2], [0], [3]]
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(token_counts)), key=lambda i: token_counts[i]):
        if batches and (len(batches[-1]) + 1) * token_counts[index] <= token_budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def encode_block(encoder: TextEncoder, texts: Sequence[str], role: Role, limits: Limits) -> Encoded:
    """At most ``BLOCK_ROWS`` texts, encoded."""
    how = (weakref.ref(encoder), role, limits.token_budget)
    return remembered_block(texts, how, lambda: _encoded(encoder, texts, role, limits))


def _encoded(encoder: TextEncoder, texts: Sequence[str], role: Role, limits: Limits) -> Encoded:
    different = list(dict.fromkeys(texts))
    vectors = np.zeros((len(different), encoder.dimensions), np.float32)
    tokens = encoder.tokenized(different, role)
    for batch, encoded in in_batches(tokens, limits, tokens.vectors):
        vectors[batch] = encoded
    places = places_in(different, texts)
    return Encoded(vectors[places], np.array(tokens.counts, np.int64)[places], np.array(tokens.lost, np.int64)[places])


def in_batches(
    tokens: TokenizedTexts, limits: Limits, encode: Callable[[list[int]], Made]
) -> Iterator[tuple[list[int], Made]]:
    """Places of the texts of each batch, and what ``encode`` makes of them, one batch for each worker at a time."""
    import torch

    counts = tokens.counts
    batches = packed(counts, limits.token_budget)
    # With its padding, since that is what takes the time; a batch's last text is its longest.
    work = [len(batch) * counts[batch[-1]] for batch in batches]
    with (
        progress.task(f"encode a block of {len(counts):,} texts", sum(work), "tokens") as advance,
        ThreadPoolExecutor(limits.workers, initializer=lambda: torch.set_num_threads(1)) as pool,
    ):
        for batch, encoded, done in zip(batches, pool.map(encode, batches), work, strict=True):
            yield batch, encoded
            advance(done)


def places_in(different: Sequence[str], texts: Sequence[str]) -> NDArray[np.int64]:
    """Where each text stands among the different ones."""
    place_of = {text: place for place, text in enumerate(different)}
    return np.array([place_of[text] for text in texts], np.int64)


def encode_texts(encoder: TextEncoder, texts: Sequence[str], role: Role, limits: Limits) -> Encoded:
    """Any number of texts, block by block."""
    return joined(
        [encode_block(encoder, texts[start:end], role, limits) for start, end in [*blocks_of(len(texts))] or [(0, 0)]]
    )


def joined(parts: Sequence[Encoded]) -> Encoded:
    """At least one block's texts after another's."""
    return Encoded(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def blocks_of(count: int) -> Iterator[tuple[int, int]]:
    """Start and end of each block of ``count`` texts."""
    for start in range(0, count, BLOCK_ROWS):
        yield start, min(start + BLOCK_ROWS, count)
