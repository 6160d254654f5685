"""Scores, comparison and manifests of a track in, one table as plain data out; ``.exports`` sets it in type."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, field_serializer, field_validator

from harness.adapters.card import Card, speaking_of
from harness.compare.records import MACRO, Bounds, Comparison, Difference, Standing
from harness.errors import InvalidInput, WrongUsage
from harness.files.limits import RESULT_BYTES
from harness.files.migrations import CURRENT, migrated
from harness.files.reading import parse_json, read_bytes
from harness.files.toml_records import Record, checked
from harness.leaderboard.bounds import Reach, bounds_of
from harness.numbers import percent
from harness.runs.manifest import Manifest
from harness.runs.provenance import Execution, Git, Hardware, Software
from harness.runs.score_file import ScoreFile
from harness.runs.withdrawal import Withdrawal
from harness.submissions.reproductions import Reproduced, Reproduction, standing_of
from harness.tracks import Track

SCHEMA_VERSION = CURRENT["leaderboard"]
FILE_NAME = "leaderboard.json"


class Figures(Record):
    """A record of numbers; what is not a number is no figure, and is refused."""

    model_config = ConfigDict(allow_inf_nan=False)


class Cell(Figures):
    """A mean, null for a language that the card does not declare, with its test against the baseline.

    ``may_have_seen``: the system's training may have held data of this column, as its card says, so that the value is an upper
    bound and leads nothing. ``one_sided``: that is so of one of the two systems that were compared; ``significant`` then rests
    on it alone, and no table gives it as a verdict.
    """

    value: float | None
    difference: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    significant: bool | None = None
    wins: int = 0
    ties: int = 0
    losses: int = 0
    interval: Bounds | None = None
    difference_interval: Bounds | None = None
    effect: float | None = None
    t_p: float | None = None
    resamples: int | None = None
    p_error: float | None = None
    may_have_seen: bool = False
    one_sided: bool = False


class Provenance(Record):
    """What of a row's manifest stands on its page; ``rankings`` are the digests of its runs by part."""

    git: Git
    software: Software
    hardware: Hardware
    execution: Execution
    rankings: dict[str, str]


class Row(Figures):
    """One system. ``rank`` is null where the macro average is a dash or the row is withdrawn.

    ``cells`` is {measure: {column: cell}}.
    ``micro``: mean over queries instead of languages, by measure.
    ``judged``: by part, means of Judged@k for the cutoffs of the measures from qrels.
    ``standings``: its letters and rank interval by column; on the macro average among all systems that have one.
    ``status``: "reproduced" where a record says that this very run was made again; ``reproduced`` is that record's gist.
    ``lacking``: by part that the track got, or changed, after the run was made, why it is a dash.
    ``withdrawn``: when and why the row was withdrawn; such a row has values, but no test.
    ``may_have_seen``: what its card, and the cards of the rows that it stands on, say that their training may have held.
    """

    system: str
    title: str
    kind: str
    rank: int | None
    is_baseline: bool
    description: str
    cells: dict[str, dict[str, Cell]]
    micro: dict[str, float | None]
    judged: dict[str, dict[str, float]] = Field(default_factory=dict)
    lacking: dict[str, str] = Field(default_factory=dict)
    warnings: tuple[str, ...]
    standings: dict[str, Standing]
    isolation: str
    status: Literal["submitted", "reproduced"]
    reproduced: Reproduced | None
    card: Card
    provenance: Provenance
    withdrawn: Withdrawal | None = None
    may_have_seen: tuple[str, ...] = ()


class Column(Figures):
    """One part of the track; ``ceiling`` and ``random`` by measure are what a run can reach, and what chance gives."""

    part: str
    lang: str
    dataset: str
    in_macro: bool
    queries: dict[str, int]
    ceiling: dict[str, float]
    random: dict[str, float]


_IN_ROWS = ("differences", "means", "standings")


class Leaderboard(Record):
    """A track's table. ``rows`` are in the order of ranks, then those without a rank, then those withdrawn.

    ``comparison`` is the track's comparison without what rows hold; of the tests of all pairs, those of the primary measure.
    """

    schema_version: int
    track: Track = Field(title="Track")
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    comparison: Comparison = Field(title="Comparison")

    @field_validator("track", mode="before")
    @classmethod
    def _recorded_track(cls, content: Any) -> Any:
        return Track.recorded(content) if isinstance(content, Mapping) else content

    @field_serializer("track")
    def _without_places(self, track: Track) -> dict[str, Any]:
        return track.model_dump(mode="json", exclude={"parts": {"__all__": {"location"}}})

    @field_validator("comparison", mode="before")
    @classmethod
    def _without_what_rows_hold(cls, content: Any) -> Any:
        return {**dict.fromkeys(_IN_ROWS, ()), **content} if isinstance(content, Mapping) else content

    @field_serializer("comparison")
    def _what_rows_do_not_hold(self, comparison: Comparison) -> dict[str, Any]:
        content = comparison.model_dump(mode="json", exclude={*_IN_ROWS, "pairs"})
        return {**content, "pairs": [found.model_dump(mode="json") for found in comparison.pairs]}


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
    for score in scores:
        manifest = manifests[score.system]
        reproduced = standing_of(manifest, (reproductions or {}).get(score.system, ()))
        row = _row(track, score, manifest, comparison, (withdrawals or {}).get(score.system), reproduced)
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
        columns=tuple(_column(track, name, scores, bounds[name]) for name in (part.name for part in track.parts)),
        rows=tuple(ranked),
        comparison=comparison.model_copy(
            update={
                **dict.fromkeys(_IN_ROWS, ()),
                "pairs": tuple(found for found in comparison.pairs if found.measure == track.primary),
            }
        ),
    )


def _ranked_by(track: Track, row: Row) -> float | None:
    """The macro average, by which rows are ranked; equal ones share a rank."""
    value = row.cells[track.primary][MACRO].value
    return None if value is None else _without_noise(value)


def _row(
    track: Track,
    score: ScoreFile,
    manifest: Manifest,
    comparison: Comparison,
    withdrawn: Withdrawal | None,
    reproduced: Reproduced | None,
) -> Row:
    tests = {(t.measure, t.column): t for t in comparison.differences if t.system == score.system}
    intervals = {mean.column: mean.interval for mean in comparison.means if mean.system == score.system}
    card = manifest.card
    cells: dict[str, dict[str, Cell]] = {}
    for measure in track.measures:
        means = {part.name: score.mean(part.name, measure) for part in track.parts}
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
        judged={part: dict(shares) for part, shares in score.judged.items()},
        lacking=dict(score.lacking),
        warnings=tuple(warnings),
        standings={found.column: found for found in comparison.standings if found.system == score.system},
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


def seen_by(system: str, manifests: Mapping[str, Manifest]) -> tuple[str, ...]:
    """What the cards of a system, and of the rows that it stands on, say its training may have held: `collection: source`."""
    found: list[str] = []
    waiting, known = [system], set()
    while waiting:
        name = waiting.pop(0)
        if name in known or name not in manifests:
            continue
        known.add(name)
        found += manifests[name].card.may_have_seen
        waiting += manifests[name].rows
    return tuple(dict.fromkeys(found))


def seen_columns(track: Track, entries: Sequence[str]) -> frozenset[str]:
    """Columns of which the system's training may have held data; the macro average, where that is so of one of its parts."""
    parts = {part.name for part in track.parts if speaking_of(part.dataset, entries)}
    return frozenset(parts | ({MACRO} if parts & set(track.macro_parts) else set()))


def what_was_seen(board: Leaderboard, row: Row) -> tuple[str, ...]:
    """What is known of this track's data and the row's training, `collection: source`."""
    found = [entry for column in board.columns for entry in speaking_of(column.dataset, row.may_have_seen)]
    return tuple(dict.fromkeys(found))


def _tie_note(measure: str, ties: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Between which values the measure lies however ties are broken, where a table would show the difference."""
    ranges = {part: (percent(found["worst"]), percent(found["best"])) for part, found in ties.items()}
    told = [f"{part} {worst} to {best}" for part, (worst, best) in ranges.items() if worst != best]
    return [f"{measure} with ties broken in the worst and in the best way: {', '.join(told)}"] if told else []


def best_of(rows: Sequence[Row], measure: str) -> dict[str, float]:
    """By column the highest value among rows that stand and have not seen its data, without the noise of float sums.

    See ``leads``.
    """
    best: dict[str, float] = {}
    for row in rows:
        for column, cell in row.cells[measure].items() if row.withdrawn is None else ():
            if cell.value is not None and not cell.may_have_seen:
                best[column] = max(best.get(column, 0.0), _without_noise(cell.value))
    return best


def leads(row: Row, measure: str, column: str, best: Mapping[str, float]) -> bool:
    """Whether the row's value is the best of its column, alone or with others: ranks, pages and exports agree on it."""
    cell = row.cells[measure][column]
    if row.withdrawn is not None or cell.value is None or cell.may_have_seen:
        return False
    return _without_noise(cell.value) == best.get(column)


def _without_noise(value: float) -> float:
    """Twelve decimals: equal sums of the same numbers in another order are equal."""
    return round(value, 12)


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


def read_leaderboard(folder: Path) -> Leaderboard:
    path = folder / FILE_NAME
    try:
        content = dict(parse_json(read_bytes(path, RESULT_BYTES)))
    except (WrongUsage, ValueError, TypeError) as error:
        raise InvalidInput(f"{path} is not a leaderboard; `xdr leaderboard` makes it") from error
    return checked(Leaderboard, migrated("leaderboard", content, str(path)), str(path))


def columns_of(board: Leaderboard) -> list[str]:
    """Column names in the order of tables: the macro average, then its parts, then the parts outside it."""
    inside = [column.part for column in board.columns if column.in_macro]
    outside = [column.part for column in board.columns if not column.in_macro]
    return [MACRO, *inside, *outside]
