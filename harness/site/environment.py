"""Jinja2 with autoescaping, and the few filters that turn records into text."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import jinja2

from harness.compare.records import MACRO, Bounds
from harness.figures import percent
from harness.languages import language
from harness.leaderboard import Cell

HEAT_STEPS = 20


def make_environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("harness.site"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        language=language,
        interval=interval,
        percent=percent,
        signed=signed,
        probability=probability,
        heat=heat,
        mark=mark,
        printed=printed,
        readable_bytes=readable_bytes,
        MACRO=MACRO,
    )
    return environment


def signed(value: float | None, digits: int = 1) -> str:
    """A difference in [-1, 1] times 100 with its sign; a dash for none."""
    return percent(value, digits, signed=True).replace("-", "−")


def probability(value: float | None) -> str:
    """A p-value: five decimals, or a power of ten below that; a dash for none.

    >>> probability(0.0123), probability(3.2e-9), probability(None)
    ('0.01230', '3.2e-09', '–')
    """
    if value is None:
        return "–"
    return f"{value:.5f}" if value >= 1e-5 or value == 0 else f"{value:.1e}"


def interval(bounds: Bounds | None, form: Literal["plain", "signed"] = "plain") -> str:
    """Limits in [-1, 1] times 100; a dash for none."""
    if bounds is None:
        return "–"
    shown = signed if form == "signed" else percent
    return f"{shown(bounds.lower)} to {shown(bounds.upper)}"


def printed(value: Decimal | None, decimals: int) -> str:
    """A published value with the decimals of its source; a dash for none."""
    return "–" if value is None else f"{value:.{decimals}f}"


def heat(value: float | None) -> str:
    """Class of a cell's shade."""
    return "" if value is None else f"h{max(0, min(HEAT_STEPS, round(HEAT_STEPS * value)))}"


def heat_rules() -> str:
    """One rule per shade: a page under a strict content security policy can have no style attributes."""
    return "".join(f".h{i}{{--heat:{round(62 * i / HEAT_STEPS)}%}}" for i in range(HEAT_STEPS + 1))


def mark(cell: Cell) -> Literal["", "up", "down"]:
    """Class of the mark of a difference that the declared family calls significant."""
    if not cell.significant or cell.difference is None:
        return ""
    return "up" if cell.difference > 0 else "down"


def readable_bytes(count: Any) -> str:
    """A number of bytes in decimal units.

    >>> readable_bytes(102400), readable_bytes(27955200000)
    ('102.4 kB', '28.0 GB')
    """
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
