"""Intervals of hit rates and of their differences, also of macro averages and of units that share topics or languages.

A macro average M of hit rates has Wilson's interval, with the number of independent topics that would leave its variance:

    n = M (1 - M) / V,   V = D (1/L^2) sum_l p_l (1 - p_l) / n_l,

D being the design effect: the variance of M over units (that of the stratified t test) divided by that of as many independent
topics, and at least 1 (Kish 1965; Wilson's interval with an effective sample size as for surveys: Korn and Graubard 1998,
Dean and Pagano, Journal of Survey Statistics and Methodology 3(4), 2015). Where all or no topics are hits, nothing varies: n
is then the number of units, averaged as the variance would be. Where units hold several topics or languages, z is Student's
t of their number.

The difference of two systems' averages has the square-and-add limits of both (Newcombe, Statistics in Medicine 17, 1998; Zou
and Donner, Statistics in Medicine 27, 2008, call it MOVER), with the correlation r of the two averages over units; where r is
positive it is reduced by 1 / (2 n sqrt(M1 (1 - M1) M2 (1 - M2))), but not below 0. On one language of independent topics these
are Wilson's interval and method 10 of Newcombe. No interval has the width 0.

Adding up the languages' own Wilson limits instead covers 85 to 90% of 95% near 0 and 1: languages without a miss then have no
error on one side. docs/statistics.md has the coverage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from harness.compare.intervals import Interval, wilson_limits
from harness.compare.units import UnitTable
from harness.errors import InvalidInput

_NO_VARIATION = 1e-15


def hit_rate(table: UnitTable, level: float = 0.95) -> Interval:
    """Interval of the macro average (of one language: the rate) of the hits in ``table``; see the module.

    Raises ``InvalidInput`` where units hold several topics or languages and there are fewer than two.
    """
    rate = _Rate(table, level)
    return Interval(*rate.limits, f"Wilson{rate.words}")


def hit_difference(first: UnitTable, second: UnitTable, level: float = 0.95) -> Interval:
    """Interval of the first system's average less the second's; the hits of both on the same topics of the same units.

    Raises ``InvalidInput`` as ``hit_rate`` does.
    """
    one, two = _Rate(first, level), _Rate(second, level)
    correlation = _correlation(one, two)

    def distance(below: float, above: float) -> float:
        return math.sqrt(max(0.0, below**2 - 2 * correlation * below * above + above**2))

    lower = distance(one.value - one.limits[0], two.limits[1] - two.value)
    upper = distance(one.limits[1] - one.value, two.value - two.limits[0])
    difference = one.value - two.value
    return Interval(max(-1.0, difference - lower), min(1.0, difference + upper), f"Newcombe 10{one.words}")


class _Rate:
    """A macro average of hits with Wilson's limits. ``size``: the independent topics that it is worth."""

    def __init__(self, table: UnitTable, level: float) -> None:
        self.value = min(1.0, max(0.0, table.macro))
        self._design = _design(table)
        self.words = self._design.words
        topics, languages = table.counts.sum(axis=0), len(table.languages)
        single = table.means * (1 - table.means)
        self.variance = self._design.covariance(table, table)
        if single.max() > _NO_VARIATION:
            effect = max(1.0, self.variance / float((single / np.maximum(1, topics - 1)).sum() / languages**2))
            self.size = self.value * (1 - self.value) / (effect * float((single / topics).sum()) / languages**2)
        else:
            self.size = self._design.fewest
        self.residuals = table
        self.limits = wilson_limits(self.value, self.size, self._design.quantile(level))

    def covariance(self, other: _Rate) -> float:
        return self._design.covariance(self.residuals, other.residuals)


def _correlation(one: _Rate, two: _Rate) -> float:
    spread = math.sqrt(one.value * (1 - one.value) * two.value * (1 - two.value))
    scale = math.sqrt(one.variance * two.variance)
    if scale <= _NO_VARIATION or spread <= _NO_VARIATION:
        return 0.0
    found = one.covariance(two) / scale
    return max(0.0, found - 1 / (2 * min(one.size, two.size) * spread)) if found > 0 else found


@dataclass(frozen=True)
class _Design:
    """How topics stand in units. ``fewest``: independent topics, were those of a unit (and language) all alike."""

    nested: bool
    independent: bool
    units: int
    units_of: NDArray[np.int64]
    fewest: float

    @property
    def words(self) -> str:
        return "" if self.independent else f" of {self.units} units"

    def quantile(self, level: float) -> float:
        """The normal one for independent topics, else Student's, as in the stratified t test."""
        if self.independent:
            return float(special.ndtri((1 + level) / 2))
        freedom = self.units - len(self.units_of) if self.nested else self.units - 1
        return float(special.stdtrit(freedom, (1 + level) / 2))

    def covariance(self, one: UnitTable, two: UnitTable) -> float:
        """Covariance of two macro averages over the same units."""
        first, second = (
            (table.sums - table.counts * table.means) / (len(table.languages) * table.counts.sum(axis=0))
            for table in (one, two)
        )
        if self.nested:
            return float((self.units_of / np.maximum(1, self.units_of - 1) * (first * second).sum(axis=0)).sum())
        return float(self.units / (self.units - 1) * (first.sum(axis=1) @ second.sum(axis=1)))


def _design(table: UnitTable) -> _Design:
    nested = table.nested
    independent = nested and bool((table.counts <= 1).all())
    units, units_of = len(table.units), (table.counts > 0).sum(axis=0)
    if not independent and (units_of.min() < 2 if nested else units < 2):
        raise InvalidInput("an interval over units needs at least two of them")
    # Weights of the units in the average, those of a unit in several languages added up (Kish's effective number).
    weights = table.contributions_of_ones()
    return _Design(nested, independent, units, units_of, float(1 / (weights**2).sum()))
