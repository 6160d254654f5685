"""Intervals of the difference of two systems on one language, from the fourfold table of their hits on independent topics.

Written from the literature alone: what `harness.compare.hit_intervals` and the pages' scripts compute is held against them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import optimize, special

from harness.compare.intervals import Interval, wilson
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


def newcombe(table: PairedHits, level: float = 0.95) -> Interval:
    """Interval of the difference of two paired hit rates, from Wilson's limits of both.

    Method 10 of Newcombe, Statistics in Medicine 17:2635-2650, 1998: the square-and-add rule with the correlation phi of
    the fourfold table, whose numerator is reduced by half the number of topics (not below 0) when it is positive.
    """
    n = table.topics
    rates = ((table.both + table.only_first) / n, (table.both + table.only_second) / n)
    first, second = (wilson(round(rate * n), n, level) for rate in rates)
    phi = _phi(table)

    def distance(one: float, two: float) -> float:
        return math.sqrt(max(0.0, one**2 - 2 * phi * one * two + two**2))

    below = distance(rates[0] - first.lower, second.upper - rates[1])
    above = distance(first.upper - rates[0], rates[1] - second.lower)
    return Interval(table.difference - below, table.difference + above, "Newcombe 10")


def _phi(table: PairedHits) -> float:
    """Newcombe's corrected correlation; 0 where a margin of the table is empty."""
    a, b, c, d = table.both, table.only_first, table.only_second, table.neither
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    if margins == 0:
        return 0.0
    numerator: float = a * d - b * c
    if numerator > 0:
        numerator = max(0.0, numerator - table.topics / 2)
    return numerator / math.sqrt(margins)


def tango(table: PairedHits, level: float = 0.95) -> Interval:
    """Score interval of the difference of two paired hit rates (Tango, Statistics in Medicine 17:891-908, 1998).

    The limits are where the score statistic, with the nuisance rate at its maximum likelihood given the difference,
    equals the normal quantile.
    """
    z = float(special.ndtri((1 + level) / 2))
    score = _TangoScore(table)
    at = table.difference

    def excess(delta: float) -> float:
        return score(delta) ** 2 - z**2

    # At the observed difference the statistic is 0, at the ends of [-1, 1] it is unbounded, or the limit is that end.
    inner = 1 - 1e-12
    lower = -1.0 if at <= -inner or excess(-inner) <= 0 else float(optimize.brentq(excess, -inner, at, xtol=1e-14))
    upper = 1.0 if at >= inner or excess(inner) <= 0 else float(optimize.brentq(excess, at, inner, xtol=1e-14))
    return Interval(lower, upper, "Tango")


@dataclass(frozen=True)
class _TangoScore:
    table: PairedHits

    def __call__(self, delta: float) -> float:
        n, b, c = self.table.topics, self.table.only_first, self.table.only_second
        distance = b - c - n * delta
        if distance == 0:
            return 0.0
        # Maximum likelihood of P(only the second hits) given the difference: the larger root of a quadratic.
        linear = -b - c + (2 * n - b + c) * delta
        constant = -c * delta * (1 - delta)
        rate = (math.sqrt(max(0.0, linear**2 - 8 * n * constant)) - linear) / (4 * n)
        variance = n * (2 * rate + delta * (1 - delta))
        return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance)
