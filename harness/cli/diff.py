"""``xdr diff``: what differs between two runs of a track?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import AllowCode, Json, print_json, say
from harness.cli.tables import say_table
from harness.errors import InvalidInput, WrongUsage
from harness.numbers import DASH, percent, probability

if TYPE_CHECKING:
    from harness.submissions.diff import RunDifference

_QUERIES_SHOWN = 10


def diff(
    one: Annotated[Path, typer.Argument(help="A run's folder: runs/TRACK/SYSTEM.")],
    two: Annotated[Path, typer.Argument(help="Another run of the same track.")],
    track: Annotated[str, typer.Option(help="The track's TOML file, where the name does not tell.")] = "",
    as_json: Json = False,
    allow_code: AllowCode = False,
) -> None:
    """Compare two runs of one track: manifests, rankings, scores. Exits 0 when they rank alike, 1 when they do not."""
    from harness.adapters.consent import Consent
    from harness.runs.manifest import read_manifest
    from harness.runs.run_folder import Room, RunFolder
    from harness.submissions.diff import diff_runs
    from harness.tracks import load_track_of

    for folder in (one, two):
        if not folder.is_dir():
            raise WrongUsage(f"{folder} is not a folder; give a run's folder, runs/TRACK/SYSTEM")
    names = [read_manifest(folder).track.name for folder in (one, two)]
    if names[0] != names[1]:
        raise InvalidInput(
            f"{one} is a run of track {names[0]}, {two} of track {names[1]}: their scores cannot be compared"
        )
    loaded, room = load_track_of(one, names[0], track, Consent(allow_code)), Room()
    found = diff_runs(*(RunFolder(loaded, folder, room) for folder in (one, two)))
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _print(found, loaded.primary)
    if not found.is_empty:
        raise typer.Exit(1)


def _print(found: RunDifference, primary: str) -> None:
    from harness.submissions.agreement import unranked
    from harness.submissions.changes import described

    say("manifests, the likeliest cause of different rankings first:")
    for line in described(found.manifest) or ["no differences"]:
        say(f"  {line}")
    for path, parts in ((found.one, found.parts_of_one_alone), (found.two, found.parts_of_two_alone)):
        if parts:
            say(f"only in {path}: {', '.join(parts)}")
    depths = next(iter(found.rankings.values())).overlap if found.rankings else {}
    say("rankings:")
    compared = [
        [
            part,
            f"{ranks.identical}/{ranks.queries}",
            *(f"{value:.4f}" for value in (ranks.rank_biased_overlap, ranks.kendall_tau, *ranks.overlap.values())),
        ]
        for part, ranks in found.rankings.items()
    ]
    say_table(["", "same", "RBO", "tau", *(f"overlap {depth}" for depth in depths)], compared)
    for line in unranked(found.rankings, found.counts):
        say(f"  {line}")
    say("scores, and the difference with its 95% interval and p, of this pair alone:")
    rows = [
        [
            mean.measure,
            mean.part,
            percent(mean.one, 2),
            percent(mean.two, 2),
            percent(mean.two - mean.one, 2, signed=True),
            " to ".join(percent(limit, signed=True) for limit in mean.interval) if mean.interval else DASH,
            probability(mean.p),
            f"{mean.rmse:.4f}",
        ]
        for mean in found.means
    ]
    say_table(["", "", "first", "second", "difference", "95%", "p", "RMSE"], rows, names=2)
    own = [query for query in found.queries if query.measure == primary]
    say(f"queries whose {primary} differs: {len(own)}")
    for query in own[:_QUERIES_SHOWN]:
        say(f"  {query.part}/{query.query_id}: {query.one:.4f} -> {query.two:.4f}")
    if len(own) > _QUERIES_SHOWN:
        say(f"  and {len(own) - _QUERIES_SHOWN} more; --json lists all")
