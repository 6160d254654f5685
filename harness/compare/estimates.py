"""What the numbers of the primary measure are worth: intervals of means and differences, effect sizes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from harness.compare.hits import paired_hits
from harness.compare.intervals import Interval, bootstrap, newcombe, wilson
from harness.compare.records import MACRO, Bounds, Difference, Mean
from harness.compare.stratified import macro_t
from harness.compare.units import UnitTable, tabulate
from harness.errors import InvalidInput
from harness.score import ScoreFile
from harness.tracks import Track


def means_of(track: Track, score: ScoreFile) -> list[Mean]:
    """Means of the primary measure with intervals: Wilson for hits of independent topics, else a bootstrap of units."""
    found = []
    for column in (*(part.name for part in track.parts), MACRO):
        table, values = table_of(track, score, None, column, track.primary)
        if table is None:
            continue
        hits = column != MACRO and len(table.units) == len(values) and np.isin(values, (0.0, 1.0)).all()
        interval = wilson(int(values.sum()), len(values)) if hits else _bootstrapped(track, table)
        found.append(Mean(system=score.system, column=column, value=table.macro, interval=_bounds(interval)))
    return found


def with_estimates(track: Track, test: Difference, score: ScoreFile, baseline: ScoreFile) -> Difference:
    """The test with the interval of its difference, its effect size, and on the macro average the stratified t test.

    Of paired hits of independent topics the interval is Newcombe's, else a bootstrap of units.
    """
    table, _ = table_of(track, score, baseline, test.column, track.primary)
    if table is None:
        return test
    interval: Interval | None = None
    if test.column != MACRO:
        interval = _of_paired_hits(track, test.column, score, baseline)
    effect = _effect(table)
    return test.model_copy(
        update={
            "interval": _bounds(interval or _bootstrapped(track, table)),
            "effect": effect,
            "t_p": _t_p(table) if test.column == MACRO else None,
        }
    )


def table_of(
    track: Track, score: ScoreFile, baseline: ScoreFile | None, column: str, measure: str
) -> tuple[UnitTable | None, NDArray[np.float64]]:
    """Values (or differences from the baseline) of a measure by unit and part; None where they are missing."""
    names = track.macro_parts if column == MACRO else (column,)
    values: list[float] = []
    parts: list[str] = []
    units: list[str] = []
    for part in names:
        own = score.values.get((part, measure))
        theirs = baseline.values.get((part, measure)) if baseline is not None else own
        if not own or not theirs:
            return None, np.empty(0)
        for query_id, value in own.items():
            values.append(value - theirs[query_id] if baseline is not None else value)
            parts.append(part)
            units.append(score.units[part, query_id][1])
    array = np.array(values, dtype=np.float64)
    return tabulate(array, parts, units), array


def _of_paired_hits(track: Track, part: str, score: ScoreFile, baseline: ScoreFile) -> Interval | None:
    own, theirs = score.values[part, track.primary], baseline.values[part, track.primary]
    units = [score.units[part, query_id][1] for query_id in own]
    first = np.array(list(own.values()))
    second = np.array([theirs[query_id] for query_id in own])
    try:
        return newcombe(paired_hits(first, second, units))
    except InvalidInput:
        return None


def _bootstrapped(track: Track, table: UnitTable) -> Interval | None:
    if len(table.units) < 2:
        return None
    return bootstrap(table, track.families.all_pairs_resamples, track.families.seed)


def _bounds(interval: Interval | None) -> Bounds | None:
    return Bounds(lower=interval.lower, upper=interval.upper, method=interval.method) if interval else None


def _effect(table: UnitTable) -> float | None:
    """Standardised mean difference of units: the column's own difference over (its t test's error * sqrt(units)).

    Where every unit is one topic of one language this is Cohen's d_z (Lakens, Frontiers in Psychology 4, 2013; for retrieval
    Sakai 2018). On a macro average languages weigh as in the average, so that its sign is the difference's. None where there
    is no error to divide by.
    """
    try:
        return macro_t(table).t / math.sqrt(len(table.units))
    except InvalidInput:
        return None


def _t_p(table: UnitTable) -> float | None:
    try:
        return macro_t(table).p
    except InvalidInput:
        return None
