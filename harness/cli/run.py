"""``xdr run``: let systems rank the passages of a track."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.console import DEFAULT_RUNS, Runs, note
from harness.cli.dry_run import DryRun, DryRunJson, check_options, show_plans
from harness.cli.operator_options import Operator, with_operator_options


@with_operator_options
def run(
    track: Annotated[str, typer.Argument(help="A track's name, or the path of its TOML file.")],
    systems: Annotated[list[str], typer.Argument(help="Cards: names, or paths of TOML files.")],
    runs: Runs = DEFAULT_RUNS,
    dry_run: DryRun = False,
    as_json: DryRunJson = False,
    *,
    operator: Operator,
) -> None:
    """Run systems on a track. What a killed run had finished is not done again; a run that is there is kept."""
    from harness.card import load_card
    from harness.preflight import check_space
    from harness.run import run_system
    from harness.tracks import load_track

    check_options(dry_run, as_json)
    loaded_track = load_track(track)
    cards = [load_card(name) for name in systems]
    consent = operator.consent(cards)
    if dry_run:
        show_plans(loaded_track, cards, runs, operator.context(consent), strict=True, as_json=as_json)
        return
    check_space(loaded_track, cards, runs, operator.context(consent))
    for card in cards:
        outcome = run_system(loaded_track, card, runs, operator.context(consent))
        if outcome.reused:
            note(f"{card.card.name}: {outcome.folder} is this very run already")
        else:
            resumed = f", {outcome.resumed} of them resumed" if outcome.resumed else ""
            note(f"{card.card.name}: {outcome.queries} queries{resumed} -> {outcome.folder}")
