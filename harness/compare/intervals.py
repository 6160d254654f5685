"""Confidence intervals: Wilson's of a hit rate, and a bootstrap of units."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from harness import progress
from harness.compare.units import UnitTable
from harness.errors import InvalidInput

_CHUNK_DRAWS = 1 << 22
_CHUNKS_KEPT = 16  # of 8 MiB
_WORDS_PER_COUNT = 4  # 64-bit words that Philox makes from one value of its counter


@dataclass(frozen=True)
class Interval:
    """Limits of a two-sided confidence interval and the method that made it."""

    lower: float
    upper: float
    method: str


def wilson(hits: int, topics: int, level: float = 0.95) -> Interval:
    """Score interval of a hit rate (Wilson 1927), as SciPy's ``binomtest`` gives it.

    Raises ``InvalidInput`` unless 0 <= hits <= topics > 0.
    """
    if not 0 <= hits <= topics or not topics:
        raise InvalidInput(f"{hits} hits in {topics} topics is no hit rate")
    return Interval(*wilson_limits(hits / topics, topics, float(special.ndtri((1 + level) / 2))), "Wilson")


def wilson_limits(rate: float, topics: float, z: float) -> tuple[float, float]:
    """Wilson's limits of a rate of ``topics``, not necessarily a whole number, with the normal (or t) quantile ``z``."""
    # Written out, since scipy.stats takes half a second to import and this is all that most leaderboards need of it.
    scale = 1 + z**2 / topics
    centre = (rate + z**2 / (2 * topics)) / scale
    half = z * math.sqrt(rate * (1 - rate) / topics + z**2 / (4 * topics**2)) / scale
    return (0.0 if rate == 0 else centre - half), (1.0 if rate == 1 else centre + half)


def bootstrap(table: UnitTable, resamples: int, seed: int, level: float = 0.95) -> Interval:
    """Percentile interval of the macro average (of one language: the mean), units resampled as a whole.

    Efron 1979. A drawn unit brings all of its topics in all of its languages; each language's mean is over the topics
    drawn. Where no unit stands in two languages, the units of each language are drawn by themselves. The draws come from
    Philox, keyed by BLAKE2b of seed (and language), over units sorted by name: the interval does not depend on their
    order. Resamples in which a language got no topic are left out.

    Raises
    ------
    InvalidInput
        With fewer than two units, or fewer than 40 / (1 - level) resamples, which leave fewer than twenty in each tail.
    """
    if len(table.units) < 2:
        raise InvalidInput("a bootstrap interval needs at least two units")
    if resamples < (needed := math.ceil(40 / (1 - level) - 1e-9)):
        raise InvalidInput(
            f"{resamples} resamples are too few for a {level:.0%} interval; at least {needed} are needed"
        )
    statistics = bootstrap_statistics(table, resamples, seed)
    lower, upper = np.quantile(statistics[np.isfinite(statistics)], ((1 - level) / 2, (1 + level) / 2))
    return Interval(float(lower), float(upper), f"bootstrap of {len(table.units)} units, {resamples} resamples")


def bootstrap_statistics(table: UnitTable, resamples: int, seed: int) -> NDArray[np.float64]:
    """The macro average in each resample, shape (resamples,); nan where a language has no topic."""
    if not table.nested:
        return np.asarray(resampled_means(table.sums, table.counts, resamples, f"{seed}").mean(axis=1))
    means = np.empty((resamples, len(table.languages)))
    for column, language in enumerate(table.languages):
        rows = table.counts[:, column] > 0
        sums, counts = table.sums[rows, column : column + 1], table.counts[rows, column : column + 1]
        means[:, column] = resampled_means(sums, counts, resamples, f"{seed}\0{language}")[:, 0]
    return np.asarray(means.mean(axis=1))


def resampled_means(
    sums: NDArray[np.float64], counts: NDArray[np.int64], resamples: int, key: str
) -> NDArray[np.float64]:
    """Means of the columns in each resample of the rows (units), shape (resamples, columns).

    ``sums``, ``counts``: shape (units, columns), as in ``UnitTable``; one column of counts may serve all sums. ``key``
    decides the draws.
    """
    both = np.concatenate([sums, counts], axis=1)
    columns = sums.shape[1]
    chunks = []
    with progress.task("bootstrap", resamples, "resamples") as advance:
        for drawn in _draws(len(sums), resamples, key):
            chunks.append(drawn @ both)
            advance(len(drawn))
    totals = np.concatenate(chunks)
    with np.errstate(invalid="ignore"):
        return np.asarray(totals[:, :columns] / totals[:, columns:])


def _draws(units: int, resamples: int, key: str) -> Iterator[NDArray[np.float64]]:
    """How often each unit is drawn, shape (some resamples, units) at a time; row b depends on b and the key alone."""
    rows = max(1, _CHUNK_DRAWS // units // _WORDS_PER_COUNT) * _WORDS_PER_COUNT
    for start in range(0, resamples, rows):
        yield _drawn(units, start, min(rows, resamples - start), key).astype(np.float64)


# All systems of a column are resampled alike, and drawing takes ten times as long as all the rest.
@lru_cache(maxsize=_CHUNKS_KEPT)
def _drawn(units: int, start: int, number: int, key: str) -> NDArray[np.uint16]:
    """Resamples ``start``, a multiple of 4, to ``start + number``, shape (number, units)."""
    digest = hashlib.blake2b(key.encode(), digest_size=16, person=b"xdr-bootstrap").digest()
    generator = np.random.Philox(key=int.from_bytes(digest, "little"))
    generator.advance(start * units // _WORDS_PER_COUNT)
    # The upper 53 bits as a number in [0, 1); Philox gives the words one after the other, whatever the chunks.
    uniform = (generator.random_raw(number * units) >> np.uint64(11)) * 2.0**-53
    drawn = (uniform * units).astype(np.int64).reshape(number, units)
    cells = (drawn + np.arange(number)[:, None] * units).ravel()
    # A unit is drawn once on average, and never 65,536 times.
    return np.bincount(cells, minlength=number * units).reshape(number, units).astype(np.uint16)
