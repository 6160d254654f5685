"""``xdr validate``: is a run in order?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import AllowCode, note, print_findings
from harness.errors import InvalidInput, WrongUsage, errors_of
from harness.runs.commands import DEFAULT_RUNS

if TYPE_CHECKING:
    from harness.runs.trec import Run
    from harness.tracks import Track


def validate(
    path: Annotated[
        Path,
        typer.Argument(
            help="A run's folder (runs/TRACK/SYSTEM), a track (its folder, name or TOML file), or any TREC run file."
        ),
    ],
    track: Annotated[str, typer.Option(help="Track, where the path does not tell.")] = "",
    part: Annotated[str, typer.Option(help="Part, for one run file.")] = "",
    allow_code: AllowCode = False,
) -> None:
    """Check run files: all errors and warnings at once, with line numbers. Exits 1 when there are errors.

    Of any run file its form; with --track and --part also whether its queries and documents are those of the part.
    Of a recorded row also its manifest, digests, scores and records; of a track's folder, runs/TRACK, all rows.
    """
    from harness.adapters.consent import Consent
    from harness.runs.manifest import FILE_NAME
    from harness.submissions.staging import check_whole
    from harness.tracks import load_track, load_track_of, track_names

    if path.suffix == ".toml" and path.is_file() and not (track or part):
        path, track = DEFAULT_RUNS / load_track(str(path), Consent(allow_code)).name, str(path)
    if not path.exists() and str(path) in track_names() and (DEFAULT_RUNS / path).is_dir():
        path = DEFAULT_RUNS / path
    if not path.exists():
        raise WrongUsage(f"no file or folder {path}")
    rows = sorted(row.parent for row in path.glob(f"*/{FILE_NAME}"))
    if rows and not part and not (path / FILE_NAME).exists():
        check_whole(path.resolve().parent)
        loaded = load_track_of(path, path.resolve().name, track, Consent(allow_code))
        faulty = [row for row in rows if not _is_valid(loaded, row)]
        note(f"{len(rows) - len(faulty)} of {len(rows)} rows are valid")
        if faulty:
            raise typer.Exit(1)
        return
    if path.is_file() and not track and not _is_of_a_track(path):
        _validate_form(path)
        return
    # A run file in a recorded row is of that row's track.
    folder = path.resolve().parent if path.is_file() else path.resolve()
    loaded = load_track_of(path, folder.parent.name, track, Consent(allow_code))
    if (path / FILE_NAME).exists() and not part:
        if not _is_valid(loaded, path):
            raise typer.Exit(1)
        return
    _validate_files(loaded, path, part)


def _is_of_a_track(file: Path) -> bool:
    from harness.runs.manifest import FILE_NAME
    from harness.tracks import track_names

    row = file.resolve().parent
    return (row / FILE_NAME).is_file() or row.parent.name in track_names()


def _validate_form(file: Path) -> None:
    """A run file of which nobody says what it is of: columns, numbers, duplicates, tags, ties, order."""
    from harness.runs.trec import read_run

    run, findings = read_run(file)
    print_findings(findings)
    note(
        f"{file}: in form, {_held(run)}, {len(findings)} warnings; "
        "with --track TRACK --part PART its queries and documents are looked up, too"
    )


def _held(run: Run) -> str:
    return (
        f"{len(run.rankings)} rankings, tag {run.tag}"
        if run.rankings
        else "but without any ranking: every query scores 0"
    )


def _is_valid(track: Track, row: Path) -> bool:
    """Whether a recorded row is in order; what is not, and what is worth knowing, is printed."""
    from harness.runs.retraining import retraining_of
    from harness.runs.run_folder import Room, RunFolder
    from harness.submissions.row_check import row_findings

    folder = RunFolder(track, row, Room())
    findings = row_findings(folder)
    print_findings(findings, f"{row.name}: ")
    errors = len(errors_of(findings))
    note(f"{row}: {'valid' if not errors else f'{errors} errors'}, {len(findings) - errors} warnings")
    if not errors and (retraining := retraining_of(folder.manifest.card, folder.manifest.execution)) is not None:
        note(f"{row}: {retraining.in_words()}")
    return not errors


def _validate_files(loaded: Track, path: Path, part: str) -> None:
    """Run files that no manifest describes."""
    from harness.runs.score import expected_of, judged_part
    from harness.runs.trec import read_run

    if path.is_file() and not part:
        part = path.name.split(".")[0]
    names = [part] if part else [p.name for p in loaded.parts if (path / f"{p.name}.trec.gz").is_file()]
    if unknown := [name for name in names if name not in {p.name for p in loaded.parts}]:
        raise WrongUsage(
            f"track {loaded.name} has no part {unknown[0]!r}; it has {', '.join(p.name for p in loaded.parts)}"
        )
    if not names:
        raise WrongUsage(f"{path} holds no run file of track {loaded.name} (PART.trec.gz)")
    faulty = 0
    for name in names:
        file = path / f"{name}.trec.gz" if path.is_dir() else path
        collection = judged_part(loaded.part(name)).collection
        try:
            run, findings = read_run(file, expected_of(collection, loaded))
        except InvalidInput as error:
            print_findings(list(error.findings))
            faulty += 1
            note(f"{name}: {len(errors_of(error.findings))} errors in {file}")
            continue
        print_findings(findings)
        note(f"{name}: valid, {_held(run)}, {len(findings)} warnings")
    if faulty:
        raise typer.Exit(1)
