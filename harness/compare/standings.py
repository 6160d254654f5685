"""The test of all pairs for a whole track, and what tables show of it: adjusted p-values, letters, rank intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.compare.all_pairs import AllPairs, Column, all_pairs_of
from harness.compare.estimates import table_of
from harness.compare.letters import letters, rank_intervals
from harness.compare.monte_carlo import MOST_TIMES
from harness.compare.records import MACRO, Family, Pairs, Standing
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
        columns = {
            name: _column(track, scores, name, measure) for name in (MACRO, *(p.name for p in track.clean_parts))
        }
        compared = [name for name, (systems, _) in columns.items() if len(systems) > 1]
        primary = measure == track.primary
        decisions = all_pairs_of(
            [columns[name][1] for name in compared],
            track.families.all_pairs_resamples,
            track.families.seed,
            track.families.alpha,
            MOST_TIMES if primary else 1,
        )
        decided = dict(zip(compared, decisions, strict=True))
        pairs += [_pairs(measure, name, columns[name][0], decided[name]) for name in compared]
        if primary:
            for name, (systems, _) in columns.items():
                standings += _standings(name, systems, decided.get(name))
            ranked, declared = len(columns[MACRO][0]), decided.get(MACRO)
    return Standings(tuple(standings), tuple(pairs), _family(track, ranked, declared))


def _column(track: Track, scores: Sequence[ScoreFile], name: str, measure: str) -> tuple[list[str], Column]:
    """The systems that have a column, and what units add to each; of their tables nothing else is kept."""
    systems: list[str] = []
    contributions: list[NDArray[np.float64]] = []
    units: Sequence[str] = ()
    for score in scores:
        table, _ = table_of(track, score, None, name, measure)
        if table is not None:
            systems.append(score.system)
            contributions.append(table.contributions())
            units = units or table.units
    return systems, Column(np.stack(contributions, axis=1) if systems else np.empty((0, 0)), units)


def _pairs(measure: str, column: str, systems: Sequence[str], decided: AllPairs) -> Pairs:
    upper = decided.at_least[np.triu_indices(len(systems), 1)]
    counts, places = np.unique(upper, return_inverse=True)
    shared = counts.tolist()  # so many numbers, however many pairs have them
    return Pairs(
        measure=measure,
        column=column,
        systems=tuple(systems),
        resamples=decided.resamples,
        exact=decided.exact,
        at_least=tuple(shared[place] for place in places.tolist()),
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
