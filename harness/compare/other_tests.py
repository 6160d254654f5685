"""The classical tests beside the randomization test: the same pairs of systems, one system against the baseline each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from harness.compare.pairwise import check_macro_test, mcnemar_exact, paired_t, wilcoxon
from harness.compare.records import MACRO
from harness.compare.stratified import macro_t
from harness.compare.units import tabulate
from harness.errors import InvalidInput
from harness.runs.score_file import ScoreFile
from harness.tracks import Track

OtherTest = Literal["t", "wilcoxon", "mcnemar"]
_ON_ONE_PART = {"t": paired_t, "wilcoxon": wilcoxon, "mcnemar": mcnemar_exact}


class Outcome(NamedTuple):
    """A test's p and what was computed, or, where the test does not apply, no p and the reason."""

    system: str
    column: str
    p: float | None
    words: str


def other_tests(track: Track, scores: Sequence[ScoreFile], test: OtherTest) -> Iterator[Outcome]:
    """Every system against the baseline on the primary measure, per part and on the macro average; not corrected."""
    by_name = {score.system: score for score in scores}
    if track.baseline not in by_name:
        raise InvalidInput(f"the baseline {track.baseline} of track {track.name} has no scores; run and score it first")
    baseline = by_name.pop(track.baseline)
    for score in sorted(by_name.values(), key=lambda score: score.system):
        for column in (MACRO, *(part.name for part in track.clean_parts)):
            parts = track.macro_parts if column == MACRO else (column,)
            if all(score.values.get((part, track.primary)) for part in parts):
                yield _outcome(track, score, baseline, column, test)


def _outcome(track: Track, score: ScoreFile, baseline: ScoreFile, column: str, test: OtherTest) -> Outcome:
    rows = [
        (value - baseline.values[part, track.primary][query_id], part, score.units[part, query_id][1])
        for part in (track.macro_parts if column == MACRO else (column,))
        for query_id, value in score.values[part, track.primary].items()
    ]
    differences = np.array([row[0] for row in rows], dtype=np.float64)
    units = [row[2] for row in rows]
    try:
        if column != MACRO:
            found = _ON_ONE_PART[test](differences, units)
            return Outcome(score.system, column, found.p, found.method)
        check_macro_test(test)
        macro = macro_t(tabulate(differences, [row[1] for row in rows], units))
        return Outcome(score.system, column, macro.p, f"stratified t, {macro.form}, {macro.degrees_of_freedom:.1f} df")
    except InvalidInput as error:
        return Outcome(score.system, column, None, error.message)
