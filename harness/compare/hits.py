"""The fourfold table of two systems' hits and misses on the same topics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.errors import InvalidInput


@dataclass(frozen=True)
class PairedHits:
    """Numbers of topics: hit by both systems, by the first alone, by the second alone, by neither."""

    both: int
    only_first: int
    only_second: int
    neither: int

    def __post_init__(self) -> None:
        if min(self.both, self.only_first, self.only_second, self.neither) < 0 or not self.topics:
            raise InvalidInput("a table of paired hits needs counts that are not negative, and at least one topic")

    @property
    def topics(self) -> int:
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def difference(self) -> float:
        """Hit rate of the first system less that of the second."""
        return (self.only_first - self.only_second) / self.topics


def paired_hits(first: NDArray[np.float64], second: NDArray[np.float64], units: Sequence[str]) -> PairedHits:
    """Count two systems' hits; ``first``, ``second``: shape (topics,), values 0 or 1, the same topics in one order.

    Raises ``InvalidInput`` when a score is neither hit nor miss, when lengths disagree, or when a unit holds several
    topics: what is computed from the table assumes that topics are independent.
    """
    if not len(first) == len(second) == len(units):
        raise InvalidInput(f"{len(first)} and {len(second)} scores of {len(units)} topics do not match")
    if not (np.isin(first, (0.0, 1.0)).all() and np.isin(second, (0.0, 1.0)).all()):
        raise InvalidInput("these scores are not hit or miss (1 or 0); use the bootstrap interval")
    if len(set(units)) < len(units):
        raise InvalidInput("a unit holds several topics, which are not independent; use the bootstrap interval")
    one, two = first == 1, second == 1
    return PairedHits(
        int((one & two).sum()), int((one & ~two).sum()), int((~one & two).sum()), int((~one & ~two).sum())
    )
