"""Today's test of all pairs in steps, to be measured beside the single step that is used (Romano and Wolf, JASA 100, 2005)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.compare.signs import signs


def significant(
    contributions: NDArray[np.float64], units: list[str], resamples: int, seed: int, alpha: float = 0.05
) -> NDArray[np.bool_]:
    """Shape (K, K): which systems differ, two-sided; pairs that are decided leave the distribution for the others."""
    systems = contributions.shape[1]
    one, two = np.triu_indices(systems, 1)
    differences = contributions[:, one] - contributions[:, two]
    scales = np.sqrt((differences**2).sum(axis=0))
    fine = scales > 0
    one, two, differences, scales = one[fine], two[fine], differences[:, fine], scales[fine]
    sums = signs(units, resamples, seed).astype(np.float64).T @ contributions
    resampled = np.abs(sums[:, one] - sums[:, two]) / scales
    observed = np.abs(differences.sum(axis=0)) / scales
    found = np.zeros((systems, systems), dtype=np.bool_)
    left = np.ones(len(observed), dtype=np.bool_)
    while left.any():
        largest = resampled[:, left].max(axis=1)
        p = ((largest[:, None] >= observed[None, :] - 1e-9).sum(axis=0) + 1) / (resamples + 1)
        rejected = left & (p <= alpha)
        if not rejected.any():
            break
        found[one[rejected], two[rejected]] = found[two[rejected], one[rejected]] = True
        left &= ~rejected
    return found
