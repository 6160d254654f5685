"""Snapshots: a leaderboard as it stood when somebody cited it, in a folder that never changes.

``runs/TRACK/snapshots/NAME/`` holds the tables in all formats, every test with its family, the digests of all runs and
scores they come from, how to cite them, and ``SHA256SUMS``, which ``sha256sum --check`` reads.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import yaml

from harness.compare.records import Comparison, Family, comparison_text
from harness.compute.platform import describe
from harness.errors import Finding, InvalidInput, WrongUsage
from harness.files.limits import RECORD_BYTES, RESULT_BYTES
from harness.files.reading import parse_json, read_bytes
from harness.files.toml_records import Record, checked
from harness.files.writing import sha256_of_file, write_new_folder
from harness.files.yaml_records import digest_of
from harness.leaderboard.exports import FORMATS
from harness.leaderboard.exports.json import SCHEMA_FILE_NAME, schema
from harness.leaderboard.table import Leaderboard
from harness.runs.identity import identity_of
from harness.runs.run_folder import RunFolder
from harness.runs.track_runs import TrackRuns

SCHEMA_VERSION = 1
FOLDER, FILE_NAME, SUMS, CITATION = "snapshots", "snapshot.json", "SHA256SUMS", "CITATION.cff"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_AUTHORS = "xdr-bench contributors"


class FrozenRun(Record):
    """Digests of one run: of its manifest file, of its rankings by part, and of what identifies it and its scores."""

    manifest: str
    rankings: dict[str, str]
    reuse: dict[str, str]
    scores: str


class Snapshot(Record):
    """What a snapshot was made of."""

    schema_version: Literal[1]
    name: str
    date: datetime.date
    track: dict[str, Any]
    families: tuple[Family, ...]
    runs: dict[str, FrozenRun]
    software: dict[str, Any]


def freeze(runs: TrackRuns, name: str, board: Leaderboard, comparison: Comparison, scores: dict[str, str]) -> bool:
    """Write the snapshot ``name`` of the leaderboard of these runs; ``scores`` are score keys by system.

    Returns whether it is new; False where that very snapshot is there already. Raises ``WrongUsage`` where another one
    has the name, for a snapshot never changes.
    """
    check_name(name)
    target = runs.folder / FOLDER / name
    date = _date_of(target) or datetime.datetime.now(datetime.UTC).date()
    frozen = {row.system: _frozen_run(runs.run(row.system), scores[row.system]) for row in board.rows}
    snapshot = Snapshot(
        schema_version=SCHEMA_VERSION,
        name=name,
        date=date,
        track={
            "name": board.track.name,
            "version": board.track.version,
            "digest": digest_of(board.model_dump(mode="json", include={"track"})["track"]),
        },
        families=comparison.families,
        runs={system: frozen[system] for system in sorted(frozen)},
        software=describe()["software"],
    )
    files = _files(snapshot, board, comparison)
    if not target.exists():
        write_new_folder(target, files)
        return True
    if different := _different(target, files):
        raise WrongUsage(
            f"{target} is frozen and differs from today's leaderboard in {', '.join(different)}; "
            "a snapshot never changes: choose another name"
        )
    return False


def check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise WrongUsage(
            f"{name!r} cannot be a snapshot's name; it takes up to 64 of a-z, 0-9, '.', '_' and '-', "
            "the first a letter or a digit, as in 2026-11"
        )


def snapshots_in(folder: Path) -> list[Path]:
    """The snapshots of a track's folder (runs/TRACK), by name."""
    inside = folder / FOLDER
    return sorted(path for path in inside.iterdir() if _NAME.fullmatch(path.name)) if inside.is_dir() else []


def damage_of(snapshot: Path) -> list[Finding]:
    """What in a snapshot's folder is not as it was frozen, by its SHA256SUMS."""
    hint = "restore it from version control; a snapshot never changes"

    def fault(path: Path, what: str) -> Finding:
        return Finding("error", str(path), what, "", hint)

    try:
        lines = read_bytes(snapshot / SUMS, RECORD_BYTES).decode("utf-8").splitlines()
        sums = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except (InvalidInput, WrongUsage, ValueError):
        return [fault(snapshot / SUMS, "missing, or not a list of SHA-256 digests")]
    findings = []
    for name, digest in sums.items():
        path = snapshot / name
        if not path.is_file():
            findings.append(fault(path, "missing"))
        elif sha256_of_file(path) != digest:
            findings.append(fault(path, "not the file that was frozen"))
    strangers = sorted(path for path in snapshot.iterdir() if path.name not in {*sums, SUMS})
    return findings + [fault(path, "no part of the snapshot") for path in strangers]


def _frozen_run(run: RunFolder, scores: str) -> FrozenRun:
    manifest = run.manifest
    return FrozenRun(
        manifest=sha256_of_file(run.manifest_file),
        rankings={name: record.ranking for name, record in manifest.data.items()},
        reuse={"identity": digest_of(identity_of(manifest).model_dump(mode="json"))},
        scores=scores,
    )


def _files(snapshot: Snapshot, board: Leaderboard, comparison: Comparison) -> dict[str, bytes]:
    texts = {form.file_name: form.text_of(board) for form in FORMATS.values()}
    texts[SCHEMA_FILE_NAME] = schema()
    texts["comparison.json"] = comparison_text(comparison)
    texts[FILE_NAME] = json.dumps(snapshot.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
    texts[CITATION] = citation(snapshot, board)
    files = {name: texts[name].encode() for name in sorted(texts)}
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    return {**files, SUMS: sums.encode()}


def citation(snapshot: Snapshot, board: Leaderboard) -> str:
    """How to cite a snapshot, in the Citation File Format 1.2.0."""
    package = metadata.metadata("xdr-bench").json
    track = board.track
    content = {
        "cff-version": "1.2.0",
        "message": "If you use these results, please cite them as below.",
        "type": "dataset",
        "title": f"xdr-bench leaderboard, {' '.join(track.title.split())}",
        "abstract": f"Snapshot {snapshot.name} of track {track.name}, version {track.version}, "
        f"with {len(board.rows)} systems; digests of all runs are in {FILE_NAME}.",
        "authors": [{"name": package.get("author") or _AUTHORS}],
        "version": f"{track.name}-{track.version}-{snapshot.name}",
        "date-released": snapshot.date.isoformat(),
        "license": package["license_expression"],
        "keywords": ["information retrieval", "cross-lingual retrieval", "benchmark", "leaderboard"],
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def read_snapshot(path: Path) -> Snapshot:
    """Its ``snapshot.json``. Raises ``InvalidInput`` where there is none that can be read."""
    try:
        content = dict(parse_json(read_bytes(path, RESULT_BYTES)))
    except (WrongUsage, ValueError, TypeError) as error:
        raise InvalidInput(f"{path} is not a snapshot's file") from error
    return checked(Snapshot, content, str(path))


def _date_of(target: Path) -> datetime.date | None:
    """The day on which a snapshot was frozen, so that freezing it again can give the same bytes."""
    try:
        return read_snapshot(target / FILE_NAME).date
    except InvalidInput:
        return None


def _different(target: Path, files: dict[str, bytes]) -> list[str]:
    found = {path.name: path.read_bytes() for path in target.iterdir()} if target.is_dir() else {}
    different = {name for name in {*found, *files} if found.get(name) != files.get(name)}
    # The sums differ because of what they sum up, which is named already.
    return sorted(different - {SUMS}) or sorted(different)
