"""Recorded studies, each taken apart once for as long as its file has the same bytes."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import InvalidInput
from harness.files.writing import sha256_of_file
from harness.submissions.study.records import StudyResult, read_study
from harness.tracks import Track, load_track


def recorded_study(runs: Path, name: str) -> StudyResult | None:
    """The study of a track; None where none is recorded. Raises ``InvalidInput`` where it is of another track or version."""
    path = runs / name / "study.json"
    if not path.is_file():
        return None
    found = _read(path, sha256_of_file(path))
    if found is not None:
        check_track(path, found.track, load_track(name), f"xdr study {name}")
    return found


@functools.lru_cache(maxsize=8)
def _read(path: Path, _: str) -> StudyResult | None:
    return read_study(path)


def check_track(path: Path, recorded: Mapping[str, Any], track: Track, command: str) -> None:
    expected = {"name": track.name, "version": track.version}
    if recorded != expected:
        raise InvalidInput(f"{path} is of track {dict(recorded)}, not of {expected}; `{command}` makes it again")
