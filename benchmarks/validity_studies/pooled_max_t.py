"""The test of all pairs that was used before, kept to be measured beside today's: the randomised Tukey test.

Labels of the systems are permuted within every unit, and each pair's raw difference is held against the largest raw difference
of any two systems (Carterette, ACM TOIS 30(1), 2012). That pools the noise of all pairs, and is right where all systems are
exchangeable, not only equally good.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

_SEED = 20230723


def significant(contributions: NDArray[np.float64], resamples: int, alpha: float = 0.05) -> list[NDArray[np.bool_]]:
    """Of each board, shape (K, K): which systems differ; ``contributions``: shape (boards, units, K)."""
    units, systems = contributions.shape[1:]
    order = _permutations(units, systems, resamples)
    found = []
    for own in contributions:
        totals = np.zeros((resamples, systems))
        for unit in range(units):
            totals += own[unit].take(order[unit], mode="wrap")
        largest = np.sort(np.ptp(totals, axis=1))
        sums = own.sum(axis=0)
        observed = np.abs(sums[:, None] - sums[None, :]) - 1e-12
        p = (resamples - np.searchsorted(largest, observed, side="left") + 1) / (resamples + 1)
        np.fill_diagonal(p, 1.0)
        found.append(np.asarray(p <= alpha))
    return found


@functools.lru_cache(maxsize=2)
def _permutations(units: int, systems: int, resamples: int) -> NDArray[np.intp]:
    """The same in all experiments, as a track's draws are: shape (units, resamples, systems)."""
    generator = np.random.default_rng([_SEED, units, systems])
    rows = np.broadcast_to(np.arange(systems), (units, resamples, systems))
    return generator.permuted(rows, axis=2).astype(np.intp)
