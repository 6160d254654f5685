"""``xdr withdraw``: take a row out of the ranks and the tests, and say why. Nothing is deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import note


def withdraw(
    run: Annotated[Path, typer.Argument(help="A run's folder: runs/TRACK/SYSTEM.")],
    reason: Annotated[str, typer.Option(help="Why; it is shown on the row.")],
    date: Annotated[str, typer.Option(help="Day of the withdrawal, as 2026-11-25; default: today.")] = "",
    track: Annotated[str, typer.Option(help="The track's TOML file, where the name does not tell.")] = "",
) -> None:
    """Withdraw a row: write runs/TRACK/SYSTEM/withdrawn.toml. The row stays in the tables, without rank and tests."""
    import datetime

    from harness.errors import InvalidInput, WrongUsage
    from harness.files.toml_records import checked
    from harness.runs.rows import standing_on
    from harness.runs.run_folder import recorded_run
    from harness.runs.track_runs import TrackRuns
    from harness.runs.withdrawal import Withdrawal
    from harness.runs.withdrawal import withdraw as write

    folder = recorded_run(run, track)
    loaded, manifest = folder.track, folder.manifest
    try:
        day = datetime.date.fromisoformat(date) if date else datetime.datetime.now(datetime.UTC).date()
    except ValueError:
        raise WrongUsage(f"--date {date}: expected a day as 2026-11-25 (year-month-day)") from None
    fields = {"date": day, "reason": reason}
    withdrawal = checked(Withdrawal, fields, "the withdrawal")
    if manifest.tag == loaded.baseline:
        raise InvalidInput(
            f"{manifest.tag} is the baseline of track {loaded.name}, against which all others are tested; "
            "name another baseline in the track's file, and raise its version, before it is withdrawn"
        )
    runs = TrackRuns(loaded, run.parent.parent)
    path = write(run, withdrawal)
    for above in standing_on(runs, manifest.tag):
        note(
            f"warning: {above} stands on this run, and keeps its rank; where the reason holds for it, withdraw it, too"
        )
    note(f"{path}; `{runs.commands.leaderboard()}` makes the tables without it")
