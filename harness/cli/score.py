"""``xdr score``: per-query scores of runs."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.console import AllowCode, Json, Runs, note, note_corrections, print_findings, print_json
from harness.runs.commands import DEFAULT_RUNS


def score(
    track: Annotated[str, typer.Argument(help="A track's name, or the path of its TOML file.")],
    systems: Annotated[list[str] | None, typer.Argument(help="Systems with runs; all if left out.")] = None,
    runs: Runs = DEFAULT_RUNS,
    as_json: Json = False,
    allow_code: AllowCode = False,
) -> None:
    """Score the runs of a track and write their score files (runs/TRACK/SYSTEM/scores.parquet)."""
    from harness.adapters.consent import Consent
    from harness.leaderboard.pipeline import score_all
    from harness.runs.track_runs import TrackRuns
    from harness.tracks import load_track
    from harness.tracks.check import check_track

    loaded = load_track(track, Consent(allow_code))
    print_findings(check_track(loaded))
    recorded = TrackRuns(loaded, runs)
    scores = score_all(recorded, systems or None)
    note_corrections(recorded.folder, scores)
    means = {
        found.system: {m: {p.name: found.mean(p.name, m) for p in loaded.parts} for m in loaded.measures}
        for found in scores
    }
    if as_json:
        print_json(means)
        return
    for name in means:
        note(f"{name}: {recorded.run(name).scores_file}")
