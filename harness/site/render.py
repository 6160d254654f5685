"""Leaderboard data in, pages out. Reads score files, runs and collections; loads no system and no model."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from harness.ablations import MeasuredFigure, read_ablations
from harness.compare.records import MACRO, Bounds
from harness.errors import InvalidInput
from harness.files import write_text
from harness.languages import language
from harness.leaderboard import Cell, Leaderboard, columns_of, read_leaderboard
from harness.measures import parse
from harness.measures.from_qrels import OfJudgements
from harness.score import ScoreFile
from harness.site.charts import line_chart
from harness.site.queries import query_views
from harness.tracks import Track

HEAT_STEPS = 20
MAX_MEASURES = 16


def render(track: Track, board: Leaderboard, scores: Sequence[ScoreFile], runs: Path, reports: Path) -> Path:
    """Write the track's pages and the index of all tracks; returns the path of the track's page."""
    environment = _environment()
    names = columns_of(board)
    by_name = {column.part: column for column in board.columns}
    shared = {"board": board, "columns": names, "by_name": by_name, "track": board.track, "root": "../"}
    page = reports / track.name / "index.html"
    ablations = read_ablations(runs / track.name)
    _write(
        environment,
        "track.html",
        page,
        **shared,
        best=_best(board),
        has_ablations=ablations is not None,
        check=_check(track, scores, board),
    )
    order = [row.system for row in board.rows]
    titles = {row.system: row.title for row in board.rows}
    ordered = sorted(scores, key=lambda score: order.index(score.system))
    for column in board.columns:
        queries = query_views(track, track.part(column.part), ordered, runs)
        served = [score for score in ordered if column.part in score.langs]
        path = reports / track.name / f"{column.part}.html"
        _write(
            environment, "queries.html", path, **shared, column=column, queries=queries, served=served, titles=titles
        )
    if ablations is not None:
        charts = [(figure, line_chart(_series_of(figure))) for figure in ablations.figures]
        path = reports / track.name / "ablations.html"
        _write(environment, "ablations.html", path, **shared, ablations=ablations, charts=charts)
    _write(environment, "index.html", reports / "index.html", tracks=_all_tracks(runs, reports, board), root="")
    return page


def _check(track: Track, scores: Sequence[ScoreFile], board: Leaderboard) -> dict[str, Any] | None:
    """A run, a part and measures that other tools must agree on: from judgements, and without ties."""
    measures = [name for name in track.measures if isinstance(parse(name), OfJudgements)]
    by_name = {score.system: score for score in scores}
    for row in board.rows if measures else ():
        context = by_name[row.system].context
        for column in board.columns:
            if column.part in context["rankings"] and column.part not in context["ties"]:
                fields = {"part": column.part, "dataset": column.dataset, "lang": column.lang}
                return {"title": row.title, "system": row.system, "measures": measures, **fields}
    return None


def _series_of(figure: MeasuredFigure) -> list[tuple[str, list[tuple[str, float]]]]:
    return [(series.label, [(point.x, point.macro) for point in series.points]) for series in figure.series]


def _all_tracks(runs: Path, reports: Path, current: Leaderboard) -> list[Leaderboard]:
    found = {current.track["name"]: current}
    for path in sorted(runs.glob("*/leaderboard.json")):
        if path.parent.name not in found and (reports / path.parent.name / "index.html").is_file():
            try:
                found[path.parent.name] = read_leaderboard(path.parent)
            except InvalidInput:
                continue
    return [found[name] for name in sorted(found)]


def _best(board: Leaderboard) -> dict[tuple[str, str], float]:
    """Highest value by measure and column, to be set in bold."""
    best: dict[tuple[str, str], float] = {}
    for row in board.rows:
        for measure, cells in row.cells.items():
            for column, cell in cells.items():
                if cell.value is not None:
                    best[measure, column] = max(best.get((measure, column), 0.0), cell.value)
    return best


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("harness.site"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (
        resources.files("harness.site").joinpath("static", "style.css").read_text("utf-8")
        + _heat_rules()
        + _switch_rules()
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment.globals.update(
        style=style,
        style_hash=f"sha256-{digest}",
        language=language,
        interval=interval,
        percent=percent,
        heat=heat,
        mark=mark,
        MACRO=MACRO,
    )
    return environment


def _heat_rules() -> str:
    """One class per step: a page under a strict content security policy can have no style attributes."""
    steps = (f".h{i}{{--heat:{round(62 * i / HEAT_STEPS)}%}}" for i in range(HEAT_STEPS + 1))
    return "\n" + "".join(steps) + "\n"


def _switch_rules() -> str:
    """The measure switch works without a script: a table is hidden unless its radio button is the checked one."""
    rules = (
        f"section:has(#measure-{i}:not(:checked)) > .measure-{i}{{display:none}}" for i in range(1, MAX_MEASURES + 1)
    )
    return "@media screen{" + "".join(rules) + "}\n"


def percent(value: float | None, digits: int = 1) -> str:
    """A value in [0, 1] times 100; a dash for none."""
    return "–" if value is None else f"{100 * value:.{digits}f}"


def interval(bounds: Bounds | None, form: str) -> str:
    """Limits in [-1, 1] times 100, each in the given form; a dash for none."""
    return "–" if bounds is None else f"{form % (100 * bounds.lower)} to {form % (100 * bounds.upper)}"


def heat(value: float | None) -> str:
    return "" if value is None else f"h{max(0, min(HEAT_STEPS, round(HEAT_STEPS * value)))}"


def mark(cell: Cell) -> tuple[str, str]:
    """Sign and words for a difference that the declared family calls significant."""
    if not cell.significant or cell.difference is None:
        return "", ""
    return (
        ("▲", "significantly better than the baseline")
        if cell.difference > 0
        else ("▼", "significantly worse than the baseline")
    )


def _write(environment: jinja2.Environment, template: str, path: Path, **values: Any) -> None:
    write_text(path, environment.get_template(template).render(**values))
