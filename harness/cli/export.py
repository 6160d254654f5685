"""``xdr export``: a run or a leaderboard in somebody else's format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import note, print_file, print_findings
from harness.errors import WrongUsage, unknown_name

_OF_RUNS = ("xor-retrieve",)


def export(
    source: Annotated[
        Path, typer.Argument(help="A run's folder, runs/TRACK/SYSTEM; or a leaderboard's, runs/TRACK or a snapshot.")
    ],
    output: Annotated[Path | None, typer.Argument(help="The file to write; a folder for badges.")] = None,
    file_format: Annotated[
        str,
        typer.Option(
            "--format",
            help="Of a run: xor-retrieve, the official prediction file. "
            "Of a leaderboard: json, csv, markdown, latex, bibtex, badges, or an installed one (xdr list formats).",
        ),
    ] = "",
    track: Annotated[str, typer.Option(help="Track of a run, where the path does not tell.")] = "",
    questions: Annotated[
        Path | None,
        typer.Option(
            help="With xor-retrieve: write the questions with answers, too, as the official script's data file."
        ),
    ] = None,
) -> None:
    """Write a run for the official script, or a leaderboard as a table, a bibliography or badges.

    The text of a leaderboard goes to standard output where no file is named.
    """
    file_format = file_format or _only_format(source)
    if file_format not in (known := (*_OF_RUNS, *_of_leaderboards())):
        raise unknown_name("format", file_format, known)
    _check_fits(source, file_format)
    if questions and file_format not in _OF_RUNS:
        raise WrongUsage(f"--questions belongs to {_OF_RUNS[0]}, not to {file_format}")
    if output is None and file_format in ("badges", *_OF_RUNS):
        raise WrongUsage(f"say where to write: xdr export {source} {'FOLDER' if file_format == 'badges' else 'FILE'}")
    if file_format in _OF_RUNS:
        assert output is not None
        _export_run(source, output, track, questions)
    else:
        _export_leaderboard(source, output, file_format)


def _of_leaderboards() -> list[str]:
    from harness.leaderboard.exports import BADGES, format_names

    return [*format_names(), BADGES]


def _is_run(source: Path) -> bool:
    return (source / "manifest.yaml").is_file()


def _is_leaderboard(source: Path) -> bool:
    return (source / "leaderboard.json").is_file()


def _only_format(source: Path) -> str:
    if _is_leaderboard(source):
        raise WrongUsage(f"{source} is a leaderboard; say how to write it: --format {'|'.join(_of_leaderboards())}")
    return _OF_RUNS[0]


def _check_fits(source: Path, file_format: str) -> None:
    """Raise ``WrongUsage`` unless the folder holds what the format is of."""
    if not source.is_dir():
        raise WrongUsage(f"{source} is not a folder; give a run's (runs/TRACK/SYSTEM) or a leaderboard's (runs/TRACK)")
    if file_format in _OF_RUNS and not _is_run(source):
        what = "a leaderboard" if _is_leaderboard(source) else "no run: it has no manifest.yaml"
        raise WrongUsage(f"{source} is {what}; {file_format} is written of a run, runs/TRACK/SYSTEM")
    if file_format not in _OF_RUNS and not _is_leaderboard(source):
        what = (
            f"a run; try {source.parent}"
            if _is_run(source)
            else "none: `xdr leaderboard TRACK` writes leaderboard.json"
        )
        raise WrongUsage(f"{file_format} is written of a leaderboard, runs/TRACK, and {source} is {what}")


def _export_run(source: Path, output: Path, track: str, questions: Path | None) -> None:
    from harness.runs.run_folder import RunFolder
    from harness.runs.xor_retrieve import export_predictions, export_questions
    from harness.tracks import load_track_of

    loaded = load_track_of(source, source.resolve().parent.name, track)
    note(f"{output}: {export_predictions(RunFolder(loaded, source), output)} questions")
    if questions is not None:
        note(f"{questions}: {export_questions(loaded, questions)} questions with answers")


def _export_leaderboard(source: Path, output: Path | None, file_format: str) -> None:
    from harness.files.writing import write_text
    from harness.leaderboard.exports import BADGES, exported, is_own_leaderboard, to_badges
    from harness.leaderboard.snapshots import SUMS, damage_of
    from harness.leaderboard.table import FILE_NAME, read_leaderboard

    board = read_leaderboard(source)
    if (source / SUMS).is_file():
        print_findings(damage_of(source))
    elif not is_own_leaderboard(source):
        note(
            f"{source / FILE_NAME} was not made on this machine, and is shown as it stands; "
            f"`xdr leaderboard {board.track.name} --check` tells whether it is what the runs give"
        )
    if file_format == BADGES:
        assert output is not None
        badges = to_badges(board)
        for name, text in badges.items():
            write_text(output / name, text)
        note(f"{output}: {len(badges)} badges")
        return
    text = exported(file_format, board)
    if output is None:
        print_file(text)
    else:
        write_text(output, text)
        note(str(output))
