"""Random signs that depend on the seed and the unit alone.

Each unit (topic or cluster) has its own counter-based generator, Philox keyed by BLAKE2b of seed and unit, so that no
p-value depends on the order of units, on chunks, or on which other systems or units are in the table.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# The eight signs of a byte, its highest bit first: a look-up instead of an operation a bit.
_SIGNS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.int8) * 2 - 1
_FLOATS_OF_BYTE = _SIGNS_OF_BYTE.astype(np.float32)

FIRST_MULTIPLE = 256
"""Signs may be begun at multiples of this: 64 in a word, four words in a count of Philox."""

PAGE_DRAWS = 1 << 16
_KEPT_PAGES = 1 << 12  # of 8 KB: a leaderboard asks for the same units' signs once a measure, and more than once


def signs(units: Sequence[str], resamples: int, seed: int, first: int = 0) -> NDArray[np.int8]:
    """Independent fair signs number ``first`` to ``first + resamples``, shape (units, resamples), each -1 or +1."""
    bits = drawn(units, resamples, seed, first)
    return _SIGNS_OF_BYTE[bits].reshape(len(units), 8 * bits.shape[1])[:, :resamples]


def drawn(units: Sequence[str], resamples: int, seed: int, first: int = 0) -> NDArray[np.uint8]:
    """The signs' bits, 1 for +1, eight in a byte and its highest first: shape (units, bytes that hold ``resamples`` bits)."""
    if first % FIRST_MULTIPLE:
        raise ValueError(f"signs begin at multiples of {FIRST_MULTIPLE}, not at {first}")
    result = np.empty((len(units), -(-resamples // 8)), dtype=np.uint8)
    stop = first + 8 * result.shape[1]
    for start in range(first // PAGE_DRAWS * PAGE_DRAWS, stop, PAGE_DRAWS):
        begin, end = max(first, start), min(stop, start + PAGE_DRAWS)
        into, out_of = (slice((begin - base) // 8, (end - base) // 8) for base in (first, start))
        for row, unit in enumerate(units):
            result[row, into] = _page(unit, seed, start)[out_of]
    return result


def to_floats(bits: NDArray[np.uint8], out: NDArray[np.float32]) -> None:
    """The signs of ``drawn`` as float32 into ``out``, shape (units, 8 * bytes)."""
    # With a mode other than "raise", numpy writes straight into the result.
    np.take(_FLOATS_OF_BYTE, bits, axis=0, out=out.reshape(*bits.shape, 8), mode="clip")


@functools.lru_cache(maxsize=_KEPT_PAGES)
def _page(unit: str, seed: int, start: int) -> NDArray[np.uint8]:
    """The bits of ``PAGE_DRAWS`` signs of one unit from number ``start`` on."""
    digest = hashlib.blake2b(f"{seed}\0{unit}".encode(), digest_size=16).digest()
    generator = np.random.Philox(key=int.from_bytes(digest, "little"))
    generator.advance(start // FIRST_MULTIPLE)
    page = generator.random_raw(PAGE_DRAWS // 64).astype("<u8", copy=False).view(np.uint8)
    page.flags.writeable = False
    return page
