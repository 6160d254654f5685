"""Rows that a reader could take for each other: equal titles, or one run under two names."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.leaderboard.table import Leaderboard
from harness.runs.manifest import run_file
from harness.runs.score_file import ScoreFile
from harness.runs.trec import read_run


def twins(scores: Sequence[ScoreFile], board: Leaderboard, folder: Path) -> Iterator[str]:
    """What to tell of such rows. ``folder``: that of the track's runs, which are read only where all scores are equal."""
    titles = {row.system: row.card.title for row in board.rows}
    for one, two in itertools.combinations(sorted(titles), 2):
        if titles[one] == titles[two]:
            yield f"{one} and {two} have one title, {titles[one]!r}; tables add their names"
    alike: dict[tuple[float, ...], list[ScoreFile]] = {}
    for score in sorted(scores, key=lambda score: score.system):
        alike.setdefault(tuple(math.fsum(values.values()) for values in score.values.values()), []).append(score)
    for group in alike.values():
        for first, second in itertools.combinations(group, 2):
            if first.values == second.values and _rankings(folder, first) == _rankings(folder, second):
                yield f"{first.system} and {second.system} have the same rankings in every language"


def _rankings(folder: Path, score: ScoreFile) -> dict[tuple[str, str], list[str]]:
    files = ((part, read_run(run_file(folder / score.system, part))[0]) for part in score.parts)
    return {(part, query): list(ranked.doc_ids) for part, run in files for query, ranked in run.rankings.items()}
