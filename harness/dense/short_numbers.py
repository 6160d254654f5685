"""Vectors in short numbers, and how far from an inner product that of the short ones can be: never further, proven.

A document is x = c + s i + e: c the middle of its block, s its unit, i integers of 8 bits, e the rest. A query is
q = t j + f in the same way, without a middle. So

    <q, x> = <q, c> + t s <j, i> + s <f, i> + <q, e>,

where <j, i> is a product of integers, and by the inequality of Cauchy and Schwarz the last two are at most |f| s |i| + |q| |e|.
These lengths are measured for each vector, not assumed; what their own computation in float32 and float64 can lose is
added. (The middle is taken away because vectors of many encoders lie close to one another: what is left is shorter, and so
is what short numbers lose of it.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.compute.integer_products import LARGEST_LEFT, LARGEST_PAIR, ZERO, Packed, packed, scaled_products
from harness.dense.rounding import largest_difference

_LEAST_UNIT = 2.0**-100
"""So that products with a unit are no subnormal numbers."""

_ROWS_AT_ONCE = 128
"""Documents whose numbers stay in the processor's cache."""

_LENGTH = 1.001
"""A length in float32 is at least that much shorter than it should be: a sum of squares loses less than a thousandth."""

_SMALL_SQUARES = 2.0**-63
"""What is lost of a length, for each dimension's square root, by squares that are too small for float32."""

_PRODUCT = 2.0**-20
"""More than what scaling, offset and the conversion of integers lose in float32, as a share of the largest ones."""

_DOUBLE = 2.0**-40
"""More than what sums of float64 numbers lose here, as a share of the largest ones."""


class ShortQueries(NamedTuple):
    """``codes``: j, with ``ZERO`` added, uint8, shape (queries, dimensions). The others: float64, shape (queries,).

    ``rests`` and ``lengths`` are at least |f| / t and |q| / t; ``units`` is t; ``exact``: the queries themselves.
    """

    exact: NDArray[np.float32]
    codes: NDArray[np.uint8]
    units: NDArray[np.float64]
    rests: NDArray[np.float64]
    lengths: NDArray[np.float64]


class ShortDocuments(NamedTuple):
    """``codes``: i, for products; ``units``: s, float32. ``lengths`` and ``rests`` are at least s |i| and |e|, float64."""

    middle: NDArray[np.float32]
    codes: Packed
    units: NDArray[np.float32]
    lengths: NDArray[np.float64]
    rests: NDArray[np.float64]


class Estimates(NamedTuple):
    """A document whose value, float32, shape (queries, documents), is below its query's limit scores below the threshold."""

    values: NDArray[np.float32]
    limits: NDArray[np.float32]

    def reach(self) -> NDArray[np.bool_]:
        """Shape (queries, documents). What is not a number, as of vectors too long for such sums, is not left out."""
        found = self.values < self.limits[:, None]
        return np.logical_not(found, out=found)


def short_queries(queries: NDArray[np.float32]) -> ShortQueries:
    """``queries``: float32, finite, shape (queries, dimensions)."""
    exact = queries.astype(np.float64)
    units = np.maximum(np.abs(exact).max(axis=1) / LARGEST_LEFT, _LEAST_UNIT)
    codes = np.rint(exact / units[:, None])
    lengths = np.linalg.norm(exact, axis=1) * (1 + _DOUBLE)
    rests = np.linalg.norm(exact - units[:, None] * codes, axis=1) + _DOUBLE * lengths
    return ShortQueries(queries, (codes + ZERO).astype(np.uint8), units, rests / units, lengths / units)


def short_documents(documents: NDArray[np.float32], queries_at_once: int) -> ShortDocuments:
    """``documents``: float32, shape (documents, dimensions), two of these at least; squares of lengths finite.

    ``queries_at_once``: how many are going to be multiplied with them, which changes no values.
    """
    import torch

    count, dimensions = documents.shape
    codes = torch.empty(count, dimensions, dtype=torch.int8)
    units, lengths, rests = (torch.empty(count) for _ in range(3))
    with torch.inference_mode():
        vectors = torch.from_numpy(documents)
        middle = vectors.mean(0)
        for start in range(0, count, _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            left = vectors[rows] - middle
            sizes = left.abs()
            # Rounding adds at most a half to each of two neighbours, which so have LARGEST_PAIR together at most.
            unit = (sizes[:, :-1] + sizes[:, 1:]).amax(1).div_(LARGEST_PAIR - 1).clamp_(min=_LEAST_UNIT)
            short = (left / unit[:, None]).round_()
            codes[rows] = short
            short.mul_(unit[:, None])
            units[rows] = unit
            lengths[rows] = torch.linalg.vector_norm(short, dim=1)
            rests[rows] = torch.linalg.vector_norm(left.sub_(short), dim=1)
        own = packed(codes, queries_at_once)
    lost = np.sqrt(dimensions) * _SMALL_SQUARES
    at_least = _LENGTH * lengths.numpy().astype(np.float64) + lost
    # The middle was taken away, multiplied and taken away again in float32: each time 2**-24 of lengths no longer than both.
    rest = _LENGTH * rests.numpy().astype(np.float64) + 2.0**-22 * at_least + lost
    return ShortDocuments(middle.numpy(), own, units.numpy(), at_least, rest)


def estimates(queries: ShortQueries, documents: ShortDocuments, needed: NDArray[np.float64]) -> Estimates:
    """``needed``: what <q, x> must reach, shape (queries,).

    To reach n, x must have s <j, i> + (|f| / t) s |i| + (|q| / t) |e| >= (n - <q, c>) / t. The two shares are about the same
    for all queries: the documents' parts are added with their medians, and what a query's own differ from these moves its
    limit, by as much as the document with the longest or the shortest rest needs.
    """
    import torch

    with torch.inference_mode():
        to_middle = (
            torch.mv(torch.from_numpy(queries.exact), torch.from_numpy(documents.middle)).numpy().astype(np.float64)
        )
    width = queries.codes.shape[1]
    middle_length = (1 + _DOUBLE) * float(np.linalg.norm(documents.middle.astype(np.float64)))
    unsure = largest_difference(width, queries.lengths * queries.units * middle_length)
    rest, length = float(np.median(queries.rests)), float(np.median(queries.lengths))
    with np.errstate(over="ignore", invalid="ignore"):
        offsets = rest * documents.lengths + length * documents.rests
        values = scaled_products(queries.codes, documents.codes, documents.units, offsets.astype(np.float32))
        largest = float(documents.units.max()) * (ZERO + LARGEST_LEFT) * LARGEST_PAIR / 2 * width + float(offsets.max())
        lost = _PRODUCT * largest + float(np.finfo(np.float32).tiny)
        moved = _most(queries.rests - rest, documents.lengths) + _most(queries.lengths - length, documents.rests)
        lost += _DOUBLE * ((np.abs(needed) + np.abs(to_middle)) / queries.units + np.abs(moved))
        limits = (needed - to_middle - unsure) / queries.units - moved - lost
        rounded = np.nextafter(limits.astype(np.float32), np.float32(-np.inf))
    return Estimates(values, np.where(np.isfinite(limits), rounded, np.float32(-np.inf)))


def _most(factors: NDArray[np.float64], lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest product of each factor, of either sign, with any of the lengths."""
    return np.maximum(factors * float(lengths.max()), factors * float(lengths.min()))
