"""Random signs that depend on the seed and the unit alone.

Each unit (topic or cluster) has its own counter-based generator, Philox keyed by BLAKE2b of seed and unit, so that no
p-value depends on the order of units, on chunks, or on which other systems or units are in the table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# The eight signs of a byte, its highest bit first, as the eight bytes of a number: a look-up instead of an operation a bit.
_SIGNS_OF_BYTE = (np.unpackbits(np.arange(256, dtype=np.uint8)).astype(np.int8) * 2 - 1).view(np.uint64)

FIRST_MULTIPLE = 256
"""Signs may be begun at multiples of this: 64 in a word, four words in a count of Philox."""


def signs(units: Sequence[str], resamples: int, seed: int, first: int = 0) -> NDArray[np.int8]:
    """Independent fair signs number ``first`` to ``first + resamples``, shape (units, resamples), each -1 or +1."""
    if first % FIRST_MULTIPLE:
        raise ValueError(f"signs begin at multiples of {FIRST_MULTIPLE}, not at {first}")
    result = np.empty((len(units), resamples), dtype=np.int8)
    words = -(-resamples // 64)
    for row, unit in enumerate(units):
        digest = hashlib.blake2b(f"{seed}\0{unit}".encode(), digest_size=16).digest()
        generator = np.random.Philox(key=int.from_bytes(digest, "little"))
        generator.advance(first // FIRST_MULTIPLE)
        drawn = generator.random_raw(words).astype("<u8", copy=False).view(np.uint8)
        result[row] = _SIGNS_OF_BYTE[drawn].view(np.int8)[:resamples]
    return result
