"""Are the committed scores and tables those of the committed runs? Everything is computed again, nothing is written."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.compare.ablations import contradictions, read_ablations
from harness.compare.records import Comparison, comparison_text
from harness.errors import Finding, InvalidInput, WrongUsage
from harness.files.limits import TABLE_BYTES
from harness.files.reading import parse_json, read_bytes
from harness.files.yaml_records import digest_of
from harness.leaderboard.exports import FORMATS, WRITTEN
from harness.leaderboard.exports.json import FILE_NAME as LEADERBOARD
from harness.leaderboard.pipeline import comparison_of, leaderboard_of, recorded_systems
from harness.leaderboard.snapshots import damage_of, snapshots_in
from harness.leaderboard.table import Leaderboard, read_leaderboard
from harness.runs.commands import Commands
from harness.runs.own_scores import TOLERANCE
from harness.runs.rows import changed_below
from harness.runs.score import scores_of_run
from harness.runs.score_file import ScoreFile, read_scores
from harness.runs.track_runs import COMPARISON, TrackRuns


def stale_files(runs: TrackRuns) -> list[Finding]:
    """One finding for every file that is missing, or is not what the recorded runs give today.

    Looks at scores.parquet of every run, at the rows that a run stands on, at comparison.json and leaderboard.json, .csv and
    .md, at ablations.json as far as it is held by itself and by the runs of record, and at the checksums of all snapshots.
    Runs are not made again: that is `xdr run`'s.
    """
    commands, folder = runs.commands, runs.folder
    systems = recorded_systems(runs)
    if not systems:
        raise InvalidInput(f"no runs of track {runs.track.name} in {folder}; `{commands.leaderboard()}` makes them")
    findings: list[Finding] = []
    scores: list[ScoreFile] = []
    for name in systems:
        try:
            scores.append(scores_of_run(runs.run(name)))
        except (InvalidInput, WrongUsage) as error:
            findings.append(_finding(folder / name, error.message, _mend_run(commands, name)))
            findings += getattr(error, "findings", ())
            continue
        findings += _stale_scores(commands, runs.run(name).scores_file, scores[-1])
        findings += (_finding(folder / name, fault, _mend_run(commands, name)) for fault in changed_below(runs, name))
    if len(scores) == len(systems):
        comparison = comparison_of(runs, scores)
        findings += stale_tables(runs, comparison, leaderboard_of(runs, scores, comparison))
    findings += _stale_ablations(runs, scores)
    return findings + [fault for snapshot in snapshots_in(folder) for fault in damage_of(snapshot)]


def _stale_ablations(runs: TrackRuns, scores: list[ScoreFile]) -> Iterator[Finding]:
    path, hint = runs.ablations_file, f"make them again: `{runs.commands.leaderboard('--ablations')}`"
    try:
        ablations = read_ablations(path)
    except InvalidInput as error:
        yield _finding(path, error.message, hint)
        return
    own = [found for found in scores if ablations is not None and found.system == ablations.card]
    if ablations is not None and own:
        recorded = runs.run(ablations.card).manifest.card.parameters
        for fault in contradictions(runs.track, ablations, recorded, own[0]):
            yield _finding(path, fault, hint)


def _mend_run(commands: Commands, name: str) -> str:
    command = commands.run_again(name)
    return f"run it again: `{command}`" if command else "restore its files, or withdraw the row"


def _stale_scores(commands: Commands, path: Path, today: ScoreFile) -> Iterator[Finding]:
    hint = f"score it again: `{commands.score()}`"
    if not path.is_file():
        yield _finding(path, "missing", hint)
        return
    try:
        recorded = read_scores(path)
    except InvalidInput as error:
        yield _finding(path, error.message, hint)
        return
    if (
        digest_of(recorded.context) != digest_of(today.context)
        or recorded.values != today.values
        or recorded.units != today.units
    ):
        yield _finding(path, "not the scores of the run beside it", hint)


def stale_tables(
    runs: TrackRuns, comparison: Comparison, board: Leaderboard, folder: Path | None = None
) -> Iterator[Finding]:
    """One finding for every table that is missing, or is not that of this comparison and leaderboard.

    ``folder``: where the tables lie, if it is not among the runs.
    """
    folder, hint = folder or runs.folder, f"make it again: `{runs.commands.leaderboard()}`"
    for name, today in ((COMPARISON, comparison_text(comparison)), (LEADERBOARD, FORMATS["json"].text_of(board))):
        if fault := _json_fault(folder / name, today):
            yield _finding(folder / name, fault, hint)
    try:
        recorded = read_leaderboard(folder)
    except InvalidInput:
        recorded = board
    for form in (FORMATS[name] for name in WRITTEN if name != "json"):
        if fault := _text_fault(folder / form.file_name, form.text_of(recorded)):
            yield _finding(folder / form.file_name, fault, hint)


def _json_fault(path: Path, today: str) -> str:
    try:
        return _difference(parse_json(read_bytes(path, TABLE_BYTES)), json.loads(today))
    except WrongUsage:
        return "missing"
    except (InvalidInput, ValueError) as error:
        return f"cannot be read: {error}"


def _text_fault(path: Path, expected: str) -> str:
    if not path.is_file():
        return "missing"
    return "" if path.read_bytes() == expected.encode() else f"not the table of {LEADERBOARD}"


def _difference(recorded: Any, today: Any, place: str = "") -> str:
    """The first place in which two JSON values differ, in words; empty where they agree."""
    if isinstance(recorded, Mapping) and isinstance(today, Mapping):
        for key in sorted({*recorded, *today}):
            where = f"{place}.{key}" if place else key
            if key not in recorded or key not in today:
                return f"{where} is {'not in the file' if key in today else 'in the file, but no more in the table'}"
            if found := _difference(recorded[key], today[key], where):
                return found
        return ""
    if isinstance(recorded, list) and isinstance(today, list) and len(recorded) == len(today):
        pairs = enumerate(zip(recorded, today, strict=True))
        return next((found for i, pair in pairs if (found := _difference(*pair, f"{place}[{i}]"))), "")
    if isinstance(recorded, float) and isinstance(today, float):
        same = math.isclose(recorded, today, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    else:
        same = type(recorded) is type(today) and recorded == today
    return "" if same else f"{place} is {_short(recorded)}, today {_short(today)}"


def _short(value: Any) -> str:
    if isinstance(value, list | dict):
        return f"a list of {len(value)}" if isinstance(value, list) else "an object"
    return f"{value!r:.60}"


def _finding(path: Path, what: str, hint: str) -> Finding:
    return Finding("error", str(path), what, "", hint)
