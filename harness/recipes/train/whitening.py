"""Vectors with their mean taken off and their covariance evened out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.errors import InvalidInput

_SMALLEST = 1e-3
"""Of the mean variance: directions of less are enlarged no more than one of so much."""


def whitened(vectors: NDArray[np.float32], exponent: float) -> NDArray[np.float64]:
    """``(v - mean) C^(-exponent / 2)`` with the vectors' covariance C, in the axes that they had (ZCA).

    ``exponent`` 1: equal variance in all directions, 0: only the mean is taken off. Raises ``InvalidInput`` for vectors that
    are all alike, of which nothing would be left.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    values, axes = np.linalg.eigh(centred.T @ centred / len(centred))
    if values.max() <= np.finfo(np.float32).eps ** 2:
        raise InvalidInput(
            f"{len(vectors)} vectors are all alike: less their mean nothing is left that could be learned"
        )
    factors = np.maximum(values, _SMALLEST * values.mean()) ** (-exponent / 2)
    result: NDArray[np.float64] = centred @ (axes * factors) @ axes.T
    return result


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """The vectors divided by their lengths; one of length zero stays so."""
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    result: NDArray[np.float32] = (vectors / lengths).astype(np.float32)
    return result
