"""The test of all pairs for a whole track, and what tables show of it: adjusted p-values, letters, rank intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from harness.compare.all_pairs import AllPairs, Column, all_pairs_of
from harness.compare.estimates import table_of
from harness.compare.letters import letters, rank_intervals
from harness.compare.monte_carlo import MOST_TIMES
from harness.compare.records import MACRO, Family, Pairs, Standing
from harness.compare.units import UnitTable
from harness.runs.score_file import ScoreFile
from harness.tracks import Track


class Standings(NamedTuple):
    """``standings`` of the primary measure on every column, ``pairs`` of every measure and column, and the declared family."""

    standings: tuple[Standing, ...]
    pairs: tuple[Pairs, ...]
    family: Family


def standings_of(track: Track, scores: Sequence[ScoreFile]) -> Standings:
    """All pairs of the systems with a macro average, and on every part of those scored on it.

    All of a column come from one set of decisions. The macro average of the primary measure is the declared family; the
    parts', and other measures', are exploratory, each by itself. Draws are raised for the primary measure alone, of which
    letters and ranks are shown.
    """
    standings: list[Standing] = []
    pairs: list[Pairs] = []
    ranked, declared = 0, None
    for measure in track.measures:
        tables = _tables(track, scores, measure)
        compared = [column for column in tables if len(tables[column]) > 1]
        primary = measure == track.primary
        decisions = all_pairs_of(
            [_column(tables[column]) for column in compared],
            track.families.all_pairs_resamples,
            track.families.seed,
            track.families.alpha,
            MOST_TIMES if primary else 1,
        )
        decided = dict(zip(compared, decisions, strict=True))
        pairs += [_pairs(measure, column, list(tables[column]), decided[column]) for column in compared]
        if primary:
            for column, own in tables.items():
                standings += _standings(column, list(own), decided.get(column))
            ranked, declared = len(tables[MACRO]), decided.get(MACRO)
    return Standings(tuple(standings), tuple(pairs), _family(track, ranked, declared))


def _tables(track: Track, scores: Sequence[ScoreFile], measure: str) -> dict[str, dict[str, UnitTable]]:
    """By column the systems that have one."""
    found: dict[str, dict[str, UnitTable]] = {}
    for column in (MACRO, *(part.name for part in track.clean_parts)):
        tables = {score.system: table_of(track, score, None, column, measure)[0] for score in scores}
        found[column] = {system: table for system, table in tables.items() if table is not None}
    return found


def _column(tables: Mapping[str, UnitTable]) -> Column:
    contributions = np.stack([table.contributions() for table in tables.values()], axis=1)
    return Column(contributions, next(iter(tables.values())).units)


def _pairs(measure: str, column: str, systems: Sequence[str], decided: AllPairs) -> Pairs:
    upper = decided.at_least[np.triu_indices(len(systems), 1)]
    return Pairs(
        measure=measure,
        column=column,
        systems=tuple(systems),
        resamples=decided.resamples,
        exact=decided.exact,
        at_least=tuple(upper.tolist()),
    )


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


def _family(track: Track, ranked: int, decided: AllPairs | None) -> Family:
    resamples = track.families.all_pairs_resamples if decided is None else decided.resamples
    exact = decided is not None and decided.exact
    return Family(
        name="all pairs",
        measure=track.primary,
        size=ranked * (ranked - 1) // 2,
        correction="max-T",
        smallest_adjusted_p=1 / (resamples + (not exact)),
        resamples=resamples,
        undecided=0 if decided is None else decided.undecided,
    )
