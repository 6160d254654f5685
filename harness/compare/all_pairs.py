"""Which systems differ, over all pairs at once: a studentised max-T test by the signs of units.

The statistic of systems i and j is

    T_ij = |sum_g d_g(i, j)| / sqrt(sum_g d_g(i, j)^2),   d_g(i, j) = c_g(i) - c_g(j),

c_g(k) being what unit g adds to system k's mean or macro average. Where two systems do not differ, the sign of each unit's
difference is a coin (Fisher 1935); one coin for all languages of a unit, and the same coin for all pairs. A flip changes
the numerators alone, so every T_ij is on one scale, however often its two systems differ, and K signed sums give all pairs.
The largest T_ij of each assignment of signs makes the distribution against which every observed one is held: the single-step
max-T adjustment of Westfall and Young (Resampling-Based Multiple Testing, 1993).

What holds: for the pairs that do not differ, let the vector of their differences be symmetric about 0 jointly, unit by unit.
Then the probability of calling any of them different is at most alpha, *whatever the other pairs do* and however unequal the
noise of the systems is: the largest statistic over all pairs is never below that over these (Romano and Wolf, JASA 100,
2005). No exchangeability of systems is assumed, unlike in the randomised Tukey test (Carterette, ACM TOIS 30(1), 2012),
whose one distribution of raw differences lets near-copies wear the noise of the loudest pair and loud pairs that of the quiet.

Single-step, not step-down: a step-down test of two-sided hypotheses does not bound wrong *directions*, which rank intervals
need (Mogstad, Romano, Shaikh and Wilhelm, Review of Economic Studies 91(1), 2024, step down over directed hypotheses, of
which a rejection removes only half); docs/statistics.md has what it would gain. Groups, letters and rank intervals are all
read off these decisions, see letters.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.compare.corrections import resamples_needed
from harness.compare.fixed_point import to_fixed_point
from harness.compare.monte_carlo import MOST_TIMES, is_open, spans
from harness.compare.projections import LARGEST_INTEGER_BITS, check_units, project_sums
from harness.compare.signed_sums import MOST_THREADS, Draws, SignedSums
from harness.compare.signs import FIRST_MULTIPLE
from harness.errors import InvalidInput

_GRID_BITS = LARGEST_INTEGER_BITS - 1  # one is left for the difference of two
_RELATIVE_TOLERANCE = 1e-10
_PROJECTED_BYTES = 128 << 20
_BLOCK_RESAMPLES = 1 << 10  # of K signed sums: they fit in a cache


class Column(NamedTuple):
    """Scores of K systems on one column of a table.

    ``contributions``: float64, shape (units, K), a unit's share of each system's statistic; on a macro average the sum over
    the unit's topics of score / (languages * topics of the language). ``units``: their names; a unit's signs depend on its
    name and the seed alone.
    """

    contributions: NDArray[np.float64]
    units: Sequence[str]


@dataclass(frozen=True)
class AllPairs:
    """Decisions on all pairs of K systems.

    ``totals``: float64, shape (K,), the systems' statistics; ``at_least``: int64, shape (K, K), symmetric, in how many of the
    ``resamples`` the largest statistic reached the pair's; ``alpha``: the family-wise error; ``exact``: the resamples are
    all assignments of signs there are, up to the sign of all, and not draws.
    """

    totals: NDArray[np.float64]
    at_least: NDArray[np.int64]
    resamples: int
    exact: bool = False
    alpha: float = 0.05

    @property
    def p_adjusted(self) -> NDArray[np.float64]:
        """float64, shape (K, K), symmetric, 1 on the diagonal: (b + 1) / (B + 1) of draws, b / B of all assignments."""
        drawn = 0 if self.exact else 1
        return np.asarray((self.at_least + drawn) / (self.resamples + drawn))

    @property
    def undecided(self) -> int:
        """Number of pairs whose p lies within three Monte-Carlo standard errors of alpha."""
        if self.exact:
            return 0
        near = is_open(self.p_adjusted, self.alpha, self.resamples)
        return int(np.triu(near, 1).sum())

    @property
    def significant(self) -> NDArray[np.bool_]:
        """Shape (K, K), symmetric: the two systems differ."""
        return np.asarray(self.p_adjusted <= self.alpha)

    @property
    def better(self) -> NDArray[np.bool_]:
        """Shape (K, K): the row's system is significantly better than the column's."""
        return self.significant & (self.totals[:, None] > self.totals[None, :])


def all_pairs(
    contributions: NDArray[np.float64], units: Sequence[str], resamples: int, seed: int, alpha: float = 0.05
) -> AllPairs:
    """The test of all pairs of systems on one column with ``resamples`` draws; see ``all_pairs_of``."""
    return all_pairs_of([Column(contributions, units)], resamples, seed, alpha, most_times=1)[0]


def all_pairs_of(
    columns: Sequence[Column], resamples: int, seed: int, alpha: float = 0.05, most_times: int = MOST_TIMES
) -> list[AllPairs]:
    """The test of all pairs of systems on several columns, each by itself, all under the same signs.

    Parameters
    ----------
    resamples
        Draws of signs. A column whose systems differ on so few units that there are no more assignments than this is
        decided by all of them instead.
    alpha
        Family-wise error of the decisions.
    most_times
        While a pair's p lies within three Monte-Carlo errors of alpha, the draws of its column are made four times as many,
        up to ``most_times`` times ``resamples``.

    Returns
    -------
    list of AllPairs
        Of each column. A pair is reached where the largest statistic is at least its own, with a relative tolerance of 1e-10.
        A pair that differs on no unit has p = 1. The result does not depend on the order of units or systems.

    Raises
    ------
    InvalidInput
        When a unit occurs twice, shapes disagree, a score is not finite, or B is below 5 / alpha.
    """
    if resamples < (needed := resamples_needed(1, alpha)):
        raise InvalidInput(f"{resamples} resamples are too few at alpha {alpha}; at least {needed} are needed")
    prepared = [_prepared(column) for column in columns]
    found: dict[int, AllPairs] = {}
    drawn: list[int] = []
    for place, (column, own) in enumerate(zip(columns, prepared, strict=True)):
        totals = column.contributions.sum(axis=0)
        if own.assignments <= resamples:
            largest = own.largest(_all_signs(len(own.units)).T @ own.shares)
            found[place] = AllPairs(totals, own.reached(largest), own.assignments, exact=True, alpha=alpha)
        else:
            nothing = np.zeros((len(totals),) * 2, dtype=np.int64)
            found[place] = AllPairs(totals, nothing, 0, alpha=alpha)
            drawn.append(place)
    for span in spans(resamples, most_times):
        for group in _groups([prepared[place] for place in drawn], drawn, span[1] - span[0]):
            for place, largest in zip(group, _largest([prepared[p] for p in group], span, seed), strict=True):
                before = found[place]
                reached = before.at_least + prepared[place].reached(largest)
                found[place] = replace(before, at_least=reached, resamples=before.resamples + len(largest))
        drawn = [place for place in drawn if found[place].undecided]
        if not drawn:
            break
    return [found[place] for place in range(len(columns))]


@dataclass(frozen=True)
class _Prepared:
    """``shares``: int64, shape (units, K), of the units on which systems differ, sorted by name; ``scales``: float64, (K, K),
    the root of each pair's sum of squares, infinite where two systems never differ."""

    units: list[str]
    shares: NDArray[np.int64]
    scales: NDArray[np.float64]

    @property
    def assignments(self) -> int:
        """How many assignments of signs there are, up to the sign of all."""
        return 1 << max(0, len(self.units) - 1)

    def largest(self, sums: NDArray[np.int64]) -> NDArray[np.float64]:
        """Largest statistic of any pair, shape (resamples,), from the systems' signed sums, shape (resamples, K)."""
        systems = sums.shape[1]
        found = np.zeros(len(sums))

        def look(start: int) -> None:
            block = np.ascontiguousarray(sums[start : start + _BLOCK_RESAMPLES].T)
            best = found[start : start + _BLOCK_RESAMPLES]
            # Memory that is used again and again: arrays that come and go would cost more than what is computed.
            differences, statistics = np.empty_like(block), np.empty(block.shape)
            for one in range(systems - 1):
                own, scaled = differences[one + 1 :], statistics[one + 1 :]
                np.subtract(block[one + 1 :], block[one], out=own)
                np.divide(np.abs(own, out=own), self.scales[one, one + 1 :, None], out=scaled)
                np.maximum(best, scaled.max(axis=0), out=best)

        with ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_THREADS)) as pool:
            list(pool.map(look, range(0, len(sums), _BLOCK_RESAMPLES)))
        return found

    def reached(self, largest: NDArray[np.float64]) -> NDArray[np.int64]:
        """For every pair, how many of the largest statistics are at least the observed one; shape (K, K)."""
        sums = self.shares.sum(axis=0)
        observed = np.abs(sums[:, None] - sums[None, :]) / self.scales
        ordered = np.sort(largest)
        reached = len(ordered) - np.searchsorted(ordered, observed * (1 - _RELATIVE_TOLERANCE), side="left")
        reached[~np.isfinite(self.scales)] = len(ordered)
        return np.asarray(reached, dtype=np.int64)


def _prepared(column: Column) -> _Prepared:
    check_units(column.contributions, column.units)
    shares = to_fixed_point(column.contributions, _GRID_BITS).integers
    order = sorted(range(len(column.units)), key=column.units.__getitem__)
    differing = [row for row in order if shares[row].min() != shares[row].max()]
    # What all systems share cancels in every difference; without it, the sums are as small as they can be.
    kept = shares[differing] - shares[differing].min(axis=1, keepdims=True)
    systems = shares.shape[1]
    scales = np.full((systems, systems), np.inf)
    for one in range(systems):
        squares = ((kept - kept[:, [one]]).astype(np.float64) ** 2).sum(axis=0)
        scales[one] = np.where(squares > 0, np.sqrt(squares), np.inf)
    return _Prepared([column.units[row] for row in differing], kept, scales)


def _all_signs(units: int) -> NDArray[np.int64]:
    """Every assignment of signs up to the sign of all, shape (units, 2 ** (units - 1)); the first unit's is always 1."""
    if not units:
        return np.ones((0, 1), dtype=np.int64)
    numbers = np.arange(2 ** (units - 1))
    bits = (numbers >> np.arange(units - 1)[:, None]) & 1
    return np.concatenate([np.ones((1, len(numbers)), np.int64), 1 - 2 * bits])


def _groups(prepared: Sequence[_Prepared], places: Sequence[int], resamples: int) -> Iterator[list[int]]:
    """Columns that are projected together, so that signs are drawn once, within a bound on memory."""
    group: list[int] = []
    columns = units = 0
    for place, own in zip(places, prepared, strict=True):
        more, further = own.shares.shape[1], len(own.units)
        if group and 8 * max(resamples, units + further) * (columns + more) > _PROJECTED_BYTES:
            yield group
            group, columns, units = [], 0, 0
        group.append(place)
        columns, units = columns + more, units + further
    if group:
        yield group


def _largest(prepared: Sequence[_Prepared], span: tuple[int, int], seed: int) -> list[NDArray[np.float64]]:
    """The largest statistics of several columns under the draws ``span[0]`` to ``span[1]``."""
    units = sorted({unit for own in prepared for unit in own.units})
    place = {unit: row for row, unit in enumerate(units)}
    widths = [own.shares.shape[1] for own in prepared]
    ends = np.cumsum(widths)
    shares = np.zeros((len(units), int(ends[-1])), dtype=np.int64)
    for own, end, width in zip(prepared, ends, widths, strict=True):
        shares[[place[unit] for unit in own.units], end - width : end] = own.shares
    sums = SignedSums(shares, units)
    found: list[list[NDArray[np.float64]]] = [[] for _ in prepared]
    step = max(1, _PROJECTED_BYTES // (8 * shares.shape[1]) // FIRST_MULTIPLE) * FIRST_MULTIPLE
    for start in range(*span, step):
        draws = Draws(min(step, span[1] - start), seed, start)
        resampled = project_sums(shares, sums, draws).resampled
        for largest, own, end, width in zip(found, prepared, ends, widths, strict=True):
            largest.append(own.largest(resampled[end - width : end].T))
    return [np.concatenate(largest) for largest in found]
