"""What a run will take, before it begins: figures, each with the assumption on which it rests.

A system says so in its optional member ``estimate`` (``harness.adapters.contract``). Sizes are computed; times are measured,
on a sample of the texts that the run is about, with the very code that the run uses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from harness.numbers import amount, duration, price

Kind = Literal["resumed", "work", "price", "time", "disk", "memory"]

FIRST_SAMPLE = 64
_ENOUGH_SECONDS = 0.5


class Figure(NamedTuple):
    """``unit``: "seconds", "bytes", or what is counted; of a price none, since its currency is not known.

    ``path``: of disk space, what will grow; one path is counted once.
    """

    kind: Kind
    what: str
    amount: float
    unit: str
    basis: str
    path: Path | None = None

    def in_words(self) -> str:
        if self.kind == "price":
            return price(self.amount)
        return duration(self.amount) if self.unit == "seconds" else amount(self.amount, self.unit)


class Estimate(NamedTuple):
    """Without times where none were measured. ``unknown``: what no figure is given for, in words."""

    figures: tuple[Figure, ...]
    unknown: tuple[str, ...] = ()


class Timing(NamedTuple):
    """``each``: seconds per item, from ``sample`` items; ``once``: seconds of what only a first call does."""

    each: float
    sample: int
    once: float = 0.0

    def figure(self, what: str, count: int, unit: str) -> Figure:
        basis = f"{self.sample:,} {unit} spread over all, timed here"
        return Figure("time", what, self.once + self.each * count, "seconds", basis)


def spread(total: int, count: int) -> list[int]:
    """At most ``count`` places in ``range(total)``, evenly spread.

    >>> spread(100, 4), spread(2, 4)
    ([0, 25, 50, 75], [0, 1])
    """
    count = min(count, total)
    return [place * total // count for place in range(count)]


def timed_on_sample(total: int, compute: Callable[[Sequence[int]], object], most: int, first: int = 0) -> Timing:
    """Time ``compute`` on ever larger samples of ``range(total)``: until half a second, ``most`` items, or all of them."""
    if not total:
        return Timing(0.0, 0)
    largest = min(most, total)
    count = min(max(first, FIRST_SAMPLE), largest)
    # A first call alone takes time for what is made once: dictionaries that are read, kernels that are chosen.
    first_places = spread(total, min(count, FIRST_SAMPLE))
    began = time.perf_counter()
    compute(first_places)
    first_seconds = time.perf_counter() - began
    while True:
        places = spread(total, count)
        began = time.perf_counter()
        compute(places)
        seconds = time.perf_counter() - began
        if seconds >= _ENOUGH_SECONDS or count == largest:
            each = seconds / count
            return Timing(each, count, max(0.0, first_seconds - each * len(first_places)))
        count = min(4 * count, largest)
