"""Choosing a card's parameters on development questions: every point of a grid is run and scored, a declared rule chooses.

The rule "one standard error" takes the first point, in the order of the grid, whose mean lies within one standard error of the
best one's (Breiman, Friedman, Olshen and Stone 1984, section 3.4.3): what cannot be told from the best is decided in favour of
what was named first, so a grid goes from what is simplest, or smallest, upwards.
"""

from __future__ import annotations

import itertools
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from harness.adapters.card import LoadedCard
from harness.adapters.contract import Context
from harness.compare.stratified import macro_t
from harness.compare.units import tabulate
from harness.dense.remembered import blocks_remembered
from harness.errors import InvalidInput, WrongUsage
from harness.files.limits import RESULT_BYTES
from harness.files.reading import parse_json, read_bytes
from harness.files.toml_records import Record, checked
from harness.files.writing import write_text
from harness.runs.score_file import ScoreFile
from harness.runs.variations import scores_of, varied
from harness.tracks import Track, load_track, own_track_names

SCHEMA_VERSION = 1
MOST_POINTS = 1000
_EQUAL = 1e-12

Rule = Literal["best", "one standard error"]
RULES: dict[str, str] = {
    "best": "the highest mean, the first of equal ones",
    "one standard error": "the first point within one standard error of the best",
}


class Point(Record):
    """A point of the grid with the measure's means by part, their macro average, and its standard error over units."""

    parameters: dict[str, Any]
    values: dict[str, float]
    macro: float
    standard_error: float


class Tuning(Record):
    """All that was tried, and what was chosen. ``grid``: values by the parameter's dotted name; ``points`` in its order.

    ``at_edge``: parameters whose best value is the first or last of the grid, so that a better one may lie beyond.
    """

    schema_version: Literal[1]
    card: str
    track: dict[str, Any]
    measure: str
    rule: Rule
    grid: dict[str, tuple[Any, ...]] = Field(min_length=1)
    points: tuple[Point, ...] = Field(min_length=1)
    best: int = Field(ge=0)
    chosen: int = Field(ge=0)
    at_edge: tuple[str, ...] = ()


def parse_grid(options: Iterable[str]) -> dict[str, tuple[Any, ...]]:
    """``NAME=V1,V2,...`` with values as TOML writes them, strings in quotes. Raises ``WrongUsage``.

    >>> parse_grid(["fusion.alpha=0,0.1", "fusion.combine='sum','mean'"])
    {'fusion.alpha': (0, 0.1), 'fusion.combine': ('sum', 'mean')}
    """
    grid: dict[str, tuple[Any, ...]] = {}
    for option in options:
        name, equals, text = option.partition("=")
        try:
            values = tuple(tomllib.loads(f"values = [{text}]")["values"]) if "\n" not in text else ()
        except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
            raise WrongUsage(
                f"--grid {option!r}: values are written as in TOML, strings in quotes ({error})"
            ) from error
        if not (equals and name and all(name.split("."))) or len(values) < 2:
            raise WrongUsage(f"--grid {option!r} is not of the form NAME=V1,V2,..., with two values or more")
        if name in grid:
            raise WrongUsage(f"--grid {name} is given twice")
        grid[name] = _in_order(name, values)
    if (size := int(np.prod([len(values) for values in grid.values()]))) > MOST_POINTS:
        raise WrongUsage(f"the grid has {size:,} points; expected {MOST_POINTS:,} or fewer")
    return grid


def _in_order(name: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len({json.dumps(value, sort_keys=True, default=str) for value in values}) < len(values):
        raise WrongUsage(f"--grid {name} names a value twice")
    if all(_is_number(value) for value in values) and list(values) != sorted(values):
        raise WrongUsage(f"--grid {name}: numbers ascend, since the rules take the first of what is equally good")
    return values


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def tune(
    card: LoadedCard, track: Track, grid: Mapping[str, tuple[Any, ...]], measure: str, rule: Rule, context: Context
) -> Tuning:
    """Run and score the card at every point of the grid. Raises ``InvalidInput`` and ``WrongUsage`` before the first run."""
    check_development(card, track)
    track = _with_measure(track, measure)
    settings = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    cards = [varied(card, _nested(setting)) for setting in settings]
    for variation in cards:
        variation.system(context.consent)
    points = []
    with blocks_remembered(), context.progress.task("tune", total=len(cards), unit="points") as advance:
        for setting, variation in zip(settings, cards, strict=True):
            points.append(_point(track, setting, scores_of(track, variation, "tuning", context)))
            advance(1)
    best, chosen = choose([point.macro for point in points], [point.standard_error for point in points], rule)
    return Tuning(
        schema_version=SCHEMA_VERSION,
        card=card.card.name,
        track={"name": track.name, "version": track.version},
        measure=measure,
        rule=rule,
        grid=dict(grid),
        points=tuple(points),
        best=best,
        chosen=chosen,
        at_edge=_at_edge(grid, settings[best]),
    )


def choose(means: Sequence[float], errors: Sequence[float], rule: Rule) -> tuple[int, int]:
    """Places of the best and of the chosen point; what differs by rounding alone is equal.

    >>> choose([0.5, 0.68, 0.7, 0.7], [0.1, 0.03, 0.03, 0.01], "one standard error")
    (2, 1)
    """
    best = next(place for place, mean in enumerate(means) if mean >= max(means) - _EQUAL)
    if rule == "best":
        return best, best
    enough = means[best] - errors[best] - _EQUAL
    return best, next(place for place, mean in enumerate(means) if mean >= enough)


def check_development(card: LoadedCard, track: Track) -> None:
    """Raises ``WrongUsage`` where the card is a row of a track of this package that asks the same questions."""
    asked = {part.dataset_id for part in track.parts}
    for name in own_track_names():
        ranked = load_track(name)
        if card.card.name in ranked.systems and asked & {part.dataset_id for part in ranked.parts}:
            raise WrongUsage(
                f"{card.card.name} is a row of track {name}, which asks the questions of track {track.name}: what is chosen "
                "on the questions that it is ranked by is no result; use a track of development questions"
            )


def _with_measure(track: Track, measure: str) -> Track:
    """The track with the measure that decides as its primary one."""
    track.measure(measure)
    measures = track.measures if measure in track.measures else (*track.measures, measure)
    return track.model_copy(update={"measures": measures, "primary": measure})


def _nested(setting: Mapping[str, Any]) -> dict[str, Any]:
    """
    >>> _nested({"fusion.alpha": 0.1, "fusion.combine": "sum", "per_language": 3})
    {'fusion': {'alpha': 0.1, 'combine': 'sum'}, 'per_language': 3}
    """
    changes: dict[str, Any] = {}
    for name, value in setting.items():
        *tables, key = name.split(".")
        place = changes
        for table in tables:
            place = place.setdefault(table, {})
        place[key] = value
    return changes


def _point(track: Track, setting: dict[str, Any], scores: ScoreFile) -> Point:
    parts = track.macro_parts
    if missing := [part for part in parts if (part, track.primary) not in scores.values]:
        raise InvalidInput(f"{setting} has no score for {', '.join(missing)}, which the macro average needs")
    rows = [
        (value, part, scores.units[part, query_id][1])
        for part in parts
        for query_id, value in scores.values[part, track.primary].items()
    ]
    values, languages, units = zip(*rows, strict=True)
    table = tabulate(np.array(values, dtype=np.float64), languages, units)
    # Where all values are equal there is no error, of which a test could make nothing.
    constant = min(values) == max(values)
    means = {part: scores.mean(part, track.primary) or 0.0 for part in parts}
    return Point(
        parameters=setting,
        values=means,
        macro=float(table.macro),
        standard_error=0.0 if constant else macro_t(table).standard_error,
    )


def _at_edge(grid: Mapping[str, tuple[Any, ...]], best: Mapping[str, Any]) -> tuple[str, ...]:
    ordered = {name: values for name, values in grid.items() if all(map(_is_number, values))}
    return tuple(name for name, values in ordered.items() if best[name] in (values[0], values[-1]))


def write_tuning(path: Path, tuning: Tuning) -> None:
    write_text(path, json.dumps(tuning.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n")


def read_tuning(path: Path) -> Tuning:
    """Raises ``InvalidInput`` when the file is not one that ``write_tuning`` wrote."""
    try:
        content = dict(parse_json(read_bytes(path, RESULT_BYTES)))
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"{path} is not a file of tuning; `xdr tune` makes one") from error
    tuning = checked(Tuning, content, str(path))
    if not max(tuning.best, tuning.chosen) < len(tuning.points):
        raise InvalidInput(f"{path}: best and chosen are places among {len(tuning.points)} points, from 0")
    return tuning


def as_markdown(tuning: Tuning) -> str:
    """The table of the points, times 100, and what was chosen by which rule."""
    names, parts = list(tuning.grid), list(tuning.points[0].values)
    lines = ["| " + " | ".join([*names, *parts, "macro", "se", ""]) + " |"]
    lines.append("|" + "---:|" * (len(names) + len(parts) + 2) + "---|")
    for place, point in enumerate(tuning.points):
        said = ", ".join(word for word, which in (("best", tuning.best), ("chosen", tuning.chosen)) if which == place)
        figures = [*point.values.values(), point.macro, point.standard_error]
        cells = [*(str(point.parameters[name]) for name in names), *(f"{100 * figure:.1f}" for figure in figures), said]
        lines.append("| " + " | ".join(cells) + " |")
    chosen = ", ".join(f"{name} = {value}" for name, value in tuning.points[tuning.chosen].parameters.items())
    track = f"track {tuning.track['name']}, version {tuning.track['version']}"
    lines += ["", f"{tuning.card} on {track}, {tuning.measure}; {tuning.rule} ({RULES[tuning.rule]}): {chosen}"]
    lines += [f"The best {name} is at an end of its grid: a better one may lie beyond." for name in tuning.at_edge]
    return "\n".join(lines) + "\n"
