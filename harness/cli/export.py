"""``xdr export``: a run in the format of somebody else's evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import note
from harness.errors import WrongUsage, unknown_name

_FORMATS = ("xor-retrieve",)


def export(
    run: Annotated[Path, typer.Argument(help="A run's folder: runs/TRACK/SYSTEM.")],
    output: Annotated[Path, typer.Argument(help="The file to write.")],
    file_format: Annotated[
        str, typer.Option("--format", help="xor-retrieve: the official prediction file.")
    ] = "xor-retrieve",
    track: Annotated[str, typer.Option(help="Track, where the path does not tell.")] = "",
) -> None:
    """Write a run as XOR-Retrieve's official script reads it: question ids, languages, passage texts in rank order."""
    from harness.tracks import load_track
    from harness.xor_retrieve import export_predictions

    if file_format not in _FORMATS:
        raise unknown_name("format", file_format, _FORMATS)
    if not run.is_dir():
        raise WrongUsage(f"{run} is not a folder; give a run's folder, runs/TRACK/SYSTEM")
    count = export_predictions(load_track(track or run.resolve().parent.name), run, output)
    note(f"{output}: {count} questions")
