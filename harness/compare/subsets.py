"""What a reader's own choice of languages needs: sufficient statistics of every pair of systems, and p-values by subset.

The stratified t test of ``stratified.macro_t`` uses the differences of two systems i and j only through sums of products of
residuals. With r_lg(k) = sum_{t in g} (x_tk - xbar_lk) / n_l, what unit g adds to system k's mean on language l, centred,
and C_lm(i, j) = sum_g r_lg(i) r_mg(j), the pair's *form* is

    Q_lm = sum_g (r_lg(i) - r_lg(j)) (r_mg(i) - r_mg(j)) = C_lm(i, i) - C_lm(i, j) - C_lm(j, i) + C_lm(j, j).

For a subset S of languages the variance of the macro difference is then, where no unit stands in two of them,

    (1/|S|^2) sum_l G_l / (G_l - 1) Q_ll,   with Satterthwaite's degrees of freedom, and else
    (1/|S|^2) G / (G - 1) sum_{l, m in S} Q_lm,   with G - 1,

G_l being the number of units of language l, and G that of the units in any language of S. A page can hold the forms of
one reference system against all others and test any subset without the scores of single topics.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.compare.projections import observed_less_noise, project
from harness.compare.signed_sums import Draws
from harness.runs.per_query import QueryIds, query_ids
from harness.runs.score_file import ScoreFile

MOST_LANGUAGES_FOR_ALL_SUBSETS = 8
_NO_DIFFERENCE = 1e-13  # of the terms whose difference a form is: what rounding leaves of equal systems
_MOST_RESAMPLED_BYTES = 256 << 20
_MOST_PRODUCTS_BYTES = 256 << 20


@dataclass(frozen=True)
class SubsetStatistics:
    """Sufficient statistics of K systems on L parts and one measure.

    ``means``: float64, shape (K, L), nan where a system has no scores. ``topics``: int64, shape (L,), the denominators.
    ``units``: names of the G units. ``rows``: of each part the places of the units that have topics in it, ascending.
    ``shares``: of each part, float64, shape (its units, K), what a unit adds to a system's mean (0 where the system has no
    scores); ``sizes``: shape (its units,), the units' shares of its topics. ``hits``: all scores are 0 or 1.
    """

    systems: tuple[str, ...]
    parts: tuple[str, ...]
    means: NDArray[np.float64]
    topics: NDArray[np.int64]
    units: tuple[str, ...]
    rows: tuple[NDArray[np.int64], ...]
    shares: tuple[NDArray[np.float64], ...]
    sizes: tuple[NDArray[np.float64], ...]
    hits: bool

    @property
    def nested(self) -> bool:
        """Whether no unit stands in two parts."""
        parts_of_units = np.bincount(np.concatenate(self.rows), minlength=len(self.units))
        return bool((parts_of_units <= 1).all())

    @property
    def pairs_of_parts(self) -> list[tuple[int, int]]:
        """Pairs (l, m), l <= m, whose forms are not 0 by the design: l = m alone where parts share no units."""
        count = len(self.parts)
        pairs = [(one, two) for one in range(count) for two in range(one, count)]
        return [(one, two) for one, two in pairs if one == two or not self.nested]

    def patterns(self) -> dict[int, int]:
        """Number of units by the set of parts in which they have topics; bit l of the key stands for part l."""
        members = np.zeros((len(self.units), len(self.parts)), dtype=np.bool_)
        for part, rows in enumerate(self.rows):
            members[rows, part] = True
        found, counts = np.unique(members, axis=0, return_counts=True)
        keys = (sum(1 << int(part) for part in np.flatnonzero(row)) for row in found)
        return {key: int(count) for key, count in zip(keys, counts, strict=True)}

    def cross_products(self) -> NDArray[np.float64]:
        """C_lm, float64, shape (pairs of parts, K, K)."""
        return CrossProducts(self).over(slice(None), slice(None))

    def of_all_units(self, system: int) -> NDArray[np.float64]:
        """A system's shares by part, shape (L, G), 0 where a unit has no topics in a part."""
        found = np.zeros((len(self.parts), len(self.units)))
        for part, rows in enumerate(self.rows):
            found[part, rows] = self.shares[part][:, system]
        return found


class CrossProducts:
    """C_lm of some systems with some others, as large as is asked for."""

    def __init__(self, statistics: SubsetStatistics) -> None:
        self._statistics = statistics
        self._means = np.nan_to_num(statistics.means.T)

    def over(self, ones: slice, others: slice) -> NDArray[np.float64]:
        """Float64, shape (pairs of parts, systems of ``ones``, systems of ``others``)."""
        systems = range(len(self._statistics.systems))
        pairs = self._statistics.pairs_of_parts
        products = np.empty((len(pairs), len(systems[ones]), len(systems[others])))
        for place, (one, two) in enumerate(pairs):
            # Units that are not in both parts add nothing.
            _, first, second = np.intersect1d(
                self._statistics.rows[one], self._statistics.rows[two], assume_unique=True, return_indices=True
            )
            products[place] = self._residuals(one, first, ones).T @ self._residuals(two, second, others)
        return products

    def _residuals(self, part: int, units: NDArray[np.int64], systems: slice) -> NDArray[np.float64]:
        shares, sizes = self._statistics.shares[part], self._statistics.sizes[part]
        if len(units) < len(shares):
            shares, sizes = shares[units], sizes[units]
        return np.asarray(shares[:, systems] - sizes[:, None] * self._means[part, systems])


def subset_statistics(scores: Sequence[ScoreFile], parts: Sequence[str], measure: str) -> SubsetStatistics:
    """Gather the scores of one measure. All systems must be scored on the same queries (``check_comparable``)."""
    queries: dict[str, QueryIds] = {}
    unit_of: dict[str, Sequence[str]] = {}
    for part in parts:
        owner = next((score for score in scores if score.scored(part, measure) is not None), None)
        scored = owner.scored(part, measure) if owner is not None else None
        queries[part] = scored.queries if scored is not None else query_ids(())
        unit_of[part] = owner.named(part, queries[part]).units if owner is not None else ()
    units = sorted({unit for names in unit_of.values() for unit in names})
    place = {unit: row for row, unit in enumerate(units)}
    means = np.full((len(scores), len(parts)), np.nan)
    rows, shares, sizes, hits = [], [], [], True
    for number, part in enumerate(parts):
        places = np.array([place[unit] for unit in unit_of[part]], dtype=np.int64)
        own, among_own = np.unique(places, return_inverse=True)
        count = max(1, len(places))
        rows.append(own)
        sizes.append(np.bincount(among_own, minlength=len(own)) / count)
        shares.append(np.zeros((len(own), len(scores))))
        for k, score in enumerate(scores):
            found = score.scored(part, measure)
            if found is not None:
                values = found.of(queries[part])
                means[k, number] = values.mean()
                hits &= bool(np.isin(values, (0.0, 1.0)).all())
                shares[-1][:, k] = np.bincount(among_own, weights=values, minlength=len(own)) / count
    return SubsetStatistics(
        systems=tuple(score.system for score in scores),
        parts=tuple(parts),
        means=means,
        topics=np.array([len(queries[part].ids) for part in parts], dtype=np.int64),
        units=tuple(units),
        rows=tuple(rows),
        shares=tuple(shares),
        sizes=tuple(sizes),
        hits=hits,
    )


def forms_of_all(statistics: SubsetStatistics) -> Iterator[NDArray[np.float64]]:
    """``forms`` of every system as the reference, in their order; products of some references at a time, as fit into memory."""
    products, count = CrossProducts(statistics), len(statistics.systems)
    step = max(1, _MOST_PRODUCTS_BYTES // (8 * len(statistics.pairs_of_parts) * count))
    if step >= count:
        whole = statistics.cross_products()
        yield from (forms(whole, place) for place in range(count))
        return
    own = np.concatenate(
        [
            np.diagonal(products.over(slice(start, start + step), slice(start, start + step)), axis1=1, axis2=2)
            for start in range(0, count, step)
        ],
        axis=1,
    )
    for start in range(0, count, step):
        some = slice(start, start + step)
        columns, rows = products.over(slice(None), some), products.over(some, slice(None))
        for place in range(columns.shape[2]):
            yield _form(own, columns[:, :, place], rows[:, place, :], start + place)


def forms(cross_products: NDArray[np.float64], reference: int) -> NDArray[np.float64]:
    """Forms Q_lm of every system against the reference system, float64, shape (pairs of parts, K)."""
    own = np.diagonal(cross_products, axis1=1, axis2=2)
    return _form(own, cross_products[:, :, reference], cross_products[:, reference, :], reference)


def _form(
    own: NDArray[np.float64], column: NDArray[np.float64], row: NDArray[np.float64], reference: int
) -> NDArray[np.float64]:
    theirs = own[:, reference][:, None]
    found = own - column - row + theirs
    found[np.abs(found) <= _NO_DIFFERENCE * (np.abs(own) + np.abs(theirs))] = 0.0
    found[:, reference] = 0.0
    return np.asarray(found)


def randomization_counts(statistics: SubsetStatistics, reference: int, resamples: int, seed: int) -> NDArray[np.uint32]:
    """How many resamples are at least as extreme, for every subset of the parts: uint32, shape (2 ** L - 1, K).

    Row s - 1 is the subset whose bits are those of s. p = (count + 1) / (resamples + 1), from the signs and with the
    equality rule of ``projections.project``: on the parts of a track's macro average it is the p of its comparison. Where
    a system or the reference has no scores on a part of the subset, the count is ``resamples``.
    """
    parts, systems = len(statistics.parts), len(statistics.systems)
    counts = np.full((2**parts - 1, systems), resamples, dtype=np.uint32)
    choices = _choices(parts)
    step = max(1, _MOST_RESAMPLED_BYTES // (8 * max(resamples, len(statistics.units)) * parts))
    of_reference = statistics.of_all_units(reference)
    others = [k for k in range(systems) if k != reference]  # against itself, every resample is as extreme
    for start in range(0, len(others), step):
        block = others[start : start + step]
        columns = [statistics.of_all_units(k) - of_reference for k in block]
        projected = project(np.concatenate(columns).T, statistics.units, Draws(resamples, seed))
        for place, k in enumerate(block):
            own = slice(place * parts, (place + 1) * parts)
            missing = np.isnan(statistics.means[k]) | np.isnan(statistics.means[reference])
            found = _counts(projected.shares[:, own], projected.reduced[own], projected.divisors[own])
            counts[:, k] = np.where((choices & missing).any(axis=1), resamples, found)
    return counts


def _counts(
    shares: NDArray[np.int64], reduced: NDArray[np.signedinteger], divisors: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Counts of one system by subset, shape (2 ** L - 1,); parameters as in ``Projections``, of the L parts."""
    # Where scores are hits, all are multiples of one number, and so small without it that several fit in a register.
    divisor = int(np.gcd.reduce(divisors)) or 1
    kind = np.min_scalar_type(-1 - int(np.abs(shares).sum()) // divisor)
    resampled = reduced.astype(kind) * (divisors // divisor).astype(kind)[:, None]
    sums = _choices(len(resampled)).astype(np.int64) @ shares.T
    least = observed_less_noise(sums.sum(axis=1), np.abs(sums).sum(axis=1), np.array(divisor)).astype(kind)
    found = np.zeros(len(least), dtype=np.int64)
    total = np.zeros(resampled.shape[1], dtype=kind)
    # Arrays of this size that come and go would cost more than what is computed in them.
    magnitudes, extreme = np.empty_like(total), np.empty(len(total), dtype=np.bool_)
    subset = 0
    # In the order of a Gray code: each subset is one part away from the one before.
    for step in range(1, len(found) + 1):
        part = (step & -step).bit_length() - 1
        subset ^= 1 << part
        change = np.add if subset >> part & 1 else np.subtract
        change(total, resampled[part], out=total)
        np.abs(total, out=magnitudes)
        np.greater_equal(magnitudes, least[subset - 1], out=extreme)
        found[subset - 1] = np.count_nonzero(extreme)
    return found


def _choices(parts: int) -> NDArray[np.bool_]:
    """Which parts each subset has, shape (2 ** L - 1, L), in the order of the subsets' bits."""
    return np.asarray((np.arange(1, 2**parts)[:, None] >> np.arange(parts)) & 1, dtype=np.bool_)
