"""How large a difference is, beside whether there is one."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from harness.errors import InvalidInput


def cohen_dz(differences: NDArray[np.float64]) -> float:
    """Mean of the differences over their standard deviation (divisor n - 1), without unit; ``differences``: shape (topics,).

    Cohen 1988; named d_z by Lakens 2013; for retrieval Sakai, Laboratory Experiments in Information Retrieval, 2018. Times
    sqrt(n) it is the paired t. 0 when all differences are 0, signed infinity when all are equal and not 0. Raises
    ``InvalidInput`` for fewer than two differences, and for one that is not finite.
    """
    if not np.isfinite(differences).all():
        raise InvalidInput("differences of scores must be finite numbers")
    if differences.size < 2:
        raise InvalidInput("an effect size needs at least two topics")
    mean = float(differences.mean())
    if np.ptp(differences) == 0:
        return math.copysign(math.inf, mean) if mean else 0.0
    return mean / float(differences.std(ddof=1))
