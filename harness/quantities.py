"""Numbers with their units for people: amounts, bytes, durations."""

from __future__ import annotations

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


def amount(count: float, unit: str) -> str:
    """
    >>> amount(40960, "passages"), amount(13_000_000_000, "bytes"), amount(3, "")
    ('40,960 passages', '13.0 GB', '3')
    """
    return size(count) if unit == "bytes" else f"{round(count):,} {unit}".rstrip()
