"""Scores, comparison and manifests of a track in, one table as plain data out."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.compare.records import MACRO, Bounds, Comparison, Difference, Mean, Standing
from harness.leaderboard.bounds import Reach, bounds_of
from harness.leaderboard.seen import seen_by, seen_columns
from harness.leaderboard.table import (
    IN_ROWS,
    SCHEMA_VERSION,
    Cell,
    Column,
    Leaderboard,
    Provenance,
    Row,
    without_noise,
)
from harness.numbers import percent
from harness.runs.manifest import Manifest
from harness.runs.score_file import ScoreFile
from harness.runs.withdrawal import Withdrawal
from harness.submissions.reproductions import Reproduced, Reproduction, standing_of
from harness.tracks import Track


def build(
    track: Track,
    scores: Sequence[ScoreFile],
    comparison: Comparison,
    manifests: Mapping[str, Manifest],
    withdrawals: Mapping[str, Withdrawal] | None = None,
    reproductions: Mapping[str, Sequence[Reproduction]] | None = None,
) -> Leaderboard:
    """The table. ``manifests`` are by system; ``withdrawals`` of the systems whose rows are withdrawn, which are not
    compared; ``reproductions`` are those that the run folders hold.
    """
    rows = []
    said = _by_system(comparison)
    for score in scores:
        manifest = manifests[score.system]
        reproduced = standing_of(manifest, (reproductions or {}).get(score.system, ()))
        row = _row(track, score, manifest, said[score.system], (withdrawals or {}).get(score.system), reproduced)
        rows.append(_with_what_was_seen(track, row, manifests))
    rows.sort(
        key=lambda row: (
            row.withdrawn is not None,
            _ranked_by(track, row) is None,
            -(_ranked_by(track, row) or 0.0),
            row.system,
        )
    )
    ranked, previous = [], None
    for place, row in enumerate(rows, 1):
        value = None if row.withdrawn else _ranked_by(track, row)
        if value is None:
            ranked.append(row)
            continue
        rank = ranked[-1].rank if previous is not None and value == previous else place
        ranked.append(row.model_copy(update={"rank": rank}))
        previous = value
    titles = Counter(row.title for row in ranked)
    ranked = [
        row.model_copy(update={"title": f"{row.title} ({row.system})"}) if titles[row.title] > 1 else row
        for row in ranked
    ]
    bounds = bounds_of(track)
    return Leaderboard(
        schema_version=SCHEMA_VERSION,
        track=track,
        columns=tuple(_column(track, name, scores, bounds[name]) for name in (part.name for part in track.clean_parts)),
        rows=tuple(ranked),
        comparison=comparison.model_copy(
            update={
                **dict.fromkeys(IN_ROWS, ()),
                "pairs": tuple(found for found in comparison.pairs if found.measure == track.primary),
            }
        ),
    )


def _ranked_by(track: Track, row: Row) -> float | None:
    """The macro average, by which rows are ranked; equal ones share a rank."""
    value = row.cells[track.primary][MACRO].value
    return None if value is None else without_noise(value)


class _Said(NamedTuple):
    """What a comparison says of one system."""

    differences: list[Difference]
    means: list[Mean]
    standings: list[Standing]


def _by_system(comparison: Comparison) -> Mapping[str, _Said]:
    found: dict[str, _Said] = defaultdict(lambda: _Said([], [], []))
    for test in comparison.differences:
        found[test.system].differences.append(test)
    for mean in comparison.means:
        found[mean.system].means.append(mean)
    for standing in comparison.standings:
        found[standing.system].standings.append(standing)
    return found


def _row(
    track: Track,
    score: ScoreFile,
    manifest: Manifest,
    said: _Said,
    withdrawn: Withdrawal | None,
    reproduced: Reproduced | None,
) -> Row:
    tests = {(test.measure, test.column): test for test in said.differences}
    intervals = {mean.column: mean.interval for mean in said.means}
    card = manifest.card
    cells: dict[str, dict[str, Cell]] = {}
    for measure in track.measures:
        means = {part.name: score.mean(part.name, measure) for part in track.clean_parts}
        means[MACRO] = score.macro(track.macro_parts, measure)
        cells[measure] = {
            column: _cell(
                value, tests.get((measure, column)), intervals.get(column) if measure == track.primary else None
            )
            for column, value in means.items()
        }
    lacks = [f"{part} is a dash: {reason}" for part, reason in score.lacking.items()]
    warnings = [*lacks, *manifest.notes, *score.notes, *_tie_note(track.primary, score.context["ties"])]
    return Row(
        system=score.system,
        title=card.title,
        kind=card.kind,
        rank=None,
        is_baseline=score.system == track.baseline,
        description=card.description,
        cells=cells,
        micro={measure: _micro(track, score, measure) for measure in track.measures},
        judged={part: dict(shares) for part, shares in score.judged.items() if not track.part(part).clean},
        lacking=dict(score.lacking),
        warnings=tuple(warnings),
        standings={found.column: found for found in said.standings},
        isolation=manifest.execution.isolation,
        status="submitted" if reproduced is None else "reproduced",
        reproduced=reproduced,
        card=card,
        provenance=Provenance(
            git=manifest.implementation.git,
            software=manifest.platform.software,
            hardware=manifest.platform.hardware,
            execution=manifest.execution,
            rankings={name: record.ranking for name, record in manifest.data.items()},
        ),
        withdrawn=withdrawn,
    )


def _with_what_was_seen(track: Track, row: Row, manifests: Mapping[str, Manifest]) -> Row:
    """The row with the cells marked whose data its system, or that which it was compared with, may have been trained on."""
    entries = seen_by(row.system, manifests)
    own, others = (seen_columns(track, found) for found in (entries, seen_by(track.baseline, manifests)))
    row = row.model_copy(update={"may_have_seen": entries})
    if not own and not others:
        return row
    cells = {
        measure: {
            column: cell.model_copy(
                update={
                    "may_have_seen": cell.value is not None and column in own,
                    "one_sided": cell.difference is not None and (column in own) != (column in others),
                }
            )
            for column, cell in columns.items()
        }
        for measure, columns in row.cells.items()
    }
    return row.model_copy(update={"cells": cells})


def _tie_note(measure: str, ties: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Between which values the measure lies however ties are broken, where a table would show the difference."""
    ranges = {part: (percent(found["worst"]), percent(found["best"])) for part, found in ties.items()}
    told = [f"{part} {worst} to {best}" for part, (worst, best) in ranges.items() if worst != best]
    return [f"{measure} with ties broken in the worst and in the best way: {', '.join(told)}"] if told else []


def _micro(track: Track, score: ScoreFile, measure: str) -> float | None:
    """Mean over all queries of the macro average's parts, each query weighing the same; None where a part is a dash."""
    parts = [score.values.get((name, measure)) for name in track.macro_parts]
    values = [value for part in parts if part for value in part.values()]
    return math.fsum(values) / len(values) if values and None not in parts else None


def _cell(value: float | None, test: Difference | None, interval: Bounds | None) -> Cell:
    if test is None:
        return Cell(value=value, interval=interval)
    shared: tuple[str, ...] = (
        "difference",
        "p",
        "p_adjusted",
        "significant",
        "wins",
        "ties",
        "losses",
        "effect",
        "t_p",
    )
    shared += ("resamples", "p_error")
    fields = {name: getattr(test, name) for name in shared}
    return Cell(value=value, interval=interval, difference_interval=test.interval, **fields)


def _column(track: Track, name: str, scores: Sequence[ScoreFile], bounds: Mapping[str, Reach]) -> Column:
    part = track.part(name)
    counts: dict[str, int] = {}
    for measure in track.measures:
        found = [score.values[name, measure] for score in scores if (name, measure) in score.values]
        counts[measure] = len(found[0]) if found else 0
    return Column(
        part=name,
        lang=part.lang,
        dataset=part.dataset,
        in_macro=name in track.macro_parts,
        queries=counts,
        ceiling={measure: bounds[measure].ceiling for measure in track.measures},
        random={measure: bounds[measure].random for measure in track.measures},
    )
