"""``xdr leaderboard``: run what is missing, score, compare, render, and say where to look; freeze it, or check it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import (
    DEFAULT_REPORTS,
    Reports,
    Runs,
    note,
    note_corrections,
    note_remarks,
    print_findings,
    say,
)
from harness.cli.dry_run import DryRun, DryRunJson, check_options, show_plans
from harness.cli.operator_options import Operator, with_operator_options
from harness.errors import WrongUsage
from harness.runs.commands import DEFAULT_RUNS

if TYPE_CHECKING:
    from pathlib import Path

    from harness.adapters.contract import Context
    from harness.compare.records import Comparison
    from harness.leaderboard.table import Leaderboard
    from harness.runs.intended import Intended
    from harness.runs.score_file import ScoreFile
    from harness.runs.track_runs import TrackRuns
    from harness.tracks import Track


@with_operator_options
def leaderboard(
    track: Annotated[str, typer.Argument(help="A track's name, or the path of its TOML file.")] = "mini",
    systems: Annotated[list[str] | None, typer.Argument(help="More cards to run beside the track's own.")] = None,
    runs: Runs = DEFAULT_RUNS,
    reports: Reports = DEFAULT_REPORTS,
    again: Annotated[
        list[str] | None,
        typer.Option("--again", metavar="SYSTEM", help="Run this system again, and replace what is recorded."),
    ] = None,
    ablations: Annotated[bool, typer.Option("--ablations", help="Measure the track's ablations, too.")] = False,
    freeze: Annotated[
        str,
        typer.Option(
            help="Keep the leaderboard as a snapshot that never changes, runs/TRACK/snapshots/NAME.", metavar="NAME"
        ),
    ] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if committed scores, tables or snapshots are stale.")
    ] = False,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser when it is there.")] = False,
    dry_run: DryRun = False,
    as_json: DryRunJson = False,
    *,
    operator: Operator,
) -> None:
    """Make a track's leaderboard: run what is missing, score, compare, render the pages."""
    from harness.adapters.card import load_card
    from harness.cli.board import show_board
    from harness.leaderboard.pipeline import build_leaderboard, check_definitions, compare_all
    from harness.leaderboard.site import render
    from harness.leaderboard.snapshots import check_name
    from harness.leaderboard.twins import twins
    from harness.runs.intended import Wishes, intentions
    from harness.runs.preflight import check_inputs, check_space
    from harness.runs.track_runs import TrackRuns
    from harness.tracks import load_track
    from harness.tracks.check import check_track

    check_options(dry_run, as_json)
    if dry_run and (ablations or freeze or open_page):
        raise WrongUsage(
            "--dry-run tells what the systems would take; it takes no --ablations, no --freeze and no --open"
        )
    loaded = load_track(track, operator.consent())
    if check:
        if systems or ablations or freeze or dry_run or open_page:
            raise WrongUsage(
                "--check looks at what is recorded; it takes no cards, no --ablations, no --freeze, no --open and no --dry-run"
            )
        _check(TrackRuns(loaded, runs, keeps_lines=True))
        return
    if freeze:
        check_name(freeze)
    cards = [load_card(name) for name in (*loaded.systems, *(systems or ()))]
    # A recorded run is shown without its model, and without running its code: only what is to run is asked for here.
    recorded = TrackRuns(loaded, runs, keeps_lines=True)
    missing = [card for card in cards if not recorded.run(card.card.name).is_recorded]
    consent = operator.consent(missing)
    # Made first, since it also says where progress is shown.
    context = operator.context(consent)
    ready = check_inputs(recorded, missing, context)
    print_findings(check_track(loaded))
    check_definitions(recorded, but=frozenset(again or ()))
    intended = intentions(recorded, cards, context, Wishes(again or ()), ready)
    del ready
    operator.consent([one.card for one in intended if one.replacing is not None])
    if dry_run:
        show_plans(recorded, intended, context, as_json=as_json)
        return
    check_space(recorded, intended, context)
    _run(intended, context)
    if ablations:
        _measure_ablations(recorded, context)
    scores = _scored(recorded)
    comparison = compare_all(recorded, scores)
    board = build_leaderboard(recorded, scores, comparison)
    page = render(recorded, board, scores, reports)
    _warn(*comparison.warnings, *twins(recorded, board, scores), *_changed(recorded, scores))
    show_board(board, {card.card.name for card in cards[len(loaded.systems) :]})
    note(_best(board, loaded))
    if freeze:
        _freeze(freeze, recorded, board, comparison, scores)
    _show(page, in_browser=open_page)


def _measure_ablations(runs: TrackRuns, context: Context) -> None:
    from harness.compare.ablations import measure_ablations

    measure_ablations(runs, context)


def _show(page: Path, *, in_browser: bool) -> None:
    import webbrowser

    say(page)
    if in_browser and not webbrowser.open(page.resolve().as_uri()):
        note(f"no browser could be started here; open {page} in one")


def _scored(runs: TrackRuns) -> list[ScoreFile]:
    from harness.leaderboard.pipeline import score_all

    scores = score_all(runs)
    note_corrections(runs.folder, scores)
    for score in scores:
        for part, reason in score.lacking.items():
            note(f"{score.system}: {part} is a dash: {reason}")
    note(f"scored {len(scores)} systems")
    return scores


def _warn(*texts: str) -> None:
    note(*(f"warning: {text}" for text in texts))


def _changed(runs: TrackRuns, scores: Sequence[ScoreFile]) -> list[str]:
    from harness.runs.rows import changed_below

    return [f"{score.system}: {text}" for score in scores for text in changed_below(runs, score.system)]


def _freeze(
    name: str, runs: TrackRuns, board: Leaderboard, comparison: Comparison, scores: Sequence[ScoreFile]
) -> None:
    from harness.leaderboard.snapshots import freeze

    keys = {score.system: str(score.context["key"]) for score in scores}
    is_new = freeze(runs, name, board, comparison, keys)
    note(f"snapshot {name}: {'frozen' if is_new else 'there already, and identical'}")


def _run(intended: list[Intended], context: Context) -> None:
    from harness.runs.execute import run_prepared

    while intended:
        # Taken out, so that what one system holds, such as its model, is free before the next one runs.
        one = intended.pop(0)
        name = one.card.card.name
        for text in one.notes:
            note(f"{name}: {text}")
        if one.run is not None:
            outcome = run_prepared(one.run, context, replacing=one.replacing or "nothing")
            if not outcome.reused:
                note(f"{name}: {outcome.queries} queries run")
                note_remarks(name, outcome.notes)


def _best(board: Leaderboard, track: Track) -> str:
    from harness.compare.records import MACRO

    if board.rows[0].rank is None:
        return f"no system has a macro {track.primary}: none was run in all of {', '.join(track.macro_parts)}"
    first = board.rows[0]
    if not first.cells[track.primary][MACRO].may_have_seen:
        return f"best macro {track.primary}: {first.title}"
    others = (row for row in board.rows if row.rank and not row.cells[track.primary][MACRO].may_have_seen)
    unseen = next((row.title for row in others), "none")
    return (
        f"highest macro {track.primary}: {first.title}, whose training may have held the data; best of those of which that is "
        f"not so: {unseen}"
    )


def _check(runs: TrackRuns) -> None:
    from harness.leaderboard.freshness import stale_files

    findings = stale_files(runs)
    print_findings(findings)
    if findings:
        raise typer.Exit(1)
    note(f"{runs.folder}: scores, tables and snapshots are fresh")
