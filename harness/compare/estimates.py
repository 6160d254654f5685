"""What the numbers of the primary measure are worth: intervals of means and differences, effect sizes, standings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.compare.all_pairs import AllPairs, Column, all_pairs_of
from harness.compare.effects import cohen_dz
from harness.compare.hits import paired_hits
from harness.compare.intervals import Interval, bootstrap, newcombe, wilson
from harness.compare.letters import letters, rank_intervals
from harness.compare.records import MACRO, Bounds, Difference, Family, Mean, Standing
from harness.compare.stratified import macro_t
from harness.compare.units import UnitTable, tabulate
from harness.errors import InvalidInput
from harness.score import ScoreFile
from harness.tracks import Track


def means_of(track: Track, score: ScoreFile) -> list[Mean]:
    """Means of the primary measure with intervals: Wilson for hits of independent topics, else a bootstrap of units."""
    found = []
    for column in (*(part.name for part in track.parts), MACRO):
        table, values = _table(track, score, None, column)
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
    table, _ = _table(track, score, baseline, test.column)
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


def standings_of(track: Track, scores: Sequence[ScoreFile]) -> tuple[list[Standing], Family]:
    """Groups, letters and rank intervals: of the systems with a macro average, and on every part of those scored on it.

    All of a column come from one set of decisions. The macro average's are the declared family; the parts' are
    exploratory, each by itself.
    """
    columns = (MACRO, *_part_names(track))
    tables = {
        column: {
            score.system: table for score in scores if (table := _table(track, score, None, column)[0]) is not None
        }
        for column in columns
    }
    compared = [column for column in columns if len(tables[column]) > 1]
    families = track.families
    decisions = all_pairs_of(
        [_column(tables[column]) for column in compared], families.all_pairs_resamples, families.seed, families.alpha
    )
    decided = dict(zip(compared, decisions, strict=True))
    standings = [found for column in columns for found in _standings(column, list(tables[column]), decided.get(column))]
    ranked = sum(found.column == MACRO for found in standings)
    family = Family(
        name="all pairs",
        measure=track.primary,
        size=ranked * (ranked - 1) // 2,
        correction="max-T",
        smallest_adjusted_p=1 / (track.families.all_pairs_resamples + 1),
    )
    return standings, family


def _part_names(track: Track) -> tuple[str, ...]:
    return tuple(part.name for part in track.parts)


def _column(tables: Mapping[str, UnitTable]) -> Column:
    contributions = np.stack([table.contributions() for table in tables.values()], axis=1)
    return Column(contributions, next(iter(tables.values())).units)


def _standings(column: str, systems: Sequence[str], decisions: AllPairs | None) -> list[Standing]:
    """``decisions`` is None where fewer than two systems have scores."""
    if decisions is None:
        return [Standing(system=name, column=column, letters=("a",), best_rank=1, worst_rank=1) for name in systems]
    order = sorted(range(len(systems)), key=lambda k: -decisions.totals[k])
    names = letters(decisions.significant, order)
    ranks = rank_intervals(decisions.better)
    return [
        Standing(system=name, column=column, letters=names[k], best_rank=ranks[k][0], worst_rank=ranks[k][1])
        for k, name in enumerate(systems)
    ]


def _table(
    track: Track, score: ScoreFile, baseline: ScoreFile | None, column: str
) -> tuple[UnitTable | None, NDArray[np.float64]]:
    """Values (or differences from the baseline) of the primary measure by unit and part; None where they are missing."""
    names = track.macro_parts if column == MACRO else (column,)
    values: list[float] = []
    parts: list[str] = []
    units: list[str] = []
    for part in names:
        own = score.values.get((part, track.primary))
        theirs = baseline.values.get((part, track.primary)) if baseline is not None else own
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
    """Cohen's d_z over the units' mean differences; None where it is not a finite number."""
    means = table.sums.sum(axis=1) / table.counts.sum(axis=1)
    if len(means) < 2:
        return None
    effect = cohen_dz(means)
    return effect if math.isfinite(effect) else None


def _t_p(table: UnitTable) -> float | None:
    try:
        return macro_t(table).p
    except InvalidInput:
        return None
