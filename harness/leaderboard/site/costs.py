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
from harness.runs.provenance import Execution, Stage

TITLES = {
    "seconds": "Seconds for the whole run, on the machine of the run",
    "bytes": "Bytes of the index",
}
FEWEST = 100
"""Passages from which a million is told, a choice: the mean of lengths that vary by half of it is known to 5 % then."""
_NARROW = 330
"""Width of a chart for a phone, on which the other one's letters would be too small to read."""


class Cost(NamedTuple):
    """Seconds and bytes; None where the manifest does not tell. ``question`` and ``passage``: of one of them.

    ``encoding``: seconds of one machine for a million passages; None where a stage that encodes passages does not say how many
    it did, did fewer than ``FEWEST`` (most were there already), or had other machines' help.
    ``joules``: of all stages, None where one does not tell.
    """

    seconds: float | None
    question: float | None
    bytes: float | None
    passage: float | None
    memory: int | None
    encoding: float | None
    joules: float | None


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
    total = math.fsum(stage.bytes or 0 for stage in stages)
    return Cost(
        seconds=math.fsum(execution.seconds for execution in executions) or None,
        question=_question(executions, queries) if queries else None,
        bytes=total or None,
        passage=total / passages if total and passages else None,
        memory=max((execution.peak_memory_bytes or 0 for execution in executions), default=0) or None,
        encoding=_encoding(executions),
        joules=_sum([_number(stage, "joules") for stage in stages]),
    )


def _question(executions: Sequence[Execution], queries: int) -> float | None:
    """Of all rows that have answered questions themselves; None where one of them encoded none, as they lay there."""
    asked = [[stage for stage in run.stages if "quer" in stage.name or "search" in stage.name] for run in executions]
    return _sum([_of_a_question(stages, queries) for stages in asked if stages])


def _of_a_question(stages: Sequence[Stage], queries: int) -> float | None:
    """A search answers every question; one that parts share, or that a killed run left, is encoded once."""
    encoding = [stage for stage in stages if _number(stage, "questions encoded") is not None]
    count = math.fsum(_number(stage, "questions encoded") or 0 for stage in encoding)
    if encoding and not count:
        return None
    others = math.fsum(stage.seconds for stage in stages if stage not in encoding) / queries
    return others + (math.fsum(stage.seconds for stage in encoding) / count if encoding else 0)


def _encoding(executions: Sequence[Execution]) -> float | None:
    """Several rows may have encoded the same passages: each of these stages costs what it costs."""
    own = [(run, stage) for run in executions for stage in run.stages if stage.name == "encode passages"]
    return _sum([_of_a_million(stage) if run.is_of_one_machine else None for run, stage in own])


def _of_a_million(stage: Stage) -> float | None:
    count = _number(stage, "passages encoded")
    return stage.seconds / count * 1e6 if count is not None and count >= FEWEST else None


def _sum(values: Sequence[float | None]) -> float | None:
    """None where there are none, or one of them is not known."""
    known = [value for value in values if value is not None]
    return math.fsum(known) if known and len(known) == len(values) else None


def _number(stage: Stage, fact: str) -> float | None:
    """What an adapter has noted beside its stage, where that is an amount."""
    value = stage.facts.get(fact)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def euros(cost: Cost, per_hour: float | None) -> float | None:
    """Of encoding a million passages, at the operator's price; None where that or the time is not known."""
    return None if per_hour is None or cost.encoding is None else cost.encoding / 3600 * per_hour


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
