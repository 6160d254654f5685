"""``xdr report``: one run, or a whole track, on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import AllowCode, Json, Runs, note_corrections, print_json, say
from harness.cli.tables import say_table
from harness.errors import WrongUsage
from harness.runs.commands import DEFAULT_RUNS

if TYPE_CHECKING:
    from harness.runs.track_runs import TrackRuns


def report(
    run: Annotated[
        Path, typer.Argument(help="A run's folder, runs/TRACK/SYSTEM; or a track's, runs/TRACK, or its name.")
    ],
    track_name: Annotated[
        str, typer.Option("--track", help="The track's TOML file, where the name does not tell.")
    ] = "",
    runs: Runs = DEFAULT_RUNS,
    as_json: Json = False,
    allow_code: AllowCode = False,
) -> None:
    """Show one run: scores by language and measure, warnings, and what made it. Of a track, the table of its recorded runs."""
    from harness.adapters.consent import Consent
    from harness.numbers import percent
    from harness.runs.run_folder import recorded_run
    from harness.runs.score import score_system
    from harness.runs.track_runs import TrackRuns
    from harness.tracks import load_track_of

    if (folder := _folder_of_track(run, runs)) is not None:
        track = load_track_of(folder, folder.resolve().name, track_name, Consent(allow_code))
        _report_track(TrackRuns(track, folder.parent), as_json)
        return
    if not run.is_dir():
        raise WrongUsage(f"{run} is neither a folder nor a track's name; give a run's folder, runs/TRACK/SYSTEM")
    row = recorded_run(run, track_name, Consent(allow_code))
    track, manifest, scores = row.track, row.manifest, score_system(row)
    note_corrections(run.parent, [scores])
    means = {part: {measure: scores.mean(part, measure) for measure in track.measures} for part in scores.parts}
    macro = {measure: scores.macro(track.macro_parts, measure) for measure in track.measures}
    if as_json:
        found = {"system": scores.system, "macro": macro, "parts": means, "judged": scores.judged}
        print_json(found)
        return
    say(f"{manifest.card.title} on {track.title}")
    lines = [
        [name, *(percent(row.get(measure)) for measure in track.measures)]
        for name, row in ({"macro": macro} | means).items()
    ]
    say_table(["", *track.measures], lines)
    for part, shares in scores.judged.items():
        if shares:
            say(f"{part}: " + ", ".join(f"{name} {percent(share)}" for name, share in shares.items()))
    if withdrawn := row.withdrawal:
        say(f"withdrawn on {withdrawn.date}: {withdrawn.reason}")
    for text in manifest.notes:
        say(f"warning: {text}")
    for part, texts in scores.context["warnings"].items():
        for text in texts:
            say(f"warning: {part}: {text}")
    made = manifest.execution
    say(f"device {made.device}, {made.seconds:.1f} s, isolation {made.isolation}")


def _folder_of_track(path: Path, runs: Path) -> Path | None:
    """runs/TRACK, where ``path`` is that folder or names the track; None where it is something else."""
    from harness.runs.manifest import FILE_NAME
    from harness.tracks import track_names

    folder = runs / path if not path.exists() and str(path) in track_names() else path
    if (folder / FILE_NAME).exists() or not folder.is_dir():
        return None if folder == path else folder
    return folder if any(folder.glob(f"*/{FILE_NAME}")) else None


def _report_track(runs: TrackRuns, as_json: bool) -> None:
    """The table of the recorded runs. Nothing is run, and no table is written."""
    from harness.cli.board import show_board
    from harness.leaderboard.pipeline import comparison_of, leaderboard_of, score_all

    scores = score_all(runs)
    note_corrections(runs.folder, scores)
    board = leaderboard_of(runs, scores, comparison_of(runs, scores))
    if as_json:
        print_json(board.model_dump(mode="json"))
        return
    say(runs.track.title)
    show_board(board)
