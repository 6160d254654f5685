"""How both sides are timed: by turns, several times, the shortest counts."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence

ROUNDS = 3


def shortest(sides: Sequence[Callable[[], object]], rounds: int = ROUNDS) -> list[float]:
    """Seconds of each side: the least of ``rounds``, in which the sides take turns, so that load falls on all of them."""
    seconds: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for times, side in zip(seconds, sides, strict=True):
            gc.collect()
            start = time.perf_counter()
            side()
            times.append(time.perf_counter() - start)
    return [min(times) for times in seconds]
