"""Corrections for several tests over a declared family, and what resamples allow.

Written out, though statsmodels has them, too: it collects all garbage on every call (a sixth of a second beside a large
model), and takes half a second to import. The tests hold them against statsmodels and SciPy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.errors import InvalidInput

Correction = Literal["holm", "bonferroni", "benjamini-hochberg"]

_RESAMPLES_IN_REJECTION_REGION = 5


@dataclass(frozen=True)
class Corrected:
    """``p_adjusted``: float64 and ``significant``: bool, both of shape (tests,), in the order of the family."""

    p_adjusted: NDArray[np.float64]
    significant: NDArray[np.bool_]


def correct(p_values: NDArray[np.float64], correction: Correction, alpha: float = 0.05, missing: int = 0) -> Corrected:
    """Adjust all p-values of a family, of which ``missing`` tests were declared and not made: they count with p = 1.

    Holm (1979) and Bonferroni hold the probability of any false decision at ``alpha`` whatever the dependence; Benjamini
    and Hochberg (1995) hold the expected share of false ones among the decisions, for independent or positively
    dependent tests. Raises ``InvalidInput`` when a p-value is not in [0, 1]. An empty family has an empty result.
    """
    if not p_values.size:
        return Corrected(np.empty(0), np.empty(0, dtype=np.bool_))
    if not ((p_values >= 0) & (p_values <= 1)).all():
        raise InvalidInput("p-values lie between 0 and 1")
    order = np.argsort(p_values, kind="stable")
    ascending, size = p_values[order].astype(np.float64), p_values.size + missing
    if correction == "bonferroni":
        ascending *= size
    elif correction == "holm":
        ascending = np.maximum.accumulate(ascending * np.arange(size, missing, -1))
    else:
        ascending = np.minimum.accumulate((ascending * size / np.arange(1, p_values.size + 1))[::-1])[::-1]
    adjusted = np.empty(p_values.size, np.float64)
    adjusted[order] = np.minimum(ascending, 1.0)
    return Corrected(adjusted, adjusted <= alpha)


def levels(
    p_values: NDArray[np.float64], correction: Correction, alpha: float = 0.05, missing: int = 0
) -> NDArray[np.float64]:
    """What each p-value is held against, shape (tests,): alpha over the correction's factor at the p-value's place.

    ``missing``: as for ``correct``.
    """
    size = p_values.size + missing
    places = np.empty(p_values.size, np.int64)
    places[np.argsort(p_values, kind="stable")] = np.arange(p_values.size)
    factors = {
        "bonferroni": np.full(p_values.size, size, np.float64),
        "holm": (size - places).astype(np.float64),
        "benjamini-hochberg": size / (places + 1),
    }
    return np.asarray(alpha / factors[correction])


def smallest_adjusted_p(family_size: int, resamples: int) -> float:
    """What a test can reach by itself, whatever the family's other p-values: family size / (B + 1), at most 1.

    The same for all three corrections, since each multiplies the smallest p-value by the size of the family.
    """
    return min(1.0, max(1, family_size) / (resamples + 1))


def resamples_needed(family_size: int, alpha: float = 0.05) -> int:
    """Fewest resamples for a family: 5 * size / alpha, so that five lie beyond the strictest threshold, alpha / size."""
    exact = Fraction(_RESAMPLES_IN_REJECTION_REGION * max(1, family_size)) / Fraction(repr(alpha))
    return math.ceil(exact)


def check_resamples(family: str, family_size: int, resamples: int, alpha: float = 0.05) -> None:
    """Raise ``InvalidInput``, naming the family, when its resamples are fewer than ``resamples_needed``."""
    if resamples < (needed := resamples_needed(family_size, alpha)):
        raise InvalidInput(
            f"{resamples} resamples are too few for the family {family!r} of {family_size} tests at alpha {alpha}; "
            f"at least {needed} are needed"
        )
