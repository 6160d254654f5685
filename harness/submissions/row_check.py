"""Is a recorded row what it says? Files against the manifest, scores against the runs, records against their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from harness.errors import Finding, InvalidInput, WrongUsage
from harness.runs.manifest import FILE_NAME as MANIFEST
from harness.runs.manifest import read_manifest, run_file
from harness.runs.own_scores import disagreement
from harness.runs.recorded import check_recorded_files
from harness.runs.score import expected_of, judged_part, scores_of_run
from harness.runs.score_file import FILE_NAME as SCORES
from harness.runs.score_file import ScoreFile
from harness.runs.trec import read_run
from harness.runs.withdrawal import read_withdrawal
from harness.submissions.reproductions import read_reproductions
from harness.tracks import Track


def row_findings(track: Track, folder: Path) -> list[Finding]:
    """All that is wrong or worth knowing about the row in ``folder``; its runs are scored anew, and nothing is written."""
    try:
        manifest = read_manifest(folder)
    except InvalidInput as error:
        return _findings_of(error)
    findings = [
        Finding("error", path.name, f"{MANIFEST} names no such part", ", ".join(manifest.data))
        for path in sorted(folder.glob("*.trec.gz"))
        if path.name.removesuffix(".trec.gz") not in manifest.data
    ]
    findings += [fault for name in manifest.data for fault in _faults_of_run(track, folder, name)]
    if findings:
        findings += _faults_of(lambda: check_recorded_files(folder, manifest))
    else:
        findings += _scored(track, folder)
    return [*findings, *_faults_of(lambda: read_reproductions(folder)), *_faults_of(lambda: read_withdrawal(folder))]


def _faults_of_run(track: Track, folder: Path, part: str) -> list[Finding]:
    if part not in {known.name for known in track.parts}:
        return []  # which is said where the manifest is held against the track
    expected = expected_of(judged_part(track.part(part)).collection, track)
    return _faults_of(lambda: read_run(run_file(folder, part), expected))


def _scored(track: Track, folder: Path) -> list[Finding]:
    try:
        today = scores_of_run(track, folder)
    except (InvalidInput, WrongUsage) as error:
        return _findings_of(error)
    return [*warnings_of(today), *score_file_findings(folder / SCORES, today)]


def _faults_of(check: Callable[[], object]) -> list[Finding]:
    try:
        check()
    except (InvalidInput, WrongUsage) as error:
        return _findings_of(error)
    return []


def _findings_of(error: InvalidInput | WrongUsage) -> list[Finding]:
    """An error may have none of its own: each line of what it says is one then."""
    return list(error.findings) or [Finding("error", "", line) for line in error.message.splitlines()]


def warnings_of(scores: ScoreFile) -> list[Finding]:
    return [Finding("warning", part, text) for part, texts in scores.context["warnings"].items() for text in texts]


def score_file_findings(path: Path, today: ScoreFile) -> Iterator[Finding]:
    """What is wrong with the score file at ``path``, which should hold ``today``'s scores."""
    mend = "`xdr score TRACK SYSTEM` writes it from the runs"
    if not path.is_file():
        yield Finding("warning", path.name, "missing", "the scores of every query", mend)
    elif reason := disagreement(path, today):
        yield Finding("error", path.name, f"not the scores of the run beside it: {reason}", "", mend)
