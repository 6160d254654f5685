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
    questions: Annotated[
        Path | None, typer.Option(help="Write the questions with answers, too, as the official script's data file.")
    ] = None,
) -> None:
    """Write a run as XOR-Retrieve's official script reads it: question ids, languages, passage texts in rank order."""
    from harness.tracks import load_track
    from harness.xor_retrieve import export_predictions, export_questions

    if file_format not in _FORMATS:
        raise unknown_name("format", file_format, _FORMATS)
    if not run.is_dir():
        raise WrongUsage(f"{run} is not a folder; give a run's folder, runs/TRACK/SYSTEM")
    loaded = load_track(track or run.resolve().parent.name)
    note(f"{output}: {export_predictions(loaded, run, output)} questions")
    if questions is not None:
        note(f"{questions}: {export_questions(loaded, questions)} questions with answers")
