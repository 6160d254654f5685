"""``xdr reproduce``: can a row be made again, and if not, why?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness import progress
from harness.cli.console import Json, note, print_error, print_json, say
from harness.cli.operator_options import Operator, with_operator_options
from harness.cli.reproduce_record import reproduce_record
from harness.errors import WrongUsage, XdrError
from harness.numbers import percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.submissions.reproductions import Reproduction


@with_operator_options
def reproduce(
    run: Annotated[
        Path,
        typer.Argument(
            help="A run's folder, runs/TRACK/SYSTEM; with --all a track's, runs/TRACK; or the file of a recorded study, "
            "comparison or attack."
        ),
    ],
    all_runs: Annotated[bool, typer.Option("--all", help="All runs in the folder of a track.")] = False,
    card: Annotated[
        Path | None, typer.Option("--card", help="The card's file, where its adapter lies beside it.", metavar="CARD")
    ] = None,
    track: Annotated[str, typer.Option(help="The track's TOML file, where the name does not tell.")] = "",
    encoder: Annotated[
        list[str] | None, typer.Option(help="Of a recorded study: only this encoder; again for another.")
    ] = None,
    as_json: Json = False,
    *,
    operator: Operator,
) -> None:
    """Run recorded cards again in a clean place, grade how the runs agree, and write a reproduction record.

    The verdict is identical, same scores, equivalent or differs; exits 1 when any run differs or cannot be made. What stands
    on runs that are not kept, a study, comparison or attack, is made again from its cards, and held against its file figure by
    figure: identical, same answers or differs.
    """
    from harness.adapters.requirements import pip_line
    from harness.runs.run_folder import recorded_run
    from harness.submissions.reproduce import reproduce as reproduce_run
    from harness.submissions.reproductions import write_reproduction

    if _is_record(run, encoder, one_run=card is not None or all_runs):
        if not reproduce_record(run, track, encoder or (), operator, as_json=as_json):
            raise typer.Exit(1)
        return
    consent = operator.consent()
    if all_runs and card is not None:
        raise WrongUsage("--card is the card of one run; leave out --all, or --card")
    folders = _folders(run) if all_runs else [run]
    found: dict[Path, Reproduction | XdrError] = {}
    with progress.task("reproduce", len(folders), "runs") as advance:
        for folder in progress.counted(folders, advance):
            if not folder.is_dir():
                raise WrongUsage(
                    f"there is no {folder}; give a run's folder, runs/TRACK/SYSTEM, or the file of a recorded study, "
                    "comparison or attack"
                )
            try:
                row = recorded_run(folder, track, consent)
                if requirements := row.manifest.card.requires:
                    note(f"{folder.name} requires: {pip_line(requirements)}")
                record = reproduce_run(row, operator.context(consent), card=card)
            except XdrError as error:
                if not all_runs:
                    raise
                found[folder] = error
                print_error(error)
                continue
            found[folder] = record
            note(f"written to {write_reproduction(row.reproductions, record)}")
            if not as_json and not all_runs:
                counts = {name: part.query_count for name, part in row.manifest.data.items()}
                _print_one(record, row.track.primary, counts)
    if as_json:
        shown = {
            folder.name: {"error": str(r)} if isinstance(r, XdrError) else r.model_dump(mode="json")
            for folder, r in found.items()
        }
        print_json(shown)
    elif all_runs:
        _print_all(found)
    if not all(not isinstance(record, XdrError) and record.confirms for record in found.values()):
        raise typer.Exit(1)


def _is_record(path: Path, encoders: list[str] | None, *, one_run: bool) -> bool:
    """Whether a file is to be made again, not runs. Raises ``WrongUsage`` for options that belong to the other one."""
    if not path.is_file():
        if encoders:
            raise WrongUsage("--encoder is of recorded studies: give the study's file, runs/TRACK/study.json")
        return False
    if one_run:
        raise WrongUsage(f"{path} is a file: a recorded study, comparison or attack takes no --all and no --card")
    return True


def _folders(folder: Path) -> list[Path]:
    from harness.runs.manifest import FILE_NAME
    from harness.submissions.staging import check_whole

    check_whole(folder.resolve().parent)
    found = sorted(path.parent for path in folder.glob(f"*/{FILE_NAME}")) if folder.is_dir() else []
    if not found:
        raise WrongUsage(f"{folder} holds no runs; with --all give the folder of a track, runs/TRACK")
    return found


def _print_one(record: Reproduction, primary: str, counts: Mapping[str, int]) -> None:
    from harness.submissions.agreement import unranked
    from harness.submissions.changes import described
    from harness.submissions.reproductions import hints_of

    say(f"{record.system} on {record.track.name}: {record.verdict} ({record.platform_in_words})")
    say(f"{'':<10}{'same rankings':>15}{'RBO':>9}{'tau':>9}{'RMSE':>9}   {primary}")
    for name, part in record.parts.items():
        ranks = part.rankings
        same = f"{ranks.identical}/{ranks.queries}"
        figures = f"{ranks.rank_biased_overlap:>9.4f}{ranks.kendall_tau:>9.4f}{part.rmse[primary]:>9.4f}"
        say(f"{name:<10}{same:>15}{figures}   {percent(part.mean_recorded, 2)} -> {percent(part.mean_again, 2)}")
    granted = record.tolerance
    limits = f"{granted.rank_biased_overlap:>9.4f}{granted.kendall_tau:>9.4f}{granted.rmse:>9.4f}"
    say(f"{'tolerance':<25}{limits}")
    agreements = {name: part.rankings for name, part in record.parts.items()}
    for line in (*unranked(agreements, counts), *hints_of(record)):
        say(line)
    for name, words in record.rows.items():
        say(f"it stands on {name}: {words}")
    for name, words in record.readings.items():
        say(f"answers of {name}: {words}")
    lines = described(record.changes)
    say("what changed since, the likeliest cause first:" if lines else "nothing in the manifest changed")
    for line in lines:
        say(f"  {line}")


def _print_all(found: dict[Path, Reproduction | XdrError]) -> None:
    from harness.submissions.reproduce import WeightsNotKept

    width = max(len(folder.name) for folder in found)
    for folder, record in found.items():
        if isinstance(record, WeightsNotKept):
            say(f"{folder.name:<{width}}  {record.how}")
        elif isinstance(record, XdrError):
            say(f"{folder.name:<{width}}  not made: {record.message.splitlines()[0]}")
        else:
            ranks = [part.rankings for part in record.parts.values()]
            same, total = sum(r.identical for r in ranks), sum(r.queries for r in ranks)
            lowest = min((r.rank_biased_overlap for r in ranks), default=1.0)
            say(f"{folder.name:<{width}}  {record.verdict:<11}  {same}/{total} same rankings, lowest RBO {lowest:.4f}")
