"""Declared contrasts: the difference of two lists of scores on the same topics, by language and on the macro average.

Also whether such a difference depends on a group of languages: in points, and as a share of what was missed without either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.compare.corrections import check_resamples, correct, levels
from harness.compare.intervals import bootstrap, resampled_means
from harness.compare.monte_carlo import is_near, standard_error
from harness.compare.pair_report import own_p
from harness.compare.records import MACRO, Bounds
from harness.compare.units import UnitTable, tabulate
from harness.errors import InvalidInput
from harness.files.toml_records import Record
from harness.tracks import Track

Values = Mapping[tuple[str, str], float]
"""Scores by part and query id."""
Units = Mapping[tuple[str, str], tuple[str, str]]
"""Topic and unit by part and query id, as ``harness.tracks.units`` gives them."""
_WHOLE = 1e-6
"""A p of draws is a whole number of the smallest one, but for rounding."""


class Tested(Record):
    """A difference on one column. ``p_adjusted`` and ``significant`` are null where it is of no declared family.

    ``p_error``: Monte-Carlo standard error of p, 0 where p is exact, null where a record did not keep it. ``undecided``: p lies
    within three of them of the level that decides it, so that other draws might decide otherwise.
    """

    column: str
    difference: float
    interval: Bounds | None
    p: float
    p_adjusted: float | None = None
    significant: bool | None = None
    p_error: float | None = None
    undecided: bool | None = None


class Interaction(Record):
    """A difference in one group of languages less that in the others, with bootstrap intervals of units.

    ``points``: of the differences; ``share``: of the differences as a share of what was missed, difference / (1 - none).
    ``claimed``: both intervals lie on the same side of 0.
    """

    points: float
    points_interval: Bounds
    share: float
    share_interval: Bounds
    claimed: bool


class Pair(NamedTuple):
    first: Values
    second: Values


def tested(track: Track, units: Units, pair: Pair) -> list[Tested]:
    """First less second on the macro average and on every clean part, each test alone."""
    found = []
    for column in (MACRO, *(part.name for part in track.clean_parts)):
        table = _table(track, units, column, pair)
        p, floor = own_p(track, table)
        error = 0.0 if floor is None else float(standard_error(np.array(p), track.families.resamples))
        found.append(
            Tested(column=column, difference=table.macro, interval=_interval(track, table), p=p, p_error=error)
        )
    return found


def corrected(track: Track, family: str, tests: Sequence[Tested], missing: int = 0) -> list[Tested]:
    """The tests of one family with their decisions, in the same order. Raises as ``check_resamples`` does.

    ``missing``: tests of the family that were not made; they count with p = 1. Draws are not raised, since there are no scores
    of what was recorded earlier: a test too near its level is marked ``undecided``.
    """
    families = track.families
    check_resamples(family, len(tests) + missing, families.resamples, families.alpha)
    p = np.array([test.p for test in tests])
    decided = correct(p, families.correction, families.alpha, missing)
    errors = np.array([_error_of(test, families.resamples) for test in tests])
    near = is_near(p, levels(p, families.correction, families.alpha, missing), errors)
    found = []
    for place, test in enumerate(tests):
        decision = {
            "p_error": float(errors[place]),
            "p_adjusted": float(decided.p_adjusted[place]),
            "significant": bool(decided.significant[place]),
            "undecided": bool(near[place]),
        }
        found.append(test.model_copy(update=decision))
    return found


def _error_of(test: Tested, resamples: int) -> float:
    """Its Monte-Carlo error; where a record did not keep it p is taken as drawn if that many draws can give it."""
    if test.p_error is not None:
        return test.p_error
    times = test.p * (resamples + 1)
    is_drawn = round(times) >= 1 and abs(times - round(times)) < _WHOLE
    return float(standard_error(np.array(test.p), resamples)) if is_drawn else 0.0


def interaction(track: Track, units: Units, pair: Pair, none: Values, group: Sequence[str]) -> Interaction:
    """Whether first less second differs between the parts of ``group`` and the others of the macro average.

    ``none``: the scores without either, of which 1 is the best. Raises ``InvalidInput`` where one side has no part.
    """
    differences = _table(track, units, MACRO, pair)
    missed = _table(track, units, MACRO, Pair(dict.fromkeys(none, 1.0), none))
    inside = np.array([name in group for name in differences.languages])
    if inside.all() or not inside.any():
        raise InvalidInput("an interaction needs languages in the group and others outside it")
    together = np.concatenate([differences.sums, missed.sums], axis=1)
    counts = np.concatenate([differences.counts, missed.counts], axis=1)
    families = track.families
    resampled = resampled_means(together, counts, families.all_pairs_resamples, f"{families.seed}\0interaction")
    observed = (together.sum(axis=0) / counts.sum(axis=0))[None]
    values, draws = _gaps(observed, inside), _gaps(resampled, inside)
    method = f"bootstrap of {len(differences.units)} units, {families.all_pairs_resamples} resamples"
    bounds = []
    for column in range(2):
        lower, upper = np.nanquantile(draws[:, column], (0.025, 0.975))
        bounds.append(Bounds(lower=float(lower), upper=float(upper), method=method))
    sides = {1 if found.lower > 0 else -1 if found.upper < 0 else 0 for found in bounds}
    return Interaction(
        points=float(values[0, 0]),
        points_interval=bounds[0],
        share=float(values[0, 1]),
        share_interval=bounds[1],
        claimed=sides in ({1}, {-1}),
    )


def _gaps(means: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Inside less outside, of the differences and of their shares of what was missed, shape (rows, 2)."""
    differences, missed = np.split(means, 2, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = differences / missed
    gaps = [kind[:, inside].mean(axis=1) - kind[:, ~inside].mean(axis=1) for kind in (differences, shares)]
    found = np.stack(gaps, axis=1)
    return np.where(np.isfinite(found), found, np.nan)


def _table(track: Track, units: Units, column: str, pair: Pair) -> UnitTable:
    names = track.macro_parts if column == MACRO else (column,)
    keys = [key for key in pair.first if key[0] in names]
    if pair.first.keys() != pair.second.keys() or not keys:
        raise InvalidInput(f"{column}: two lists of scores are of different questions")
    values = np.array([pair.first[key] - pair.second[key] for key in keys])
    return tabulate(values, [part for part, _ in keys], [units[key][1] for key in keys])


def _interval(track: Track, table: UnitTable) -> Bounds | None:
    if len(table.units) < 2:
        return None
    found = bootstrap(table, track.families.all_pairs_resamples, track.families.seed)
    if not found.lower < found.upper:
        return None
    return Bounds(lower=found.lower, upper=found.upper, method=found.method)
