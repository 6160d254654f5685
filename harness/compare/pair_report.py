"""Two systems of a track, column by column: the p of this pair alone, of the planned family, and of all pairs together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.compare.estimates import difference_interval, table_of
from harness.compare.exact import exact_p
from harness.compare.intervals import Interval
from harness.compare.projections import p_values
from harness.compare.records import MACRO, Comparison, planned_family
from harness.compare.units import UnitTable
from harness.errors import WrongUsage, unknown_name
from harness.runs.score_file import ScoreFile
from harness.tracks import Track


@dataclass(frozen=True)
class PairLine:
    """``system`` less ``against`` on one column of the primary measure.

    ``own_p`` is the randomization test of this pair alone, exact where ``own_floor`` is None; ``planned_p`` is corrected in
    the declared family and None unless one of the two is the baseline; ``all_pairs_p`` is corrected for every pair.
    """

    system: str
    against: str
    column: str
    difference: float
    interval: Interval | None
    own_p: float
    own_floor: float | None
    planned_p: float | None
    planned_floor: float | None
    all_pairs_p: float | None
    all_pairs_floor: float | None


def pair_report(
    track: Track, scores: Sequence[ScoreFile], comparison: Comparison, pair: tuple[str, str]
) -> Iterator[PairLine]:
    """One line for each column on which both have scores. Raises ``WrongUsage`` unless they are two systems of the track."""
    by_name = {score.system: score for score in scores}
    for name in pair:
        if name not in by_name:
            raise unknown_name("system", name, sorted(by_name))
    if pair[0] == pair[1]:
        raise WrongUsage(f"a pair is of two systems, not of {pair[0]} twice")
    first, second = (by_name[name] for name in pair)
    for column in (MACRO, *(part.name for part in track.clean_parts)):
        table, _ = table_of(track, first, second, column, track.primary)
        if table is None:
            continue
        own, floor = own_p(track, table)
        planned, planned_floor = _planned(comparison, pair, column)
        together = comparison.pairs_on(column, track.primary)
        yield PairLine(
            system=pair[0],
            against=pair[1],
            column=column,
            difference=table.macro,
            interval=difference_interval(track, first, second, column, track.primary),
            own_p=own,
            own_floor=floor,
            planned_p=planned,
            planned_floor=planned_floor,
            all_pairs_p=together.p_adjusted(*pair) if together else None,
            all_pairs_floor=1 / (together.resamples + 1) if together and not together.exact else None,
        )


def own_p(track: Track, differences: UnitTable) -> tuple[float, float | None]:
    """The randomization test of one pair alone, corrected for nothing; and the smallest p that draws could have given, None

    where the p-value is exact.
    """
    shares = differences.contributions()
    exact = exact_p(shares)
    if exact is not None:
        return exact, None
    families = track.families
    p = float(p_values(shares[:, None], differences.units, families.resamples, families.seed)[0])
    return p, 1 / (families.resamples + 1)


def _planned(comparison: Comparison, pair: tuple[str, str], column: str) -> tuple[float | None, float | None]:
    """p after the family's correction and the smallest that could be; nothing for a pair without the baseline."""
    if comparison.baseline not in pair or pair[0] == pair[1]:
        return None, None
    other = pair[1] if pair[0] == comparison.baseline else pair[0]
    for test in comparison.differences:
        if (test.system, test.column) == (other, column) and test.p_adjusted is not None:
            return test.p_adjusted, comparison.smallest_p(planned_family(column))
    return None, None
