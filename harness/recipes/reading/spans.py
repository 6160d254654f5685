"""From the scores of a reader's tokens to a span of the passage.

A span's score is that of its first token as a start plus that of its last as an end, not normalised, so that spans of several
windows and passages of one question can be compared (Clark and Gardner, ACL 2018, the confidence method). All spans of at most
so many tokens are looked at; BERT's script for SQuAD looks at those of the 20 best starts and ends alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Span(NamedTuple):
    """``start``, ``end``: characters of the passage, from the first to behind the last."""

    score: float
    start: int
    end: int


@dataclass(frozen=True)
class Window:
    """What a reader gave for one window of a passage.

    ``starts``, ``ends``: scores of its tokens, float, shape (tokens,). ``offsets``: characters of the passage that each token
    stands for, int, shape (tokens, 2); those of the question, of special tokens and of padding are empty (0, 0).
    """

    starts: NDArray[np.floating]
    ends: NDArray[np.floating]
    offsets: NDArray[np.integer]


def best_span(windows: Iterable[Window], longest: int) -> Span | None:
    """The best span of at most ``longest`` tokens in any window; None where no token is the passage's.

    Of equal scores the first window's is taken, then the one that begins first, then the shortest.
    """
    best: Span | None = None
    for window in windows:
        span = _best_of(window, longest)
        if span is not None and (best is None or span.score > best.score):
            best = span
    return best


def _best_of(window: Window, longest: int) -> Span | None:
    count = len(window.offsets)
    possible = window.offsets[:, 1] > window.offsets[:, 0]
    starts = np.where(possible, window.starts.astype(np.float64), -np.inf)
    ends = np.where(possible, window.ends.astype(np.float64), -np.inf)
    # A row for each start, a column for each number of further tokens.
    sums = np.full((count, min(longest, count)), -np.inf)
    for further in range(sums.shape[1]):
        sums[: count - further, further] = starts[: count - further] + ends[further:]
    if not sums.size or np.isneginf(sums.max()):
        return None
    first, further = divmod(int(sums.argmax()), sums.shape[1])
    return Span(float(sums[first, further]), int(window.offsets[first, 0]), int(window.offsets[first + further, 1]))
