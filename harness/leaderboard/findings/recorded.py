"""Recorded studies, each taken apart once for as long as its file has the same bytes."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.compare.records import MACRO
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
        track = load_track(name)
        check_track(path, found.track, track, f"xdr study {name}")
        _check_drops(path, found, track)
    return found


def _check_drops(path: Path, found: StudyResult, track: Track) -> None:
    """A study's record does not say what its track perturbs."""
    wanted = {(kind, part.name) for part in track.clean_parts for kind in track.draws_of(part.name)}
    if wanted != (have := {(drop.perturbation, drop.column) for drop in found.drops if drop.column != MACRO}):
        named = ", ".join(" of ".join(own) for own in sorted(wanted ^ have)[:3])
        raise InvalidInput(
            f"{path} has drops of other perturbations or parts than track {track.name} declares: {named}; `xdr study "
            f"{track.name}` makes it again"
        )


@functools.lru_cache(maxsize=8)
def _read(path: Path, _: str) -> StudyResult | None:
    return read_study(path)


def check_track(path: Path, recorded: Mapping[str, Any], track: Track, command: str) -> None:
    expected = {"name": track.name, "version": track.version}
    if recorded != expected:
        raise InvalidInput(f"{path} is of track {dict(recorded)}, not of {expected}; `{command}` makes it again")
