"""What a row costs, as its manifest tells: of the whole run, of a question, of a passage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from harness.compare.records import MACRO
from harness.leaderboard.site.charts import Point, Scatter, scatter_chart
from harness.leaderboard.site.evidence import Site
from harness.leaderboard.table import Row
from harness.numbers import DASH, duration, millions, size
from harness.runs.provenance import Execution

TITLES = {
    "seconds": "Seconds for the whole run, on the machine of the run",
    "bytes": "Bytes of the index",
}
_NARROW = 330
"""Width of a chart for a phone, on which the other one's letters would be too small to read."""


class Cost(NamedTuple):
    """Seconds and bytes; None where the manifest does not tell. ``question`` and ``passage``: of one of them."""

    seconds: float | None
    question: float | None
    bytes: float | None
    passage: float | None
    memory: int | None


def costs_of(site: Site) -> list[tuple[Row, Cost]]:
    """The rows that stand and have an average, in the order of the table."""
    parts = site.track.parts
    queries = sum(len(part.collection.queries) for part in parts)
    pools = {part.collection.digests.docs: len(part.collection.docs) for part in parts}
    passages = next(iter(pools.values())) if len(pools) == 1 else None
    rows = [
        row
        for row in site.board.rows
        if row.withdrawn is None and row.cells[site.track.primary][MACRO].value is not None
    ]
    return [(row, _cost(_executions(site, row.system), queries, passages)) for row in rows]


def _executions(site: Site, system: str) -> list[Execution]:
    """Of the system and of all rows that it stands on: without their runs there is none of it."""
    on_board = {row.system: row.provenance.execution for row in site.board.rows}
    waiting, found = [system], dict[str, Execution]()
    while waiting:
        name = waiting.pop()
        if name not in found and (name in on_board or site.runs.run(name).is_recorded):
            found[name] = on_board[name] if name in on_board else site.runs.run(name).manifest.execution
            waiting += site.stands_on(name)
    return list(found.values())


def _cost(executions: Sequence[Execution], queries: int, passages: int | None) -> Cost:
    stages = [stage for execution in executions for stage in execution.stages]
    asking = [stage.seconds for stage in stages if "quer" in stage.name or "search" in stage.name]
    total = math.fsum(stage.bytes or 0 for stage in stages)
    return Cost(
        seconds=math.fsum(execution.seconds for execution in executions) or None,
        question=math.fsum(asking) / queries if asking and queries else None,
        bytes=total or None,
        passage=total / passages if total and passages else None,
        memory=max((execution.peak_memory_bytes or 0 for execution in executions), default=0) or None,
    )


def charts_of(site: Site, costs: list[tuple[Row, Cost]]) -> dict[str, tuple[Scatter, Scatter]]:
    """For each kind of cost that some manifest tells a chart for wide and one for narrow screens."""
    charts = {}
    for name in TITLES:
        points = [_point(site, row, cost) for row, found in costs if (cost := getattr(found, name))]
        if points:
            charts[name] = (scatter_chart(points), scatter_chart(points, _NARROW))
    return charts


def _point(site: Site, row: Row, cost: float) -> Point:
    cell = row.cells[site.track.primary][MACRO]
    value = cell.value or 0.0
    bounds = cell.interval
    lower, upper = (bounds.lower, bounds.upper) if bounds is not None else (value, value)
    return Point(row.title, cost, value, lower, upper, row.is_baseline)


def in_words(costs: list[tuple[Row, Cost]]) -> dict[str, tuple[str, ...]]:
    """By system its size, and what a question, a passage and the run take: columns of a table that a reader can ask for."""
    return {
        row.system: (
            millions(row.card.weights) if row.card.weights else DASH,
            str(row.card.dimensions or DASH),
            duration(cost.question) if cost.question else DASH,
            size(cost.passage) if cost.passage else DASH,
            size(cost.memory) if cost.memory else DASH,
        )
        for row, cost in costs
    }
