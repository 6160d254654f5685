"""Numbers for people, one way of rounding for pages, terminals and files: percentages, p-values, bytes, durations.

By hand, since what libraries for such texts print is not rounded as tables are: halves by the decimal that was meant, no
"1000.0 kB", a p-value never as 0.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_HALF_UP, Context, Decimal
from typing import Protocol

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


class Limits(Protocol):
    @property
    def lower(self) -> float: ...

    @property
    def upper(self) -> float: ...


def interval(limits: Limits | None, digits: int = 1, *, signed: bool = True) -> str:
    """An interval of values in [-1, 1], each limit as ``percent`` has it; a dash for none.

    >>> from types import SimpleNamespace
    >>> interval(SimpleNamespace(lower=-0.087, upper=0.0)), interval(SimpleNamespace(lower=0.5, upper=0.75), signed=False)
    ('[-8.7, 0.0]', '[50.0, 75.0]')
    """
    if limits is None:
        return DASH
    return f"[{percent(limits.lower, digits, signed=signed)}, {percent(limits.upper, digits, signed=signed)}]"


SMALLEST_P = 0.0001
"""p-values below this are not printed as numbers: how small they are exactly, no model of scores is right enough to say."""


def probability(value: float | None, floor: float | None = None) -> str:
    """A p-value with five decimals, never as 0; a dash for none.

    ``floor``: the smallest p that the test could have given, 1 / (B + 1) of B draws or its multiple after a correction. A p
    at its floor is only known to be at most that; it is rounded up to two digits.

    >>> probability(0.0123), probability(3.2e-9), probability(0.0), probability(None)
    ('0.01230', '< 0.0001', '< 0.0001', '–')
    >>> probability(1 / 100_001, 1 / 100_001), probability(42 / 100_001, 42 / 100_001)
    ('≤ 0.00001', '≤ 0.00042')
    """
    if value is None:
        return DASH
    if floor and value <= floor * (1 + 1e-9):
        return f"≤ {Context(prec=2, rounding=ROUND_CEILING).create_decimal(repr(round(value, 9))).normalize():f}"
    return f"{value:.5f}" if value >= SMALLEST_P else f"< {SMALLEST_P}"


_SIZES = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60


def size(count: float) -> str:
    """Bytes in decimal units, as disks are sold and data sets are described.

    >>> size(27_955_200_000), size(1536), size(12), size(999_999)
    ('28.0 GB', '1.5 kB', '12 bytes', '1.0 MB')
    """
    for unit, name in _SIZES:
        # What would be shown as 1000.0 of a unit is 1.0 of the next.
        if round(count / unit, 1) >= 1 or (unit > 1000 and round(count / (unit / 1000), 1) >= 1000):
            return f"{count / unit:,.1f} {name}"
    return f"{round(count)} bytes"


def millions(count: int) -> str:
    """A model's weights, as they are spoken of.

    >>> millions(117_505_920), millions(5_120_000), millions(7_000_000_000), millions(1_000)
    ('117.5 M', '5.1 M', '7,000.0 M', '0.001 M')
    """
    return f"{count / 1e6:,.1f} M" if count >= 50_000 else f"{count / 1e6:.1g} M"


def duration(seconds: float) -> str:
    """The two largest units.

    >>> [duration(s) for s in (0.052, 0.2, 59.6, 90, 3599, 3700, 200_000)]
    ['0.052 s', '0.2 s', '1 min 0 s', '1 min 30 s', '59 min 59 s', '1 h 1 min', '2 d 7 h']
    """
    if 0 < seconds < 0.095:
        return f"{seconds:.2g} s"
    if seconds < 10:
        return f"{seconds:.1f} s" if round(seconds, 1) < 10 else "10 s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def energy(joules: float) -> str:
    """
    >>> energy(0), energy(99.4), energy(12_300), energy(7_200_000)
    ('0 J', '99 J', '12.3 kJ', '2.00 kWh')
    """
    if joules < 1000:
        return f"{joules:.0f} J"
    return f"{joules / 1e3:,.1f} kJ" if joules < 3_600_000 else f"{joules / 3_600_000:,.2f} kWh"


def price(value: float) -> str:
    """Two decimals, rounded up: nothing that costs something is free.

    >>> price(0.0004), price(12.5), price(1234.001), price(0)
    ('0.01', '12.50', '1,234.01', '0.00')
    """
    return f"{Decimal(repr(round(value, 9))).quantize(Decimal('0.01'), ROUND_CEILING):,}"


def amount(count: float, unit: str) -> str:
    """
    >>> amount(40960, "passages"), amount(13_000_000_000, "bytes"), amount(3, "")
    ('40,960 passages', '13.0 GB', '3')
    """
    return size(count) if unit == "bytes" else f"{round(count):,} {unit}".rstrip()
