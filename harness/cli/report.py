"""``xdr report``: one run on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import Json, note_corrections, print_json, say
from harness.errors import WrongUsage


def report(
    run: Annotated[Path, typer.Argument(help="A run's folder: runs/TRACK/SYSTEM.")],
    track_name: Annotated[
        str, typer.Option("--track", help="The track's TOML file, where the name does not tell.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Show one run: scores by language and measure, warnings, and what made it."""
    from harness.numbers import percent
    from harness.runs.manifest import read_manifest
    from harness.runs.score import score_system
    from harness.runs.withdrawal import read_withdrawal
    from harness.tracks import load_track_of

    if not run.is_dir():
        raise WrongUsage(f"{run} is not a folder; give a run's folder, runs/TRACK/SYSTEM")
    manifest = read_manifest(run)
    track = load_track_of(run, manifest.track.name, track_name)
    scores = score_system(track, run)
    note_corrections(run.parent.name, run.parent.parent, [scores])
    means = {part: {measure: scores.mean(part, measure) for measure in track.measures} for part in scores.parts}
    macro = {measure: scores.macro(track.macro_parts, measure) for measure in track.measures}
    if as_json:
        found = {"system": scores.system, "macro": macro, "parts": means, "judged": scores.judged}
        print_json(found)
        return
    say(f"{manifest.card.title} on {track.title}")
    say(f"{'':<10}" + "".join(f"{measure:>12}" for measure in track.measures))
    for name, row in ({"macro": macro} | means).items():
        values = (row.get(measure) for measure in track.measures)
        say(f"{name:<10}" + "".join(f"{percent(v):>12}" for v in values))
    for part, shares in scores.judged.items():
        if shares:
            say(f"{part}: " + ", ".join(f"{name} {percent(share)}" for name, share in shares.items()))
    if withdrawn := read_withdrawal(run):
        say(f"withdrawn on {withdrawn.date}: {withdrawn.reason}")
    for text in manifest.notes:
        say(f"warning: {text}")
    for part, texts in scores.context["warnings"].items():
        for text in texts:
            say(f"warning: {part}: {text}")
    made = manifest.execution
    say(f"device {made.device}, {made.seconds:.1f} s, isolation {made.isolation}")
