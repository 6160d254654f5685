"""What the numbers of the primary measure are worth: intervals of means and differences, effect sizes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from harness.compare.hit_intervals import hit_difference, hit_rate
from harness.compare.intervals import Interval, bootstrap
from harness.compare.records import MACRO, Bounds, Difference, Mean
from harness.compare.stratified import macro_t
from harness.compare.units import UnitTable, tabulate
from harness.errors import InvalidInput
from harness.runs.score_file import ScoreFile
from harness.tracks import Track


def means_of(track: Track, score: ScoreFile) -> list[Mean]:
    """Means of the primary measure with intervals: Wilson's for hits, else a bootstrap of units."""
    found = []
    for column in (*(part.name for part in track.clean_parts), MACRO):
        found += [own] if (own := mean_of(track, score, column)) else []
    return found


def mean_of(track: Track, score: ScoreFile, column: str) -> Mean | None:
    """The mean of the primary measure in a column with its interval; None where it has no score."""
    table, values = table_of(track, score, None, column, track.primary)
    if table is None:
        return None
    interval = _of_hits(table) if _are_hits(values) else bootstrapped(track, table)
    return Mean(system=score.system, column=column, value=table.macro, interval=bounds_of_interval(interval))


def with_estimates(track: Track, test: Difference, score: ScoreFile, baseline: ScoreFile) -> Difference:
    """The test with the interval of its difference, its effect size, and on the macro average the stratified t test."""
    table, _ = table_of(track, score, baseline, test.column, track.primary)
    if table is None:
        return test
    return test.model_copy(
        update={
            "interval": bounds_of_interval(difference_interval(track, score, baseline, test.column, track.primary)),
            "effect": effect_of(table),
            "t_p": _t_p(table) if test.column == MACRO else None,
        }
    )


def difference_interval(
    track: Track, score: ScoreFile, baseline: ScoreFile, column: str, measure: str
) -> Interval | None:
    """Interval of the difference of two systems: Newcombe's of paired hits, else a bootstrap of units.

    None where there is nothing to tell how far the difference could vary.
    """
    first, one = table_of(track, score, None, column, measure)
    second, two = table_of(track, baseline, None, column, measure)
    if first is not None and second is not None and _are_hits(one) and _are_hits(two):
        return _of_hits(first, second)
    table, _ = table_of(track, score, baseline, column, measure)
    return bootstrapped(track, table) if table is not None else None


def table_of(
    track: Track, score: ScoreFile, baseline: ScoreFile | None, column: str, measure: str
) -> tuple[UnitTable | None, NDArray[np.float64]]:
    """Values (or differences from the baseline) of a measure by unit and part; None where they are missing."""
    names = track.macro_parts if column == MACRO else (column,)
    values: list[NDArray[np.float64]] = []
    parts: list[str] = []
    units: list[str] = []
    for part in names:
        own = score.scored(part, measure)
        theirs = baseline.scored(part, measure) if baseline is not None else own
        if own is None or theirs is None:
            return None, np.empty(0)
        values.append(own.array - theirs.of(own.queries) if baseline is not None else own.array)
        parts += [part] * len(own)
        units += score.named(part, own.queries).units
    array = np.concatenate(values)
    return tabulate(array, parts, units), array


def _are_hits(values: NDArray[np.float64]) -> bool:
    return bool(np.isin(values, (0.0, 1.0)).all())


def _of_hits(first: UnitTable, second: UnitTable | None = None) -> Interval | None:
    try:
        return hit_rate(first) if second is None else hit_difference(first, second)
    except InvalidInput:
        return None


def bootstrapped(track: Track, table: UnitTable) -> Interval | None:
    """None where it would have no width: equal values in every unit say nothing of those of other units."""
    if len(table.units) < 2:
        return None
    found = bootstrap(table, track.families.all_pairs_resamples, track.families.seed)
    return found if found.lower < found.upper else None


def bounds_of_interval(interval: Interval | None) -> Bounds | None:
    return Bounds(lower=interval.lower, upper=interval.upper, method=interval.method) if interval else None


def effect_of(table: UnitTable) -> float | None:
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
