"""The one order of documents: float32(score) descending, then document id descending by UTF-8 bytes (trec_eval's).

Where documents are numbered in the order of their ids' UTF-8 bytes, a score and a number make one 64-bit key that is larger for
what ranks higher. Keys of different documents are never equal, so sorting and cutting them needs no rule for ties.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]


def keys_of(scores: NDArray[np.float32], numbers: NDArray[np.int64]) -> Keys:
    """One key per (score, document number): ordered by score, then by number. Shapes equal; scores finite."""
    # Adding 0 makes -0.0 equal to 0.0, as it is for the order of scores.
    bits = (scores + np.float32(0)).view(np.uint32)
    ordered = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31)).astype(np.uint64)
    return (ordered << np.uint64(32)) | numbers.astype(np.uint64)


def numbers_of(keys: Keys) -> NDArray[np.int64]:
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)


def scores_of(keys: Keys) -> NDArray[np.float32]:
    ordered = (keys >> np.uint64(32)).astype(np.uint32)
    bits = np.where(ordered >> 31, ordered & np.uint32(0x7FFFFFFF), ~ordered)
    return bits.astype(np.uint32).view(np.float32)


def top_documents(scores: NDArray[np.float32], depth: int) -> NDArray[np.int64]:
    """Numbers of the best documents of one query, best first. ``scores``: shape (documents,)."""
    keys = keys_of(np.ascontiguousarray(scores, dtype=np.float32), np.arange(len(scores)))
    if depth < len(keys):
        keys = np.partition(keys, len(keys) - depth)[len(keys) - depth :]
    return numbers_of(np.sort(keys)[::-1])
