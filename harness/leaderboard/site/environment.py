"""Jinja2 with autoescaping, and the few filters that turn records into text."""

from __future__ import annotations

import functools
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import jinja2

from harness import visible
from harness.compare.records import MACRO, Bounds
from harness.languages import language
from harness.leaderboard.exports.table import SEEN_MEANS, mark_of
from harness.leaderboard.seen import what_was_seen
from harness.leaderboard.site.compiled import CompiledBeside
from harness.leaderboard.site.words import address_of
from harness.leaderboard.table import Cell, leads
from harness.numbers import duration, energy, millions, percent, price, probability, size


@functools.cache
def templates() -> jinja2.Environment:
    """The templates, loaded once a process."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("harness.leaderboard.site"),
        bytecode_cache=CompiledBeside([Path(__file__), Path(visible.__file__)]),
        autoescape=True,
        finalize=_shown,
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
        own_p=own_p,
        leads=leads,
        mark_of=mark_of,
        what_was_seen=what_was_seen,
        SEEN_MEANS=SEEN_MEANS,
        printed=printed,
        size=size,
        millions=millions,
        duration=duration,
        energy=energy,
        price=price,
        address_of=address_of,
        MACRO=MACRO,
    )
    return environment


def _shown(value: Any) -> Any:
    """What a template prints, unless it is markup that was made of such values already."""
    return visible.visible_lines(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def signed(value: float | None, digits: int = 1) -> str:
    """A difference in [-1, 1] times 100 with its sign; a dash for none."""
    return percent(value, digits, signed=True).replace("-", "−")


def own_p(cell: Cell) -> str:
    """A cell's p before correction; at the floor of its draws only a bound."""
    return probability(cell.p, 1 / (cell.resamples + 1) if cell.resamples else None)


def interval(bounds: Bounds | None, form: Literal["plain", "signed"] = "plain") -> str:
    """Limits in [-1, 1] times 100; a dash for none."""
    if bounds is None:
        return "–"
    shown = signed if form == "signed" else percent
    return f"{shown(bounds.lower)} to {shown(bounds.upper)}"


def printed(value: Decimal | None, decimals: int) -> str:
    """A published value with the decimals of its source; a dash for none."""
    return "–" if value is None else f"{value:.{decimals}f}"
