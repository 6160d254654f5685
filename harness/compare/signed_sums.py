"""Sums of integer columns under the signs of units: exact matrix products in float32, a chunk of draws at a time.

Float32 holds every integer up to 2 ** 24. A column is divided by what all its shares are multiples of. Where its magnitudes
then add up to less than that, as those of hits do, it is one product. Other columns are products of digits in base 2 ** 16,
added up as int64: with digits of at most 2 ** 15 and at most 2 ** 9 units in a block no partial sum exceeds 2 ** 24.

Columns that are not 0 on the same units go together, and without all others: those of one language know the units of this
language alone.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from harness import progress
from harness.compare.signs import FIRST_MULTIPLE, PAGE_DRAWS, drawn, to_floats

CHUNK_DRAWS = 16 * FIRST_MULTIPLE
_BLOCK_UNITS = 512
_EXACT = 1 << 24
_DIGIT_BITS = 16
MOST_THREADS = 8
_MOST_DRAWN_BYTES = 256 << 20
# What a group costs for each unit, and for itself, in products of one unit and one column.
_COST_OF_UNIT, _COST_OF_GROUP = 8, 100

See = Callable[[int, NDArray[np.int64], NDArray[np.float32] | NDArray[np.int64]], None]
"""Is given the number of a chunk's first draw, the places of some columns, and their sums, shape (columns, draws), divided by
``divisors``. Called by several threads, each with other draws. The sums are overwritten afterwards, and may be before.
"""


class Draws(NamedTuple):
    """Draws number ``first``, a multiple of ``signs.FIRST_MULTIPLE``, to ``first + resamples``."""

    resamples: int
    seed: int
    first: int = 0


@dataclass(frozen=True)
class _Group:
    """Columns that are multiplied together. ``blocks``: places of units, and the columns' digits there, float32, shape
    (digits * columns, units), the lowest digits first; one digit where the columns are ``narrow``."""

    columns: NDArray[np.int64]
    narrow: bool
    blocks: tuple[tuple[NDArray[np.int64], NDArray[np.float32]], ...]


class SignedSums:
    """``shares``: int64, shape (units, K), what each unit adds to a column's sum, which is below 2 ** 62 for any signs.

    ``divisors``: int64, shape (K,), the greatest common divisor of each column's shares, 0 for a column of zeros.
    """

    def __init__(self, shares: NDArray[np.int64], units: Sequence[str]) -> None:
        self._units = units
        self.divisors = np.gcd.reduce(shares, axis=0) if len(shares) else np.zeros(shares.shape[1], np.int64)
        reduced = shares // np.maximum(1, self.divisors)
        self.narrow = np.abs(reduced).sum(axis=0) < _EXACT
        self._groups = [
            _group(reduced, np.array(columns), narrow)
            for narrow in (True, False)
            for columns in _together(reduced != 0, np.flatnonzero(self.narrow == narrow))
        ]

    def over(self, draws: Draws, see: See, threads: int | None = None) -> None:
        """Show ``see`` all sums, in any order. ``threads``: the machine's cores by default, at most 8."""
        most = min(threads or os.cpu_count() or 1, MOST_THREADS)
        stop = draws.first + draws.resamples
        pages = max(1, _MOST_DRAWN_BYTES // max(1, len(self._units)) * 8 // PAGE_DRAWS)
        counting = progress.task("randomize", draws.resamples, "draws")
        # Threads inside the matrix products would only wait for each other.
        with _blas().limit(limits=1, user_api="blas"), counting as advance:
            for start in range(draws.first, stop, pages * PAGE_DRAWS):
                end = min(stop, start + pages * PAGE_DRAWS)
                bits = drawn(self._units, end - start, draws.seed, start)
                chunks = range(start, end, CHUNK_DRAWS)
                workers = min(most, len(chunks))

                def work(
                    own: Sequence[int], bits: NDArray[np.uint8] = bits, start: int = start, end: int = end
                ) -> None:
                    room = _Room(self._groups)
                    for begin in own:
                        count = min(CHUNK_DRAWS, end - begin)
                        chunk = bits[:, (begin - start) // 8 : -(-(begin - start + count) // 8)]
                        for group in self._groups:
                            see(begin - draws.first, group.columns, room.sums(group, chunk)[:, :count])
                        advance(count)

                # Threads share out the draws, so that each has its own part of the result, however few the units are.
                with ThreadPoolExecutor(workers) as pool:
                    list(pool.map(work, [chunks[number::workers] for number in range(workers)]))


class _Room:
    """Memory that one thread's products use again and again: arrays that come and go would cost more than what is computed."""

    def __init__(self, groups: Sequence[_Group]) -> None:
        blocks = [digits.shape for group in groups for _, digits in group.blocks]
        self._signs = np.empty(max((units for _, units in blocks), default=0) * CHUNK_DRAWS, np.float32)
        self._product = np.empty(max((rows for rows, _ in blocks), default=0) * CHUNK_DRAWS, np.float32)
        most = {kind: max((len(g.columns) for g in groups if g.narrow == kind), default=0) for kind in (True, False)}
        self._narrow = np.empty(most[True] * CHUNK_DRAWS, np.float32)
        self._wide = np.empty(most[False] * CHUNK_DRAWS, np.int64)

    def sums(self, group: _Group, bits: NDArray[np.uint8]) -> NDArray[np.float32] | NDArray[np.int64]:
        """Sums of the group's columns under a chunk's signs."""
        count, draws = len(group.columns), 8 * bits.shape[1]
        total = (self._narrow if group.narrow else self._wide)[: count * draws].reshape(count, draws)
        total[...] = 0
        for units, digits in group.blocks:
            signs = self._signs[: len(units) * draws].reshape(len(units), draws)
            to_floats(bits[units], signs)
            product = self._product[: len(digits) * draws].reshape(len(digits), draws)
            np.matmul(digits, signs, out=product)
            if group.narrow:
                total += product
                continue
            for place, digit in enumerate(product.reshape(-1, count, draws)):
                total += digit.astype(np.int64) << (_DIGIT_BITS * place)
        return total


def _together(present: NDArray[np.bool_], columns: NDArray[np.int64]) -> list[list[int]]:
    """The columns in groups: each goes where it makes the fewest products more. ``present``: where they are not 0."""
    groups: list[list[int]] = []
    unions = np.empty((0, len(present)), dtype=np.bool_)
    for column in columns.tolist():
        own = present[:, column]
        sizes, widths = unions.sum(axis=1), np.array([_COST_OF_UNIT + len(group) for group in groups], dtype=np.int64)
        more = (unions | own).sum(axis=1) * (widths + 1) - sizes * widths
        alone = int(own.sum()) * (_COST_OF_UNIT + 1) + _COST_OF_GROUP
        if groups and more.min() <= alone:
            best = int(more.argmin())
            groups[best].append(column)
            unions[best] |= own
        else:
            groups.append([column])
            unions = np.concatenate([unions, own[None]])
    return groups


def _group(reduced: NDArray[np.int64], columns: NDArray[np.int64], narrow: bool) -> _Group:
    units = np.flatnonzero(reduced[:, columns].any(axis=1))
    blocks = [units[start : start + _BLOCK_UNITS] for start in range(0, len(units), _BLOCK_UNITS)]
    shares = [(block, reduced[np.ix_(block, columns)].T) for block in blocks]
    return _Group(
        columns,
        narrow,
        tuple((block, np.concatenate([own] if narrow else digits_of(own)).astype(np.float32)) for block, own in shares),
    )


def digits_of(integers: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Digits in base 2 ** 16 between -2 ** 15 and 2 ** 15, least significant first; as few as are needed."""
    half = 1 << (_DIGIT_BITS - 1)
    rest, digits = integers, []
    while rest.any():
        carried = (rest + half) >> _DIGIT_BITS
        digits.append(rest - (carried << _DIGIT_BITS))
        rest = carried
    return digits


@functools.cache
def _blas() -> ThreadpoolController:
    """NumPy's, which is loaded with this module; looking through all libraries of the process takes milliseconds."""
    return ThreadpoolController()
