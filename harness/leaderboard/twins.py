"""Rows that a reader could take for each other: equal titles, or one run under two names."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

from harness.leaderboard.table import Leaderboard
from harness.runs.score_file import ScoreFile
from harness.runs.track_runs import TrackRuns


def twins(runs: TrackRuns, board: Leaderboard, scores: Sequence[ScoreFile]) -> Iterator[str]:
    """What to tell of such rows. The runs are read only where all scores are equal."""
    titles = {row.system: row.card.title for row in board.rows}
    for one, two in itertools.combinations(sorted(titles), 2):
        if titles[one] == titles[two]:
            yield f"{one} and {two} have one title, {titles[one]!r}; tables add their names"
    alike: dict[tuple[float, ...], list[ScoreFile]] = {}
    for score in sorted(scores, key=lambda score: score.system):
        alike.setdefault(tuple(math.fsum(values.values()) for values in score.values.values()), []).append(score)
    for group in alike.values():
        for first, second in itertools.combinations(group, 2):
            if first.values == second.values and _rankings(runs, first) == _rankings(runs, second):
                yield f"{first.system} and {second.system} have the same rankings in every language"


def _rankings(runs: TrackRuns, score: ScoreFile) -> dict[tuple[str, str], list[str]]:
    run = runs.run(score.system)
    read = ((part, run.read(part)[0]) for part in score.parts if part in run.manifest.data)
    return {(part, query): list(ranked.doc_ids) for part, found in read for query, ranked in found.rankings.items()}
