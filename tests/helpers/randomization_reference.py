"""The paired randomization test, with whole units flipped, as plainly as it can be written.

Under the null hypothesis that two systems are exchangeable on every unit, the sign of a unit's difference is a coin
(Fisher 1935; for retrieval Smucker, Allan and Carterette, CIKM 2007). A unit is a topic, or a cluster of topics, with
all of its languages: one coin for all of them, since the versions of one question are not independent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.compare.signs import signs

_CHUNK_BYTES = 256 << 20
_RELATIVE_TOLERANCE = 1e-12


def p_values(
    contributions: NDArray[np.float64], units: Sequence[str], resamples: int, seed: int
) -> NDArray[np.float64]:
    """Two-sided p-values of the statistics that are the column sums of ``contributions``.

    ``contributions``: shape (units, statistics); a unit's share of each statistic, for example the sum of its score
    differences. Returns shape (statistics,): p = (b + 1) / (B + 1), b the number of the B resamples whose absolute
    statistic is at least the observed one; equality is decided with relative tolerance 1e-12 (integers: exactly).
    """
    observed = np.abs(contributions.sum(axis=0))
    margin = _RELATIVE_TOLERANCE * np.abs(contributions).sum(axis=0)
    at_least = np.zeros(contributions.shape[1], dtype=np.int64)
    for resampled in _null_statistics(contributions, units, resamples, seed):
        at_least += (np.abs(resampled) >= observed - margin).sum(axis=0)
    return (at_least + 1) / (resamples + 1)


def _null_statistics(
    contributions: NDArray[np.float64], units: Sequence[str], resamples: int, seed: int
) -> Iterator[NDArray[np.float64]]:
    """Resampled statistics, shape (some resamples, statistics) at a time, in bounded memory."""
    all_signs = signs(units, resamples, seed)
    rows = max(1, _CHUNK_BYTES // (8 * max(1, len(units))))
    for start in range(0, resamples, rows):
        chunk = all_signs[:, start : start + rows].astype(np.float64)
        yield chunk.T @ contributions


def smallest_p(resamples: int) -> float:
    return 1 / (resamples + 1)
