"""Ablations: variations of one card, run and scored like any system, as data for the figures of a track's page.

A file ``harness/tracks/ablations/TRACK.toml`` names the card and the figures; a figure has series, a series has points, and a
point says which of the card's parameters it sets. ``languages = "own"`` and ``"others"`` stand for the language of each part,
and for all but that one: such a point is a run for every part.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness.adapters.card import LoadedCard, load_card
from harness.adapters.contract import Context
from harness.compare.estimates import mean_of
from harness.compare.records import MACRO, Bounds
from harness.dense.remembered import blocks_remembered
from harness.errors import InvalidInput, WrongUsage
from harness.files.limits import RESULT_BYTES
from harness.files.reading import parse_json, read_bytes
from harness.files.toml_records import Record, checked, read_toml
from harness.files.writing import write_text
from harness.runs.own_scores import TOLERANCE
from harness.runs.score_file import ScoreFile
from harness.runs.track_runs import TrackRuns
from harness.runs.variations import merged, scores_of, varied
from harness.tracks import Track

SCHEMA_VERSION = 1


class Point(Record):
    x: str
    parameters: dict[str, Any] = Field(default_factory=dict)


class Series(Record):
    label: str
    points: tuple[Point, ...] = Field(min_length=1)


class Figure(Record):
    name: str
    title: str
    x_label: str
    caption: str
    series: tuple[Series, ...] = Field(min_length=1)


class Plan(Record):
    """``card``: what is varied; ``languages``: all that "others" is taken from."""

    schema_version: Literal[1]
    card: str
    languages: tuple[str, ...]
    figures: tuple[Figure, ...] = Field(min_length=1)


class Measured(Record):
    """A point with its scores by part, and their mean over the parts of the macro average.

    ``interval``: of that mean, as of a row's; None in files of versions that had none, and where nothing varies.
    """

    x: str
    parameters: dict[str, Any]
    values: dict[str, float]
    macro: float
    interval: Bounds | None = None


class MeasuredSeries(Record):
    label: str
    points: tuple[Measured, ...]


class MeasuredFigure(Record):
    name: str
    title: str
    x_label: str
    caption: str
    series: tuple[MeasuredSeries, ...]


class Ablations(Record):
    schema_version: int
    track: dict[str, Any]
    measure: str
    card: str
    figures: tuple[MeasuredFigure, ...]

    def points(self) -> Iterator[tuple[MeasuredFigure, MeasuredSeries, Measured]]:
        for figure in self.figures:
            for series in figure.series:
                for point in series.points:
                    yield figure, series, point


def load_plan(track: Track) -> Plan:
    """The ablations of a track of this package. Raises ``WrongUsage`` when it has none."""
    path = Path(str(resources.files("harness.tracks") / "ablations" / f"{track.name}.toml"))
    if not path.is_file():
        raise WrongUsage(f"track {track.name} has no ablations ({path.name} in harness/tracks/ablations)")
    return checked(Plan, read_toml(path), f"ablations of {track.name}")


def measure_ablations(runs: TrackRuns, context: Context) -> Ablations:
    """Run and score all points that are not in the cache yet, and write ``runs/TRACK/ablations.json``."""
    track = runs.track
    plan = load_plan(track)
    base = load_card(plan.card)
    total = sum(len(series.points) for figure in plan.figures for series in figure.series)
    figures = []
    with blocks_remembered(), context.progress.task("ablations", total=total, unit="points") as advance:
        for figure in plan.figures:
            measured = []
            for series in figure.series:
                points = []
                for point in series.points:
                    points.append(_measured(track, plan, base, point, context))
                    advance(1)
                measured.append(MeasuredSeries(label=series.label, points=tuple(points)))
            fields = figure.model_dump(exclude={"series"})
            figures.append(MeasuredFigure(**fields, series=tuple(measured)))
    ablations = Ablations(
        schema_version=SCHEMA_VERSION,
        track={"name": track.name, "version": track.version},
        measure=track.primary,
        card=plan.card,
        figures=tuple(figures),
    )
    write_text(runs.ablations_file, json.dumps(ablations.model_dump(mode="json"), indent=1) + "\n")
    return ablations


def read_ablations(path: Path) -> Ablations | None:
    """The ablations in a file, or None when none were made."""
    if not path.is_file():
        return None
    try:
        content = dict(parse_json(read_bytes(path, RESULT_BYTES)))
    except (ValueError, TypeError) as error:
        raise InvalidInput(
            f"{path} is not a file of ablations; `xdr leaderboard --ablations` makes it again"
        ) from error
    return checked(Ablations, content, str(path))


def contradictions(track: Track, ablations: Ablations, recorded: Mapping[str, Any], scores: ScoreFile) -> list[str]:
    """In what the ablations contradict themselves or the recorded row of their card, whose parameters are ``recorded``.

    Only a point that changes nothing is a run of record: of the others only the macro average can be held against anything.
    """
    found = []
    for figure, series, point in ablations.points():
        where = f"{figure.name}, {series.label}, {point.x}"
        parts = [point.values[name] for name in track.macro_parts if name in point.values]
        if len(parts) < len(track.macro_parts) or not math.isclose(
            point.macro, sum(parts) / len(parts), abs_tol=TOLERANCE
        ):
            found.append(f"{where}: the macro average is not that of its parts")
        if merged(recorded, point.parameters) == recorded:
            means = {part: scores.mean(part, ablations.measure) for part in point.values}
            wrong = [
                part
                for part, mean in means.items()
                if not math.isclose(point.values[part], mean or 0, abs_tol=TOLERANCE)
            ]
            found += [f"{where}: {part} is not the score of {ablations.card}" for part in wrong]
            mean = mean_of(track, scores, MACRO)
            if point.interval is not None and (mean is None or not _equal(point.interval, mean.interval)):
                found.append(f"{where}: the interval is not that of {ablations.card}")
    return found


def _equal(one: Bounds, two: Bounds | None) -> bool:
    return two is not None and all(
        math.isclose(first, second, abs_tol=TOLERANCE)
        for first, second in ((one.lower, two.lower), (one.upper, two.upper))
    )


def _measured(track: Track, plan: Plan, base: LoadedCard, point: Point, context: Context) -> Measured:
    chosen = point.parameters.get("languages")
    if chosen in ("own", "others"):
        runs = []
        for part in track.parts:
            languages = [lang for lang in plan.languages if (lang == part.lang) == (chosen == "own")]
            card = varied(base, {**point.parameters, "languages": languages}, (part.lang,))
            runs.append(scores_of(track, card, "ablations", context))
        scores = _together(runs)
    else:
        scores = scores_of(track, varied(base, point.parameters), "ablations", context)
    means = {part: scores.mean(part, track.primary) for part in scores.parts}
    values = {part: mean for part, mean in means.items() if mean is not None}
    if missing := [name for name in track.macro_parts if name not in values]:
        raise InvalidInput(f"ablation {point.x!r} has no score for {', '.join(missing)}, which the macro average needs")
    macro = math.fsum(values[name] for name in track.macro_parts) / len(track.macro_parts)
    mean = mean_of(track, scores, MACRO)
    interval = mean.interval if mean else None
    return Measured(x=point.x, parameters=point.parameters, values=values, macro=macro, interval=interval)


def _together(runs: list[ScoreFile]) -> ScoreFile:
    """Runs of one part each, as the scores of one system."""
    values: dict[tuple[str, str], Mapping[str, float]] = {}
    units: dict[tuple[str, str], tuple[str, str]] = {}
    langs: dict[str, str] = {}
    for run in runs:
        values |= run.values
        units |= run.units
        langs |= run.langs
    return dataclasses.replace(runs[0], values=values, units=units, langs=langs)
