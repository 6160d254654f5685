"""The paired randomization test for whole leaderboards: all tests of a table from one pass over the signs.

Under the null hypothesis that two systems are exchangeable on every unit, the sign of a unit's difference is a coin
(Fisher 1935; for retrieval Smucker, Allan and Carterette, CIKM 2007). A unit is a topic, or a cluster of topics, with
all of its languages: one coin for all of them, since the versions of one question are not independent.

Flipping the signs of units is linear: the resampled difference of two systems is the difference of the two systems'
own signed sums (their projections), which the test of all pairs uses (``all_pairs``). The sums are integers
on a fixed grid and exact (``signed_sums``), which makes every p-value independent of chunks, threads and the order of units
or systems.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.compare.fixed_point import grid_of, to_fixed_point
from harness.compare.signed_sums import CHUNK_DRAWS, Draws, SignedSums
from harness.errors import InvalidInput

LARGEST_INTEGER_BITS = 47  # three digits
_RELATIVE_TOLERANCE = 1e-12
_MOST_SHARES_BYTES = 256 << 20
"""Of the shares that are multiplied together; what is made of them takes several times as much."""


class Block(NamedTuple):
    """Columns of units' shares, float64, shape (units, K), that are 0 on all units but these."""

    contributions: NDArray[np.float64]
    units: Sequence[str]


@dataclass(frozen=True)
class Projections:
    """Signed sums of K systems under B resamples, all on one integer grid.

    ``shares``: int64, shape (units, K), what each unit adds to a system's statistic. ``reduced``: int32 where that is enough,
    else int64, shape (K, B), the sums divided by ``divisors``, shape (K,), what all shares of a system are multiples of.
    """

    shares: NDArray[np.int64]
    reduced: NDArray[np.signedinteger]
    divisors: NDArray[np.int64]

    @property
    def resampled(self) -> NDArray[np.int64]:
        """The sums, int64, shape (K, B)."""
        return np.asarray(self.reduced * self.divisors[:, None], dtype=np.int64)


def project(
    contributions: NDArray[np.float64], units: Sequence[str], draws: Draws, threads: int | None = None
) -> Projections:
    """Signed sums of all columns under the signs of ``signs.signs``.

    Parameters
    ----------
    contributions
        float64, shape (units, K): a unit's share of each system's statistic, for example the sum of its scores, or for
        a macro average the sum over the unit's topics of score / (languages * topics of the language).
    units
        Names of the units; the sign of a unit depends on its name and the seed alone. No name may occur twice.
    threads
        Number of threads (default: the machine's cores, at most 8). The result does not depend on it.

    Raises
    ------
    InvalidInput
        When a unit occurs twice, the shapes disagree, or a score is not finite.
    """
    shares = _on_grid(contributions, units)
    return project_sums(shares, SignedSums(shares, units), draws, threads)


def project_sums(shares: NDArray[np.int64], sums: SignedSums, draws: Draws, threads: int | None = None) -> Projections:
    """``project`` for what is on a grid already, int64, shape (units, K), of at most ``LARGEST_INTEGER_BITS`` bits.

    ``sums``: the shares' signed sums, made once for several ranges of draws.
    """
    reduced = np.empty((shares.shape[1], draws.resamples), dtype=np.int32 if sums.narrow.all() else np.int64)

    def keep(start: int, columns: NDArray[np.int64], found: NDArray[np.float32] | NDArray[np.int64]) -> None:
        reduced[columns, start : start + found.shape[1]] = found

    sums.over(draws, keep, threads)
    return Projections(shares, reduced, sums.divisors)


def reached(
    contributions: NDArray[np.float64], units: Sequence[str], draws: Draws, threads: int | None = None
) -> NDArray[np.int64]:
    """How many resampled sums of each column are at least as far from 0 as its own, shape (K,).

    Equality is decided with relative tolerance 1e-12, for integers exactly. Parameters and errors are those of ``project``.
    """
    return reached_on([Block(contributions, units)], draws, threads)


def reached_on(blocks: Sequence[Block], draws: Draws, threads: int | None = None) -> NDArray[np.int64]:
    """``reached`` for the columns of several blocks, one after the other, all on one grid: as if they were one with many zeros.

    The columns of a language know its own units alone, and the sum of languages would grow with their square.
    """
    for block in blocks:
        check_units(*block)
    grid = grid_of((block.contributions for block in blocks), LARGEST_INTEGER_BITS)
    found = [
        _counted(grid.integers(some.contributions), some.units, draws, threads)
        for block in blocks
        for some in _parts_of(block)
    ]
    return np.concatenate([np.empty(0, np.int64), *found])


def _parts_of(block: Block) -> Iterator[Block]:
    """Some columns at a time, as many as fit into memory."""
    step = max(1, _MOST_SHARES_BYTES // (8 * max(1, len(block.units))))
    for start in range(0, block.contributions.shape[1], step):
        yield Block(block.contributions[:, start : start + step], block.units)


def _counted(shares: NDArray[np.int64], units: Sequence[str], draws: Draws, threads: int | None) -> NDArray[np.int64]:
    sums = SignedSums(shares, units)
    least = observed_less_noise(shares.sum(axis=0), np.abs(shares).sum(axis=0), sums.divisors)
    counts = np.zeros((-(-draws.resamples // CHUNK_DRAWS), shares.shape[1]), dtype=np.int64)

    def count(start: int, columns: NDArray[np.int64], found: NDArray[np.float32] | NDArray[np.int64]) -> None:
        far = np.abs(found, out=found) >= least[columns].astype(found.dtype)[:, None]
        # One row at a time: along an axis numpy would first make integers of all of them.
        counts[start // CHUNK_DRAWS, columns] = [np.count_nonzero(row) for row in far]

    sums.over(draws, count, threads)
    return np.asarray(counts.sum(axis=0))


def observed_less_noise(
    sums: NDArray[np.int64], magnitudes: NDArray[np.int64], divisors: NDArray[np.int64]
) -> NDArray[np.int64]:
    """What a resampled sum must reach, both divided by ``divisors``: the observed one, but for the tolerance.

    ``sums`` of shares and of their ``magnitudes``. What is divided is rounded up, since the resampled sums are multiples.
    """
    margins = (_RELATIVE_TOLERANCE * magnitudes.astype(np.float64)).astype(np.int64)
    return np.asarray(-((margins - np.abs(sums)) // np.maximum(1, divisors)))


def p_values(
    contributions: NDArray[np.float64], units: Sequence[str], resamples: int, seed: int
) -> NDArray[np.float64]:
    """Two-sided p-values, shape (K,), of the hypotheses that each column by itself sums to 0: (b + 1) / (B + 1).

    b is the number of the B resamples that ``reached`` counts; parameters and errors are those of ``project``.
    """
    return p_values_on([Block(contributions, units)], resamples, seed)


def p_values_on(blocks: Sequence[Block], resamples: int, seed: int) -> NDArray[np.float64]:
    """``p_values`` for the columns of several blocks, one after the other."""
    return np.asarray((reached_on(blocks, Draws(resamples, seed)) + 1) / (resamples + 1))


def check_units(contributions: NDArray[np.float64], units: Sequence[str]) -> None:
    """Raise ``InvalidInput`` unless there is a row for every unit, and every unit once."""
    if contributions.shape[0] != len(units):
        raise InvalidInput(f"{len(units)} units, but contributions of {contributions.shape[0]}")
    if len(set(units)) < len(units):
        raise InvalidInput("a unit occurs twice; its contributions must be summed, since its sign is one")


def _on_grid(contributions: NDArray[np.float64], units: Sequence[str]) -> NDArray[np.int64]:
    check_units(contributions, units)
    return to_fixed_point(contributions, LARGEST_INTEGER_BITS).integers
