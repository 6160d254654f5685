"""Is a recorded row what it says? Files against the manifest, scores against the runs, records against their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from harness.errors import Finding, InvalidInput, WrongUsage
from harness.runs.manifest import FILE_NAME as MANIFEST
from harness.runs.own_scores import disagreement
from harness.runs.readings import reading_faults
from harness.runs.run_folder import RunFolder
from harness.runs.score import expected_of, judged_part, scores_of_run
from harness.runs.score_file import ScoreFile
from harness.submissions.reproductions import read_reproductions


def row_findings(run: RunFolder) -> list[Finding]:
    """All that is wrong or worth knowing about a recorded row; its runs are scored anew, and nothing is written."""
    try:
        manifest = run.manifest
    except InvalidInput as error:
        return _findings_of(error)
    findings = [
        Finding("error", path.name, f"{MANIFEST} names no such part", ", ".join(manifest.data))
        for path in sorted(run.path.glob("*.trec.gz"))
        if path.name.removesuffix(".trec.gz") not in manifest.data
    ]
    findings += [fault for name in manifest.data for fault in _faults_of_run(run, name)]
    if findings:
        findings += _faults_of(run.check_files)
    else:
        findings += [*reading_faults(run), *_scored(run)]
    records = _faults_of(lambda: read_reproductions(run.reproductions))
    return [*findings, *records, *_faults_of(lambda: run.withdrawal)]


def _faults_of_run(run: RunFolder, part: str) -> list[Finding]:
    track = run.track
    if part not in {known.name for known in track.parts}:
        return []  # which is said where the manifest is held against the track
    expected = expected_of(judged_part(track.part(part)).collection, track)
    return _faults_of(lambda: run.parse(part, expected))


def _scored(run: RunFolder) -> list[Finding]:
    try:
        today = scores_of_run(run)
    except (InvalidInput, WrongUsage) as error:
        return _findings_of(error)
    return [*warnings_of(today), *score_file_findings(run.scores_file, today)]


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
    hint = "`xdr score TRACK SYSTEM` writes it from the runs"
    if not path.is_file():
        yield Finding("warning", path.name, "missing", "the scores of every query", hint)
    elif reason := disagreement(path, today):
        yield Finding("error", path.name, f"not the scores of the run beside it: {reason}", "", hint)
