"""Numbers as tables show them: one way of rounding, for pages, terminals and files."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

DASH = "–"


def percent(value: float | None, digits: int = 1, *, signed: bool = False) -> str:
    """A value in [-1, 1] times 100; a dash for none. Raises ``ValueError`` where it is not a finite number.

    Halves are rounded away from zero, as by hand, on the decimal that the value stands for: 23 hits of 80 are 28.75,
    and so 28.8, though the nearest float to 0.2875 times 100 is 28.749999999999996. There is no -0.0.

    >>> percent(23 / 80), percent(-0.0004), percent(0.0512, 2, signed=True)
    ('28.8', '0.0', '+5.12')
    """
    if value is None:
        return DASH
    if not math.isfinite(value):
        raise ValueError(f"{value} is no score")
    # Twelve decimals drop the noise of float sums; no mean over fewer than 10 ** 9 queries comes that close to a half.
    scaled = Decimal(repr(round(value, 12))) * 100
    rounded = scaled.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP) + 0
    return f"{rounded:+f}" if signed and rounded else f"{rounded:f}"
