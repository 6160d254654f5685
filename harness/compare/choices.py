"""Which of a unit's versions is the clean one: the randomization test of a clean text and its R perturbed draws.

Under the null hypothesis that a perturbation changes nothing, the clean version of a unit and its R draws are exchangeable, so
that any of the 1 + R could have been called the clean one (Fisher 1935, for one choice of several instead of a coin). One
choice for a unit, with all its topics in all languages: versions of one question are not independent. With R = 1 it is the
test by signs. Choices come from Philox keyed by BLAKE2b of seed and unit, as signs do; sums are whole numbers below 2 ** 53,
so that they are exact whatever their order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.compare.fixed_point import to_fixed_point
from harness.compare.projections import check_units
from harness.compare.signed_sums import Draws

_EXACT_BITS = 52
_CHUNK = 1 << 23  # choices at a time


def chosen(units: Sequence[str], versions: int, draws: Draws) -> NDArray[np.uint8]:
    """Fair choices among ``versions``, shape (units, resamples), each from 0 to ``versions`` - 1; bias below 2 ** -24."""
    found = np.empty((len(units), draws.resamples), dtype=np.uint8)
    for row, unit in enumerate(units):
        digest = hashlib.blake2b(f"{draws.seed}\0{unit}".encode(), digest_size=16, person=b"xdr-choices").digest()
        generator = np.random.Philox(key=int.from_bytes(digest, "little"))
        words = generator.random_raw(draws.resamples) >> np.uint64(32)
        found[row] = (words * np.uint64(versions)) >> np.uint64(32)
    return found


def as_if_clean(versions: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a unit adds to the drop if version k were the clean one: its value less the mean of the others'.

    ``versions``: float64, shape (units, 1 + R, columns), the clean version first.
    """
    draws = versions.shape[1] - 1
    return np.asarray(versions - (versions.sum(axis=1, keepdims=True) - versions) / draws)


@dataclass(frozen=True)
class Rechosen:
    """``p``: two-sided p-values, shape (columns,); ``resampled``: sums under the choices, shape (kept columns, resamples)."""

    p: NDArray[np.float64]
    resampled: NDArray[np.float64]


def rechosen(versions: NDArray[np.float64], units: Sequence[str], draws: Draws, kept: Sequence[int] = ()) -> Rechosen:
    """Test that no column drops.

    ``versions``: float64, shape (units, 1 + R, columns), what a unit adds to a column's mean in each of its versions, the
    clean one first; ``kept``: the columns whose sums are wanted. p = (b + 1) / (B + 1), b being how many choices give a sum
    as far from 0 as the true one, or farther. Raises ``InvalidInput`` when a unit occurs twice or a score is not finite.
    """
    check_units(versions, units)
    shares = as_if_clean(versions)
    bits = _EXACT_BITS - max(1, len(units)).bit_length()
    grid = to_fixed_point(shares.reshape(-1, shares.shape[2]), bits)
    integers = grid.integers.reshape(shares.shape).astype(np.float64)
    # Rounding to the grid moves each share by at most a half.
    least = np.abs(integers[:, 0].sum(axis=0)) - len(units)
    reached, resampled = np.zeros(shares.shape[2], np.int64), np.empty((len(kept), draws.resamples))
    for start, sums in _sums(integers, units, draws):
        reached += (np.abs(sums) >= least[:, None]).sum(axis=1)
        resampled[:, start : start + sums.shape[1]] = sums[list(kept)]
    return Rechosen((reached + 1) / (draws.resamples + 1), np.ldexp(resampled, -grid.scale_bits))


def _sums(
    integers: NDArray[np.float64], units: Sequence[str], draws: Draws
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """The columns' sums under some of the choices, shape (columns, choices), with the number of the first of these."""
    choices = chosen(units, integers.shape[1], draws)
    step = max(1, _CHUNK // max(1, len(units), integers.shape[2]))
    for start in range(0, draws.resamples, step):
        own = choices[:, start : start + step]
        total = np.zeros((integers.shape[2], own.shape[1]))
        for version in range(integers.shape[1]):
            total += integers[:, version].T @ (own == version).astype(np.float64)
        yield start, total
