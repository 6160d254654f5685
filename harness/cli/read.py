"""``xdr read``: the answers that a reader finds in the passages of recorded runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import AllowCode, Json, note, print_json, progress, say
from harness.cli.operator_options import check_device
from harness.errors import WrongUsage
from harness.files.limits import RANKING_DEPTH


def read(
    run: Annotated[
        Path, typer.Argument(help="A run's folder, runs/TRACK/SYSTEM, or that of a track, for all runs in it.")
    ],
    reader: Annotated[Path, typer.Argument(help="Folder of an extractive reader, as `xdr train` makes one.")],
    top: Annotated[
        int, typer.Option("--top", min=1, max=RANKING_DEPTH, help="Passages of each ranking that are read.")
    ] = 5,
    english: Annotated[
        str,
        typer.Option(
            "--english",
            metavar="ID",
            help="Give the reader the questions in English: a parallel collection, or questions-parallel.",
        ),
    ] = "",
    track: Annotated[str, typer.Option("--track", help="The track's TOML file, where the name does not tell.")] = "",
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, or auto.")] = "auto",
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Passages read at once; never changes an answer.")
    ] = os.cpu_count() or 1,
    as_json: Json = False,
    allow_code: AllowCode = False,
) -> None:
    """Read the first passages of every question and write what the reader answers beside the run (PART.read-READER.jsonl.gz).

    What it has answered outlives a kill, and is shared by all runs that found the same passages.
    """
    from harness.adapters.consent import Consent
    from harness.dense.encoder import resolved_device
    from harness.measures.read_answers import FAMILIES, name_of
    from harness.recipes.reading import ReaderSettings
    from harness.recipes.reading.kept import KeptReader
    from harness.runs.read import Reading, read_run
    from harness.runs.run_folder import recorded_run

    check_device(device)
    folders = _folders(run)
    reading = Reading(KeptReader(ReaderSettings(reader, resolved_device(device)), workers), top, english)
    shown = {}
    for folder in folders:
        before = reading.reader.read
        record = read_run(recorded_run(folder, track, Consent(allow_code)), reading, progress())
        pairs = sum(part.pairs for part in record.parts.values())
        note(f"{folder.name}: {pairs:,} passages, of which {reading.reader.read - before:,} had not been read before")
        shown[folder.name] = {"reading": record.reading, "passages": pairs}
    if as_json:
        print_json(shown)
        return
    for family in FAMILIES:
        say(name_of(family, top, reading.reader.name, bool(english)))


def _folders(run: Path) -> list[Path]:
    """The run's folder, or those of all runs of a track."""
    from harness.runs.manifest import FILE_NAME

    if (run / FILE_NAME).is_file():
        return [run]
    found = sorted(path.parent for path in run.glob(f"*/{FILE_NAME}")) if run.is_dir() else []
    if not found:
        raise WrongUsage(f"{run} holds no run; give a run's folder, runs/TRACK/SYSTEM, or a track's, runs/TRACK")
    return found
