"""Which systems differ, over all pairs at once: the randomised Tukey test (max-T), blocked by unit.

Under the null hypothesis that all systems are exchangeable, the scores of a unit belong to any system as well as to any
other. Permuting the systems' labels within every unit, one permutation for all languages of the unit, and taking the
largest difference between any two systems gives the distribution against which every observed difference is held; the
family-wise error over all pairs is then at most alpha when no system differs from another (Carterette, ACM TOIS 30(1),
2012; single-step max-T of Westfall and Young 1993). Systems that do differ widen the distribution, so that decisions on
the others become cautious. Groups, letters and rank intervals are all read off these decisions, see letters.py.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness import progress
from harness.compare.corrections import resamples_needed
from harness.compare.fixed_point import to_fixed_point
from harness.errors import InvalidInput

_CHUNK_RESAMPLES = 10_000
_MOST_THREADS = 8
_RELATIVE_TOLERANCE = 1e-12
_WORDS_PER_COUNT = 4  # 64-bit words that Philox makes from one value of its counter


class Column(NamedTuple):
    """Scores of K systems on one column of a table.

    ``contributions``: float64, shape (units, K), a unit's share of each system's statistic; on a macro average the sum over
    the unit's topics of score / (languages * topics of the language). ``units``: their names; a unit's permutations depend
    on its name, K and the seed alone.
    """

    contributions: NDArray[np.float64]
    units: Sequence[str]


@dataclass(frozen=True)
class AllPairs:
    """Decisions on all pairs of K systems.

    ``totals``: float64, shape (K,), the systems' statistics; ``p_adjusted``: float64, shape (K, K), symmetric, 1 on the
    diagonal; ``alpha``: the family-wise error; ``resamples``: their number B.
    """

    totals: NDArray[np.float64]
    p_adjusted: NDArray[np.float64]
    alpha: float
    resamples: int

    @property
    def significant(self) -> NDArray[np.bool_]:
        """Shape (K, K), symmetric: the two systems differ."""
        return np.asarray(self.p_adjusted <= self.alpha)

    @property
    def better(self) -> NDArray[np.bool_]:
        """Shape (K, K): the row's system is significantly better than the column's."""
        return self.significant & (self.totals[:, None] > self.totals[None, :])


def all_pairs(
    contributions: NDArray[np.float64],
    units: Sequence[str],
    resamples: int,
    seed: int,
    alpha: float = 0.05,
    threads: int | None = None,
) -> AllPairs:
    """Randomised Tukey test of all pairs of systems on one column; see ``all_pairs_of``."""
    return all_pairs_of([Column(contributions, units)], resamples, seed, alpha, threads)[0]


def all_pairs_of(
    columns: Sequence[Column], resamples: int, seed: int, alpha: float = 0.05, threads: int | None = None
) -> list[AllPairs]:
    """Randomised Tukey test of all pairs of systems on several columns, each by itself.

    A unit is permuted alike in all columns that have the same number of systems, which is computed once.

    Parameters
    ----------
    alpha
        Family-wise error of the decisions.
    threads
        Number of threads (default: the machine's cores, at most 8). The result does not depend on it.

    Returns
    -------
    AllPairs
        Adjusted p = (b + 1) / (B + 1), b the number of the B resamples whose largest difference between two systems is
        at least the observed difference of the pair; equality with a tolerance of 1e-12 of the largest difference that
        is possible. The result does not depend on the order of units or systems, nor on chunks or threads.

    Raises
    ------
    InvalidInput
        When a unit occurs twice, shapes disagree, a score is not finite, or B is below 5 / alpha.
    """
    if resamples < (needed := resamples_needed(1, alpha)):
        raise InvalidInput(f"{resamples} resamples are too few at alpha {alpha}; at least {needed} are needed")
    for column in columns:
        if column.contributions.shape[0] != len(column.units):
            raise InvalidInput(f"{len(column.units)} units, but contributions of {column.contributions.shape[0]}")
        if len(set(column.units)) < len(column.units):
            raise InvalidInput("a unit occurs twice; its contributions must be summed, since it is permuted as one")
    found: dict[int, AllPairs] = {}
    for systems in dict.fromkeys(column.contributions.shape[1] for column in columns):
        places = [place for place, column in enumerate(columns) if column.contributions.shape[1] == systems]
        alike = [columns[place] for place in places]
        largest = largest_differences(alike, resamples, seed, threads=threads)
        for place, column, own in zip(places, alike, largest, strict=True):
            found[place] = _decided(column.contributions, np.sort(own), alpha)
    return [found[place] for place in range(len(columns))]


def _decided(contributions: NDArray[np.float64], largest: NDArray[np.int64], alpha: float) -> AllPairs:
    """``largest``: the largest differences in all resamples, ascending."""
    resamples = len(largest)
    shares = to_fixed_point(contributions).integers
    sums = shares.sum(axis=0)
    margin = int(_RELATIVE_TOLERANCE * float(np.ptp(shares, axis=1).sum())) if shares.size else 0
    observed = np.abs(sums[:, None] - sums[None, :])
    at_least = resamples - np.searchsorted(largest, observed - margin, side="left")
    p_adjusted = (at_least + 1) / (resamples + 1)
    np.fill_diagonal(p_adjusted, 1.0)
    return AllPairs(contributions.sum(axis=0), p_adjusted, alpha, resamples)


def largest_differences(
    columns: Sequence[Column], resamples: int, seed: int, chunk: int = _CHUNK_RESAMPLES, threads: int | None = None
) -> NDArray[np.int64]:
    """Largest difference between two systems in each resample, on the grid of ``to_fixed_point`` of each column.

    int64, shape (columns, resamples). All columns have the same number of systems. Within a unit the scores are sorted
    before they are dealt out, so that the resamples do not depend on the order in which the systems come. ``chunk``
    resamples are held in memory at a time.
    """
    systems = columns[0].contributions.shape[1]
    # By unit, its scores in every column; one on which all systems agree changes no difference, whatever its permutation.
    dealt: dict[str, list[tuple[int, NDArray[np.int64]]]] = {}
    for number, column in enumerate(columns):
        scores = np.sort(to_fixed_point(column.contributions).integers, axis=1)
        for row in np.flatnonzero(scores[:, :1] != scores[:, -1:]).tolist() if scores.size else ():
            dealt.setdefault(column.units[row], []).append((number, scores[row]))
    units = sorted(dealt)
    workers = max(1, min(threads or os.cpu_count() or 1, _MOST_THREADS, len(units)))
    chunk = max(_WORDS_PER_COUNT, chunk - chunk % _WORDS_PER_COUNT)
    found = np.empty((len(columns), resamples), dtype=np.int64)
    counting = progress.task("test all pairs of systems", resamples * len(units), "permutations")
    with ThreadPoolExecutor(workers) as pool, counting as advance:
        for start in range(0, resamples, chunk):
            stop = min(start + chunk, resamples)

            def totals(worker: int, start: int = start, stop: int = stop) -> NDArray[np.int64]:
                total = np.zeros((len(columns), stop - start, systems), dtype=np.int64)
                for unit in units[worker::workers]:
                    order = permutations(unit, systems, (start, stop), seed)
                    for number, scores in dealt[unit]:
                        # No index is out of range; "wrap" spares the copy that the default makes for its errors.
                        total[number] += scores.take(order, mode="wrap")
                    advance(stop - start)
                return total

            summed = sum(pool.map(totals, range(workers)), np.zeros((1, 1, 1), np.int64))
            found[:, start:stop] = np.ptp(summed, axis=2)
    return found


def permutations(unit: str, systems: int, span: tuple[int, int], seed: int) -> NDArray[np.intp]:
    """Random permutations number ``span[0]`` to ``span[1]`` of a unit, shape (their number, systems).

    They are the order of random 64-bit keys from Philox, keyed by BLAKE2b of seed and unit and set to the count at which
    permutation ``span[0]`` begins; this must be a multiple of 4. The lowest bits of a key are replaced by the index, so
    that sorting the keys sorts the indices; 64 - 5 random bits are left for up to 32 systems, and two equal keys, which
    would favour an order, occur in less than one permutation of 10 ** 15.
    """
    start, stop = span
    digest = hashlib.blake2b(f"{seed}\0{unit}".encode(), digest_size=16, person=b"xdr-permutations").digest()
    generator = np.random.Philox(key=int.from_bytes(digest, "little"))
    generator.advance(start * systems // _WORDS_PER_COUNT)
    keys = np.asarray(generator.random_raw((stop - start) * systems)).reshape(stop - start, systems)
    mask = np.uint64((1 << max(1, (systems - 1).bit_length())) - 1)
    keys = (keys & ~mask) | np.arange(systems, dtype=np.uint64)
    keys.sort(axis=1)
    return (keys & mask).astype(np.intp)
