"""The paired randomization test for whole leaderboards: all tests of a table from one pass over the signs.

Under the null hypothesis that two systems are exchangeable on every unit, the sign of a unit's difference is a coin
(Fisher 1935; for retrieval Smucker, Allan and Carterette, CIKM 2007). A unit is a topic, or a cluster of topics, with
all of its languages: one coin for all of them, since the versions of one question are not independent.

Flipping the signs of units is linear: the resampled difference of two systems is the difference of the two systems'
own signed sums (their projections), which the test of all pairs uses (``all_pairs``). The sums are integers
on a fixed grid and exact, which makes every p-value independent of chunks, threads and the order of units or systems.

The signed sums are matrix products in float32 of digits in base 2 ** 16, which are exact: with digits of at most 2 ** 15
and at most 2 ** 9 units in a block no partial sum exceeds 2 ** 24, below which float32 holds every integer.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from harness import progress
from harness.compare.fixed_point import to_fixed_point
from harness.compare.signs import FIRST_MULTIPLE, signs
from harness.errors import InvalidInput

_DIGIT_BITS = 16
LARGEST_INTEGER_BITS = 47  # three digits
_BLOCK_UNITS = 512
_BLOCK_BYTES = 64 << 20
_CHUNK_RESAMPLES = 16 * FIRST_MULTIPLE  # a block of signs as float32 then fits in the second-level caches of two cores
_MOST_THREADS = 8
_RELATIVE_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Projections:
    """Signed sums of K systems under B resamples, all on one integer grid.

    ``shares``: int64, shape (units, K), what each unit adds to a system's statistic; ``resampled``: int64, shape (K, B).
    """

    shares: NDArray[np.int64]
    resampled: NDArray[np.int64]

    def counts(self) -> NDArray[np.int64]:
        """How many resampled sums of each column are at least as far from 0 as its own, shape (K,)."""
        observed = np.abs(self.shares.sum(axis=0))
        margins = [int(_RELATIVE_TOLERANCE * float(total)) for total in np.abs(self.shares).sum(axis=0)]
        reached = zip(self.resampled, observed, margins, strict=True)
        return np.array(
            [np.count_nonzero(np.abs(sums) >= own - margin) for sums, own, margin in reached], dtype=np.int64
        )

    def p_values(self) -> NDArray[np.float64]:
        """Two-sided p-values, shape (K,), of the hypotheses that each column by itself sums to 0."""
        return np.asarray((self.counts() + 1) / (self.resampled.shape[1] + 1))


def project(
    contributions: NDArray[np.float64],
    units: Sequence[str],
    resamples: int,
    seed: int,
    threads: int | None = None,
    first: int = 0,
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
    first
        Number of the first draw, a multiple of ``signs.FIRST_MULTIPLE``.

    Raises
    ------
    InvalidInput
        When a unit occurs twice, the shapes disagree, or a score is not finite.

    Notes
    -----
    The p-value of a statistic is (b + 1) / (B + 1), b the number of the B resamples whose absolute statistic is at least
    the observed one; equality is decided with relative tolerance 1e-12, for integers exactly.
    """
    check_units(contributions, units)
    shares = to_fixed_point(contributions, LARGEST_INTEGER_BITS).integers
    return project_integers(shares, units, resamples, seed, threads, first)


def check_units(contributions: NDArray[np.float64], units: Sequence[str]) -> None:
    """Raise ``InvalidInput`` unless there is a row for every unit, and every unit once."""
    if contributions.shape[0] != len(units):
        raise InvalidInput(f"{len(units)} units, but contributions of {contributions.shape[0]}")
    if len(set(units)) < len(units):
        raise InvalidInput("a unit occurs twice; its contributions must be summed, since its sign is one")


def project_integers(
    shares: NDArray[np.int64],
    units: Sequence[str],
    resamples: int,
    seed: int,
    threads: int | None = None,
    first: int = 0,
) -> Projections:
    """``project`` for what is on a grid already: int64, shape (units, K), of at most ``LARGEST_INTEGER_BITS`` bits."""
    size = max(1, min(_BLOCK_UNITS, _BLOCK_BYTES // max(1, resamples)))
    # Units of one language next to each other: in most blocks the columns of other languages are then zero and skipped.
    order = np.argsort(np.argmax(shares != 0, axis=1), kind="stable") if shares.size else np.arange(0)
    blocks = [order[start : start + size] for start in range(0, len(order), size)]
    # Threads share out the resamples, so that each has its own part of the result, however few the units are.
    workers = max(1, min(threads or os.cpu_count() or 1, _MOST_THREADS, -(-resamples // _CHUNK_RESAMPLES)))
    step = max(1, -(-resamples // workers // _CHUNK_RESAMPLES)) * _CHUNK_RESAMPLES
    resampled = np.zeros((shares.shape[1], resamples), dtype=np.int64)

    def add_signed_sums(start: int) -> None:
        own = resampled[:, start : start + step]
        for block in blocks:
            _add_block(own, shares[block], signs([units[row] for row in block], own.shape[1], seed, first + start))
            advance(len(block))

    # Threads inside the matrix products would only wait for each other.
    starts = range(0, resamples, step)
    counting = progress.task("randomize", len(order) * len(starts), "units")
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(workers) as pool, counting as advance:
        list(pool.map(add_signed_sums, starts))
    return Projections(shares, resampled)


def _add_block(total: NDArray[np.int64], shares: NDArray[np.int64], flips: NDArray[np.int8]) -> None:
    """Add the block's signed sums, ``shares`` transposed times ``flips``, to ``total`` of shape (K, resamples)."""
    active = np.flatnonzero(shares.any(axis=0))
    # What all numbers of a column are multiples of, as where scores are hits, makes them small: one digit instead of three.
    divisors = np.gcd.reduce(shares[:, active], axis=0)
    digits = _digits((shares[:, active] // divisors).T)
    if not digits:
        return
    stacked = np.concatenate(digits).astype(np.float32)
    resamples = flips.shape[1]
    buffer = np.empty((flips.shape[0], min(_CHUNK_RESAMPLES, resamples)), dtype=np.float32)
    for start in range(0, resamples, _CHUNK_RESAMPLES):
        stop = min(start + _CHUNK_RESAMPLES, resamples)
        chunk = buffer[:, : stop - start]
        chunk[...] = flips[:, start:stop]
        products = (stacked @ chunk).astype(np.int64).reshape(len(digits), len(active), stop - start)
        for place in range(len(digits)):
            product = products[place]
            product *= (divisors << (_DIGIT_BITS * place))[:, None]
            if len(active) == len(total):  # a view; a choice of rows is copied twice
                total[:, start:stop] += product
            else:
                total[active, start:stop] += product


def _digits(integers: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Digits in base 2 ** 16 between -2 ** 15 and 2 ** 15, least significant first; as few as are needed."""
    half = 1 << (_DIGIT_BITS - 1)
    rest, digits = integers, []
    while rest.any():
        carried = (rest + half) >> _DIGIT_BITS
        digits.append(rest - (carried << _DIGIT_BITS))
        rest = carried
    return digits


def p_values(
    contributions: NDArray[np.float64], units: Sequence[str], resamples: int, seed: int
) -> NDArray[np.float64]:
    """Two-sided p-values of the columns' sums, shape (statistics,); parameters and errors are those of ``project``."""
    return project(contributions, units, resamples, seed).p_values()
