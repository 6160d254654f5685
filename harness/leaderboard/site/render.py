"""Leaderboard data in, pages out. Reads score files, runs and collections; loads no system and no model."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import harness
from harness import progress
from harness.adapters.card import CARD_FILE
from harness.adapters.loading import brings_code
from harness.collections.xor_tydi import DENOMINATORS
from harness.compare.ablations import Measured, MeasuredFigure, read_ablations
from harness.compare.records import MACRO, Bounds, Drop
from harness.errors import InvalidInput
from harness.files.writing import atomic_write, folder_lock, write_text
from harness.leaderboard.exports import BADGES, FORMATS, to_badges
from harness.leaderboard.exports.bibtex import bibtex_of
from harness.leaderboard.findings.questions import findings
from harness.leaderboard.findings.records import Figure, Finding
from harness.leaderboard.published import PublishedResult, load_published
from harness.leaderboard.site.charts import Axis, Chart, Measurement, axis_of, line_chart
from harness.leaderboard.site.checks import TOKEN_SCRIPT, checks_of, first_checks
from harness.leaderboard.site.copies import are_runs_small, write_evidence
from harness.leaderboard.site.costs import FEWEST, TITLES, charts_of, costs_of, euros, in_words
from harness.leaderboard.site.environment import templates
from harness.leaderboard.site.evidence import BOUNDS, Site, pools_of, slug, write_questions, write_statistics
from harness.leaderboard.site.front import best_published, by_language, cards, in_order
from harness.leaderboard.site.pools import Pool
from harness.leaderboard.site.questions import most_different
from harness.leaderboard.site.settings import read_settings
from harness.leaderboard.site.since import frozen
from harness.leaderboard.site.sources import sources_of
from harness.leaderboard.site.words import explained, is_hit, is_pooled
from harness.leaderboard.table import Leaderboard, Row, best_of, columns_of, read_leaderboard
from harness.leaderboard.verdict import first_or_tied, headline, told, two_that_differ
from harness.runs.commands import line
from harness.runs.manifest import RUN_FILES
from harness.runs.score_file import ScoreFile
from harness.runs.track_runs import TrackRuns
from harness.tracks import track_names

SCRIPTS = {
    "xdr.js": ("data.js", "start.js"),
    "table.js": ("statistics.js", "table.js"),
    "compare.js": ("statistics.js", "compare.js"),
    "question.js": ("question.js",),
}
"""What every page loads, and what its own page loads besides, since a page shows one thing."""

Write = Callable[..., None]


def render(runs: TrackRuns, board: Leaderboard, scores: Sequence[ScoreFile], reports: Path) -> Path:
    """Write the track's pages and the index of all tracks; returns the path of the track's page.

    Waits while another process renders into the same folder: each takes away the pages that it does not write itself.
    """
    by_name = {score.system: score for score in scores}
    ordered = tuple(by_name[row.system] for row in board.rows)
    site = Site(board, ordered, runs, reports / runs.track.name)
    pools = pools_of(runs.track)
    with folder_lock(reports):
        _remove_old_pages(site.folder)
        write_pages(site, pools)
        write_questions(site, pools)
    return site.folder / "index.html"


def write_pages(site: Site, pools: Mapping[str, Pool]) -> None:
    """Write all that does not belong to single questions: pages, styles, scripts, and the statistics that tables need."""
    reports = site.folder.parent
    write_statistics(site, pools, in_words(costs_of(site)))
    _write_assets(reports)
    environment = templates()
    settings = read_settings(site.runs.root)
    everywhere = {"settings": settings, "version": harness.__version__}

    def write(template: str, path: Path, depth: int, **values: Any) -> None:
        place = {"root": "../" * depth, "path": path.relative_to(reports).as_posix()}
        write_text(path, environment.get_template(template).render(**everywhere, **place, **values), durable=False)

    _write_track(site, settings.euros_per_hour, write)
    _write_index(site, reports, write)


def _remove_old_pages(folder: Path) -> None:
    """Pages of systems, parts or measures that are gone must not stay; a folder that is not ours is left as it is."""
    if (folder / "data" / "board.js").is_file():
        for name in ("data", "languages", "systems", "against", "evidence", "exports"):
            shutil.rmtree(folder / name, ignore_errors=True)
        for page in folder.glob("*.html"):
            page.unlink()


def _write_assets(reports: Path) -> None:
    static = resources.files("harness.leaderboard.site").joinpath("static")
    write_text(reports / "assets" / "style.css", static.joinpath("style.css").read_text("utf-8"))
    for script, names in SCRIPTS.items():
        write_text(reports / "assets" / script, "\n".join(static.joinpath(name).read_text("utf-8") for name in names))
    write_text(reports / "assets" / "icon.svg", static.joinpath("icon.svg").read_text("utf-8"))
    with atomic_write(reports / "assets" / "preview.png") as file:
        file.write(static.joinpath("preview.png").read_bytes())
    write_text(reports / "assets" / TOKEN_SCRIPT, static.joinpath(f"{TOKEN_SCRIPT}.txt").read_text("utf-8"))


def _write_track(site: Site, per_hour: float | None, write: Write) -> None:
    board, track, folder = site.board, site.track, site.folder
    ablations = read_ablations(site.runs.ablations_file)
    shared: dict[str, Any] = {
        "board": board,
        "track": board.track,
        "columns": columns_of(board),
        "by_name": {column.part: column for column in board.columns},
        "rows": {row.system: row for row in board.rows},
        "exports": [(name, exported.file_name) for name, exported in FORMATS.items()],
        "measure_pages": [(name, site.measure_page(name)) for name in track.measures],
        "has_ablations": ablations is not None,
        "has_runs": are_runs_small(site),
        "pooled": is_pooled(site),
        "newest_check": max((row.reproduced.date for row in board.rows if row.reproduced), default=None),
        "newest_snapshot": next(iter(frozen(site.runs.root, board)), None),
        "checks": first_checks(site),
        "again": [_all_again(site)],
        "here": "",
    }
    axis = _axis([row.cells[track.primary][MACRO].interval for row in board.rows])
    first = {
        "headline": headline(board),
        "told": told(board),
        "differ": two_that_differ(board),
        "plainly": {name: track.measure(name).plainly for name in track.measures},
        "explained": explained(board),
        "cite": bibtex_of(board),
        "axis": axis,
    }
    nobody: dict[str, frozenset[str]] = dict.fromkeys(columns_of(board), frozenset())
    leading = {name: first_or_tied(board, name) for name in columns_of(board)}
    for measure in track.measures:
        page = folder / site.measure_page(measure)
        is_primary = measure == track.primary
        extra: dict[str, Any] = {
            "measure": measure,
            "measure_slug": slug(measure),
            "is_primary": is_primary,
            "is_hit": is_hit(site.scores, measure),
            "definition": track.measure(measure).definition,
            "best": best_of(board.rows, measure),
            "first_or_tied": leading if is_primary else nobody,
            "bounds": _bounds_rows(board, measure),
        }
        write("track.html", page, 1, **{**shared, "here": "results"}, **first, **extra)
    write("standings.html", folder / "standings.html", 1, **{**shared, "here": "standings"}, standings_axis=axis)
    for column in board.columns:
        axis = _axis([row.cells[track.primary][column.part].interval for row in board.rows])
        ranked = sorted(board.rows, key=lambda row: _place(row, track.primary, column.part))
        page = folder / "languages" / f"{column.part}.html"
        methods = {found.method for row in ranked if (found := row.cells[track.primary][column.part].interval)}
        own = {"here": column.part, "checks": first_checks(site, column.part)}
        extra = {"column": column, "axis": axis, "ranked": ranked, "intervals": ", ".join(sorted(methods))}
        write("language.html", page, 2, **{**shared, **own}, **extra)
    with progress.task("write the systems' pages", len(board.rows), "systems") as advance:
        for row, score in zip(board.rows, site.scores, strict=True):
            _write_system(site, row, score, shared, write)
            advance(1)
    _write_exports(site)
    write("compare.html", folder / "compare.html", 1, **{**shared, "here": "compare"})
    write("question.html", folder / "question.html", 1, **shared)
    costs = costs_of(site)
    prices = {row.system: euros(cost, per_hour) for row, cost in costs}
    expense = {
        "costs": costs,
        "prices": prices,
        "charts": charts_of(site, costs),
        "cost_titles": TITLES,
        "fewest_encoded": FEWEST,
    }
    write("cost.html", folder / "cost.html", 1, **{**shared, "here": "cost"}, **expense)
    definitions = {name: track.measure(name).definition for name in track.measures}
    extra = {"contexts": _contexts(site), "definitions": definitions, "sources": sources_of(board)}
    write("methods.html", folder / "methods.html", 1, **{**shared, "here": "methods"}, **extra)
    if track.published:
        ours = dict.fromkeys(track.measures, board.rows)
        part_of = {column.lang: column.part for column in board.columns}
        extra = {**_published(track.published), "ours": ours, "part_of": part_of}
        write("published.html", folder / "published.html", 1, **{**shared, "here": "published"}, **extra)
    if board.comparison.drops:
        write("drops.html", folder / "drops.html", 1, **{**shared, "here": "drops"}, **_drops(board))
    if ablations is not None:
        figures = [(figure, line_chart(_series_of(figure))) for figure in ablations.figures]
        again = {"again": [site.commands.leaderboard("--ablations")]}
        extra = {"ablations": ablations, "charts": figures}
        write("ablations.html", folder / "ablations.html", 1, **{**shared, "here": "ablations", **again}, **extra)


def _drops(board: Leaderboard) -> dict[str, Any]:
    """The planned drops, and by perturbation, system and language those of the primary measure."""
    comparison, places = board.comparison, {row.system: place for place, row in enumerate(board.rows)}
    kinds: dict[str, dict[str, dict[str, Drop]]] = {}
    for drop in sorted(comparison.drops, key=lambda drop: places[drop.system]):
        if drop.measure == board.track.primary and drop.column != MACRO:
            kinds.setdefault(drop.perturbation, {}).setdefault(drop.system, {})[drop.column] = drop
    families = {family.name: family for family in comparison.families}
    planned = [drop for drop in comparison.drops if drop.p_adjusted is not None]
    transfers = [found for found in comparison.transfers if found.column == MACRO]
    return {"planned": planned, "kinds": kinds, "families": families, "transfers": transfers}


def _write_system(site: Site, row: Row, score: ScoreFile, shared: dict[str, Any], write: Write) -> None:
    track, board = site.track, site.board
    own: dict[str, Any] = {
        "again": [_again(site, row)],
        "checks": checks_of(site, score),
    }
    own["run_files"] = write_evidence(site, row, everything=shared["has_runs"])
    own["cite"] = bibtex_of(board, row)
    cells = row.cells[track.primary]
    axis = _axis([cell.interval for cell in cells.values()])
    write("system.html", site.folder / "systems" / f"{row.system}.html", 2, **{**shared, **own}, row=row, axis=axis)
    if not row.is_baseline and row.withdrawn is None:
        axis = _axis([cell.difference_interval for cell in cells.values()], around_zero=True)
        extremes = most_different(site, row.system)
        page = site.folder / "against" / f"{row.system}.html"
        write("against.html", page, 2, **{**shared, **own}, row=row, axis=axis, extremes=extremes)


def _all_again(site: Site) -> str:
    """The command that makes the pages again, or, as a comment of the shell, why there is none."""
    if site.track.is_at_hand:
        return "# nothing: its runs and collections were at hand in the program that made it"
    return site.commands.leaderboard()


def _again(site: Site, row: Row) -> str:
    """The command that makes a row again, or, as a comment of the shell, why there is none."""
    execution = row.provenance.execution
    if execution.provenance == RUN_FILES:
        return "# nothing: it came as finished run files"
    command = site.commands.reproduce(row.system, row.card, execution)
    is_beside = (site.runs.run(row.system).own_files / CARD_FILE).is_file()
    if brings_code(row.card.adapter) and not is_beside:
        return f"# its code does not lie beside its runs; from the folder of its card:\n# {command} --card card.toml"
    return command


def _write_exports(site: Site) -> None:
    for exported in FORMATS.values():
        write_text(site.folder / "exports" / exported.file_name, exported.text_of(site.board))
    for name, text in to_badges(site.board).items():
        write_text(site.folder / "exports" / BADGES / name, text)


def _axis(intervals: Sequence[Bounds | None], around_zero: bool = False) -> Axis:
    return axis_of([(found.lower, found.upper) for found in intervals if found], around_zero)


def _place(row: Row, measure: str, part: str) -> tuple[bool, bool, float, str]:
    value = row.cells[measure][part].value
    return row.withdrawn is not None, value is None, -(value or 0.0), row.system


def _contexts(site: Site) -> dict[str, Any]:
    """Versions of the measures, and digests of the data, as the scores have them."""
    data = {part: digests for score in site.scores for part, digests in score.context["data"].items()}
    return {"measures": site.scores[0].context["measures"], "data": data}


def _bounds_rows(board: Leaderboard, measure: str) -> list[tuple[str, dict[str, float]]]:
    """Ceiling and random score of every column; that of the macro average is the mean over its parts."""
    rows = []
    for key, label in BOUNDS.items():
        values = {column.part: getattr(column, key)[measure] for column in board.columns}
        inside = [values[column.part] for column in board.columns if column.in_macro]
        rows.append((label, {MACRO: math.fsum(inside) / len(inside), **values}))
    return rows


def _series_of(figure: MeasuredFigure) -> list[tuple[str, list[Measurement]]]:
    return [(series.label, [_measurement(point) for point in series.points]) for series in figure.series]


def _measurement(point: Measured) -> Measurement:
    limits = (point.interval.lower, point.interval.upper) if point.interval else ()
    return Measurement(point.x, point.macro, *limits)


def _write_index(site: Site, reports: Path, write: Write) -> None:
    tracks = _all_tracks(site.runs.root, reports, site.board)
    # Where the file of another track lies, only those know who made its pages.
    names = [str(board.track.name) for board in tracks]
    again = [line("leaderboard", name) for name in names if name != site.track.name and name in track_names()]
    front = {"languages": by_language(tracks), "cards": cards(tracks), "published": best_published()}
    front["findings"] = _write_findings(site.runs.root, reports, write)
    own_again = {"again": [_all_again(site), *again], "alpha": site.track.families.alpha}
    write("index.html", reports / "index.html", 0, **front, **own_again)
    snapshots = [found for board in in_order(tracks) for found in frozen(site.runs.root, board)]
    about = {"tracks": [board.track for board in in_order(tracks)], "snapshots": snapshots, "begin": _begin(site)}
    write("about.html", reports / "about.html", 0, **about)
    write("published.html", reports / "published.html", 0, ours={}, part_of={}, **_published())


def _write_findings(runs: Path, reports: Path, write: Write) -> list[Finding]:
    """A page for each of the project's questions; none where nothing that answers one is recorded beside these runs."""
    found = findings(runs)
    if not any(finding.is_answered for finding in found):
        return []
    for finding in found:
        page = reports / "findings" / f"{finding.name}.html"
        write("finding.html", page, 1, finding=finding, charts=finding_charts(finding))
    return found


def finding_charts(finding: Finding) -> list[tuple[Figure, Chart]]:
    return [
        (figure, line_chart([(label, [Measurement(x, y) for x, y in points]) for label, points in figure.series]))
        for figure in finding.figures
    ]


def _begin(site: Site) -> list[str]:
    """The commands that begin a system and take it in; none for a track that no command can name."""
    if site.track.is_at_hand:
        return []
    own = ("my-system/card.toml", "--allow-code")
    return [line("new", "my-system"), site.commands.leaderboard(*own), site.commands.submit(*own)]


def _published(split: str | None = None) -> dict[str, Any]:
    """Published results by split and measure, the highest average first; of one split where it is named."""
    results = [result for result in load_published() if split in (None, result.row.split)]
    groups: dict[tuple[str, str], list[PublishedResult]] = {}
    for result in results:
        groups.setdefault((result.row.split, result.row.measure), []).append(result)
    for group in groups.values():
        group.sort(key=lambda result: (-(result.row.average or 0), result.label))
    sources = {result.name: result.source for result in results}
    return {"groups": groups, "sources": sources.values(), "denominators": DENOMINATORS["dev"]}


def _all_tracks(runs: Path, reports: Path, current: Leaderboard) -> list[Leaderboard]:
    found = {current.track.name: current}
    for path in sorted(runs.glob("*/leaderboard.json")):
        if path.parent.name not in found and (reports / path.parent.name / "index.html").is_file():
            try:
                found[path.parent.name] = read_leaderboard(path.parent)
            except InvalidInput:
                continue
    return [found[name] for name in sorted(found)]
