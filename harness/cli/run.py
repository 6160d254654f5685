"""``xdr run``: let systems rank the passages of a track."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.console import Runs, note, note_remarks, print_findings
from harness.cli.dry_run import DryRun, DryRunJson, check_options, show_plans
from harness.cli.operator_options import Operator, with_operator_options
from harness.runs.commands import DEFAULT_RUNS


@with_operator_options
def run(
    track: Annotated[str, typer.Argument(help="A track's name, or the path of its TOML file.")],
    systems: Annotated[list[str], typer.Argument(help="Cards: names, or paths of TOML files.")],
    runs: Runs = DEFAULT_RUNS,
    again: Annotated[bool, typer.Option("--again", help="Run them again, and replace what is recorded.")] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="A run made by other sources, libraries or devices counts as another run."),
    ] = False,
    dry_run: DryRun = False,
    as_json: DryRunJson = False,
    *,
    operator: Operator,
) -> None:
    """Run systems on a track. What a killed run had finished is not done again; a recorded run is kept."""
    from harness.adapters.card import load_card
    from harness.leaderboard.pipeline import check_definitions
    from harness.runs.execute import run_prepared
    from harness.runs.intended import Wishes, intentions
    from harness.runs.preflight import check_space
    from harness.runs.prepared import prepared
    from harness.runs.track_runs import TrackRuns
    from harness.tracks import load_track
    from harness.tracks.check import check_track

    check_options(dry_run, as_json)
    loaded_track = load_track(track, operator.consent())
    cards = [load_card(name) for name in systems]
    consent = operator.consent(cards)
    served = [part for part in loaded_track.parts if any(card.card.serves(part.lang) for card in cards)]
    print_findings(check_track(loaded_track, served))
    wishes = Wishes([card.card.name for card in cards] if again else (), strict)
    recorded, context = TrackRuns(loaded_track, runs), operator.context(consent)
    check_definitions(recorded, but=frozenset(wishes.again))
    intended = intentions(recorded, cards, context, wishes)
    if dry_run:
        show_plans(recorded, intended, context, as_json=as_json)
        return
    check_space(recorded, intended, context)
    while intended:
        # Taken out, so that what one system holds, such as its model, is free before the next one runs.
        one = intended.pop(0)
        name = one.card.card.name
        for text in one.notes:
            note(f"{name}: {text}")
        run = one.run or prepared(recorded, one.card, context)
        outcome = run_prepared(run, context, replacing=one.replacing or "nothing")
        del one, run
        if outcome.reused:
            note(f"{name}: {outcome.folder} is this very run already")
        else:
            resumed = f", {outcome.resumed} of them resumed" if outcome.resumed else ""
            note(f"{name}: {outcome.queries} queries{resumed} -> {outcome.folder}")
            note_remarks(name, outcome.notes)
