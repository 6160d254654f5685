"""The randomization test's exact p-value, where the units' shares are few multiples of one quantity, as those of hits are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MOST_ADDITIONS = 200_000_000
_RELATIVE_TOLERANCE = 1e-9


def exact_p(shares: NDArray[np.float64]) -> float | None:
    """Share of all 2 ** n assignments of signs whose absolute sum reaches the observed one; None where that is too much work.

    ``shares``: float64, shape (units,), what each unit adds to the statistic. The distribution of the sum is built unit by
    unit (the shift algorithm of Pagano and Tritchler, JASA 78, 1983), on the grid of the largest quantity of which all shares
    are multiples: for hits of one language the binomial distribution, for a macro average of languages of equal size a sum of
    a few. Languages of unequal sizes have no such grid that is coarse enough.
    """
    weights = _multiples(shares)
    if weights is None:
        return None
    magnitudes = np.sort(np.abs(weights[weights != 0]))
    if 2 * int(np.cumsum(magnitudes).sum()) > _MOST_ADDITIONS:
        return None
    distribution = np.ones(1)  # of the sums -W, -W + 2, ..., W, W that of the magnitudes so far
    for magnitude in magnitudes.tolist():
        longer = np.zeros(len(distribution) + magnitude)
        longer[: len(distribution)] = distribution / 2
        longer[magnitude:] += distribution / 2
        distribution = longer
    total = int(magnitudes.sum())
    sums = 2 * np.arange(len(distribution)) - total
    return min(1.0, float(distribution[np.abs(sums) >= abs(int(weights.sum()))].sum()))


def _multiples(shares: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """The shares as multiples of their greatest common divisor, but for rounding; None where that is too small."""
    magnitudes = np.unique(np.abs(shares[shares != 0]))
    if not magnitudes.size:
        return np.zeros(len(shares), np.int64)
    nothing = _RELATIVE_TOLERANCE * float(magnitudes[-1])
    divisor = float(magnitudes[0])
    for magnitude in magnitudes.tolist():
        rest = magnitude
        while rest > nothing:
            divisor, rest = rest, divisor % rest
            # What is left over just below the divisor is a multiple, too.
            if divisor - rest <= nothing:
                rest = 0.0
        if divisor * _MOST_ADDITIONS < float(np.abs(shares).sum()):
            return None
    weights = np.rint(shares / divisor)
    if (np.abs(weights * divisor - shares) > nothing).any():
        return None
    return weights.astype(np.int64)
