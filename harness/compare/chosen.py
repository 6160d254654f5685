"""Two systems that somebody picked, on languages that they picked: what a page's script computes, and its twin in Python.

Such a test stands alone and is corrected for nothing. One language of hits on independent topics has McNemar's exact test and
Newcombe's interval. Everything else has the stratified t test, which on few differing topics finds too much (4 wins and no loss
in 80 topics: p 0.045, where no test by signs can give less than 0.125). For hits of independent topics its p is therefore never
printed below 2 ** (1 - k), k being the number of topics on which the two systems differ: the share of the assignments of k
signs that are as extreme as the most extreme. docs/statistics.md has the rates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from harness.compare.hit_intervals import hit_difference
from harness.compare.stratified import macro_t
from harness.compare.units import UnitTable
from harness.errors import InvalidInput


@dataclass(frozen=True)
class Chosen:
    """``p`` and ``interval`` (95%) are None where there is no error to judge by; ``floor``: what p cannot go below."""

    estimate: float
    p: float | None
    interval: tuple[float, float] | None
    floor: float | None


def chosen_pair(first: UnitTable, second: UnitTable, hits: bool) -> Chosen:
    """First system less second; tables of the values of both on the same topics. ``hits``: the measure is hit or miss."""
    differences = UnitTable(first.units, first.languages, first.sums - second.sums, first.counts)
    countable = hits and bool((first.counts <= 1).all())
    if countable and len(first.languages) == 1:
        found = hit_difference(first, second)
        wins, losses = (int((sign * differences.sums > 0).sum()) for sign in (1, -1))
        p = min(1.0, 2 * float(special.bdtr(min(wins, losses), wins + losses, 0.5))) if wins + losses else 1.0
        return Chosen(differences.macro, p, (found.lower, found.upper), None)
    floor = min(1.0, 2.0 ** (1 - int(np.count_nonzero(differences.sums)))) if countable else None
    try:
        test = macro_t(differences)
    except InvalidInput:
        return Chosen(differences.macro, None, None, floor)
    interval = test.interval if test.interval[0] < test.interval[1] else None
    return Chosen(test.estimate, max(test.p, floor or 0.0), interval, floor)
