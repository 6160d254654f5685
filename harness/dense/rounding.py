"""How far inner products in float32 can be from true ones, and from one another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.errors import InvalidInput

_UNIT = 2.0**-24
"""The largest relative error of rounding to float32."""


def longest(documents: NDArray[np.float32]) -> float:
    """At least the length of the longest vector. ``documents``: shape (documents, dimensions)."""
    squares: NDArray[np.float32] = np.einsum("ij,ij->i", documents, documents)
    if not np.isfinite(squares).all():
        raise InvalidInput("vectors are too long (or not finite), so that their inner products are no float32 numbers")
    # What float32 lost: by rounding less than a thousandth, and squares of numbers below 2**-63.
    return 1.001 * float(np.sqrt(squares.max(initial=0))) + float(np.sqrt(documents.shape[1])) * 2.0**-63


def largest_difference(dimensions: int, products_of_lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far two float32 inner products of the same vectors may be from each other, whatever the order of their sums.

    Each is as far from the true one as Higham, Accuracy and Stability of Numerical Algorithms (2nd ed., 2002), equation 3.5,
    says with the inequality of Cauchy and Schwarz; and products can be too small for float32.
    """
    share = dimensions * _UNIT
    return 2 * (share / (1 - share) * products_of_lengths + dimensions * float(np.finfo(np.float32).tiny))
