"""Scores as integers on a common grid, so that sums are exact and equal whatever their order, chunks or threads."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.errors import InvalidInput

_SUM_BITS = 61  # differences of two sums, and their absolute values, still fit in 63 bits


@dataclass(frozen=True)
class FixedPoint:
    """``integers``: int64, the shape of what was converted; a value is its integer times 2 ** -``scale_bits``."""

    integers: NDArray[np.int64]
    scale_bits: int


@dataclass(frozen=True)
class Grid:
    """A value is its integer times 2 ** -``scale_bits``; values that are ``whole`` are themselves integers."""

    scale_bits: int
    whole: bool

    def integers(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        scaled = values if self.whole else np.rint(np.ldexp(values, self.scale_bits))
        return np.asarray(scaled.astype(np.int64))


def grid_of(columns: Iterable[NDArray[np.float64]], value_bits: int = _SUM_BITS) -> Grid:
    """The finest grid for several arrays, each of shape (units, columns), on which no sum over rows can overflow.

    Raises ``InvalidInput`` when a value is not finite. See ``to_fixed_point``.
    """
    largest = column_sum = 0.0
    are_whole = True
    for values in columns:
        if not np.isfinite(values).all():
            raise InvalidInput("scores to compare must be finite numbers")
        magnitudes = np.abs(values)
        largest = max(largest, float(magnitudes.max(initial=0.0)))
        column_sum = max(column_sum, float(magnitudes.sum(axis=0).max(initial=0.0)))
        are_whole = are_whole and np.array_equal(values, np.rint(values))
    if largest == 0:
        return Grid(0, whole=True)
    # frexp: x < 2 ** exponent. One bit is kept free for what rounding adds.
    fitting = min(value_bits - math.frexp(largest)[1], _SUM_BITS - math.frexp(column_sum)[1]) - 1
    return Grid(0, whole=True) if fitting >= 0 and are_whole else Grid(fitting, whole=False)


def to_fixed_point(values: NDArray[np.float64], value_bits: int = _SUM_BITS) -> FixedPoint:
    """The finest grid of a power of two on which no sum over rows (units) can overflow.

    ``values``: shape (units, columns). Integers stay what they are where they fit. Other values are rounded to within
    2 ** -(``value_bits`` + 1) of the largest one, or of the largest absolute sum of a column over 2 ** 62; equal values
    stay equal, so the differences of two columns that agree on a unit are exactly 0 there. Raises ``InvalidInput`` when
    a value is not finite.
    """
    grid = grid_of([values], value_bits)
    return FixedPoint(grid.integers(values), grid.scale_bits)
