"""``xdr submit``: a row of the runs of record, from a system or from its finished runs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import Runs, note, print_findings, say
from harness.cli.operator_options import Operator, with_operator_options
from harness.errors import WrongUsage
from harness.numbers import percent
from harness.runs.commands import DEFAULT_RUNS


@with_operator_options
def submit(
    track: Annotated[str, typer.Argument(help="A track's name, or the path of its TOML file.")],
    card: Annotated[str, typer.Argument(help="The card: the path of a TOML file.")],
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Finished runs, if there are any: PART.trec.gz, or a folder of them, or one run of all parts, or "
            "XOR-Retrieve's prediction file; gzip or plain. Without any, the card's adapter is run.",
            show_default=False,
        ),
    ] = None,
    query_map: Annotated[
        Path | None,
        typer.Option(
            "--query-map", help="For one run of all parts: lines of query id in the file, part, query id, with tabs."
        ),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a different row of that name.")] = False,
    runs: Runs = DEFAULT_RUNS,
    *,
    operator: Operator,
) -> None:
    """Validate, score and record a system's runs in runs/TRACK/SYSTEM, whole or not at all; says what to commit."""
    from harness.adapters.card import load_card
    from harness.runs.track_runs import TrackRuns
    from harness.submissions.submit import Target, submit_files, submit_system
    from harness.tracks import load_track
    from harness.tracks.check import check_track

    target = Target(TrackRuns(load_track(track, operator.consent()), runs), replace)
    print_findings(check_track(target.track))
    if files:
        done = submit_files(target, Path(card), files, query_map)
    elif query_map is not None:
        raise WrongUsage("--query-map belongs to finished run files; give them after the card")
    else:
        consent = operator.consent([load_card(card)])
        done = submit_system(target, card, operator.context(consent))
    for warning in done.warnings:
        note(f"warning: {warning}")
    primary = target.track.primary
    macro = done.scores.macro(target.track.macro_parts, primary)
    columns = {"macro": macro} | {part: done.scores.mean(part, primary) for part in done.scores.parts}
    say(f"{primary}: " + "  ".join(f"{n} {percent(v)}" for n, v in columns.items()))
    if done.unchanged:
        note(f"{done.folder} is this very row already; nothing was changed")
        return
    if done.edited:
        note(f"{done.folder}: the recorded card was brought up to date ({', '.join(done.edited)}); nothing was run")
        return
    commands = target.runs.commands
    if files:
        again = "nothing: run files alone cannot be made again"
    else:
        manifest = target.runs.run(done.folder.name).manifest
        again = f"`{commands.reproduce(manifest.tag, manifest.card, manifest.execution)}`"
    note("", f"recorded in {done.folder}")
    note(f"look at it:  {commands.leaderboard()}")
    note(f"commit:      {shlex.join(['git', 'add', str(done.folder)])}   and nothing else, then open a pull request")
    note("then:        checks validate and score the files, a comment shows the table; a maintainer reviews the card,")
    note(f"             and makes the row again by {again}")
