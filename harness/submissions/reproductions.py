"""Reproduction records: that a run was made again, when, on what, and how it came out. One YAML file each."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness.errors import InvalidInput, WrongUsage
from harness.files.migrations import CURRENT, migrated
from harness.files.toml_records import Name, PartName, Record, checked
from harness.files.writing import write_text
from harness.files.yaml_records import digest_of, parsed_yaml, yaml_text
from harness.runs.manifest import Manifest, check_no_links
from harness.runs.provenance import Git, Platform, Text
from harness.submissions.agreement import RankingAgreement
from harness.submissions.changes import Change
from harness.tracks import Tolerance

SCHEMA_VERSION = CURRENT["reproduction"]

Verdict = Literal["identical", "same scores", "equivalent", "differs"]
VERDICTS: tuple[Verdict, ...] = ("identical", "same scores", "equivalent", "differs")
"""From best to worst."""


class PartReproduction(Record):
    """One part: how the rankings agree, the RMSE of per-query scores by measure, and the primary measure's two means."""

    rankings: RankingAgreement
    rmse: dict[str, float]
    mean_recorded: float | None
    mean_again: float | None


class TrackName(Record):
    name: PartName
    version: int


class Reproduction(Record):
    """``rankings`` are the digests of the run that was made again, so that a record never vouches for another run.

    ``rows``: how the rows that it stands on were come by, in words.
    """

    schema_version: int
    track: TrackName
    system: Name
    date: datetime.date
    verdict: Verdict
    rankings: dict[str, str]
    tolerance: Tolerance
    parts: dict[str, PartReproduction]
    changes: tuple[Change, ...]
    platform: Platform
    device: Text
    isolation: Text
    git: Git
    rows: dict[Name, Text] = Field(default_factory=dict)
    readings: dict[Name, Text] = Field(default_factory=dict)

    @property
    def confirms(self) -> bool:
        return self.verdict != "differs"

    @property
    def platform_in_words(self) -> str:
        """See ``Platform.in_words``."""
        return self.platform.in_words(self.device)


_CANNOT_MOVE_A_RANKING = {"isolation", "commit"}


def hints_of(reproduction: Reproduction) -> list[str]:
    """What a reader of the verdict should look into: rankings that moved although nothing did that could move them."""
    changed = {change.kind for change in reproduction.changes} - _CANNOT_MOVE_A_RANKING
    if reproduction.verdict == "identical" or changed:
        return []
    return [
        "nothing changed that could move a ranking, and a deterministic system would have given identical ones: either it "
        "draws numbers without the run's seed, or the recorded run did not come from this card"
    ]


class Reproduced(Record):
    """What a row says of the reproduction that confirms it."""

    date: datetime.date
    platform: str
    verdict: Verdict


def standing_of(manifest: Manifest, reproductions: Iterable[Reproduction]) -> Reproduced | None:
    """The latest record that confirms this very run; None where there is none, and the row is merely submitted."""
    rankings = {part: record.ranking for part, record in manifest.data.items()}
    fitting = [found for found in reproductions if found.confirms and found.rankings == rankings]
    if not fitting:
        return None
    latest = max(fitting, key=lambda found: (found.date, -VERDICTS.index(found.verdict), found.platform_in_words))
    return Reproduced(date=latest.date, platform=latest.platform_in_words, verdict=latest.verdict)


def write_reproduction(folder: Path, reproduction: Reproduction) -> Path:
    """Write a record into the folder of a run's records; making the same run again on the same day gives the same file."""
    empty = {name for name in ("rows", "readings") if not getattr(reproduction, name)}
    content = reproduction.model_dump(mode="json", by_alias=True, exclude=empty)
    path = folder / name_of(content)
    write_text(path, yaml_text(content))
    return path


def name_of(content: Mapping[str, Any]) -> str:
    """The name of the file of a record: its day, and a digest of all that it says."""
    return f"{content.get('date')}-{digest_of(content)[:8]}.yaml"


def read_reproduction(path: Path) -> Reproduction:
    """One record, whatever its name. Raises ``InvalidInput`` when it is invalid."""
    return _reproduction(parsed_yaml(path), path)


def _reproduction(content: Mapping[str, Any], path: Path) -> Reproduction:
    return checked(Reproduction, migrated("reproduction", content, str(path)), str(path))


def read_reproductions(folder: Path) -> tuple[Reproduction, ...]:
    """All records in the folder of a run's records, by date. Raises ``InvalidInput`` with the troubles of all.

    A record whose name is not that of its content was edited after it was written, and vouches for nothing.
    """
    check_no_links(folder)
    found, troubles = [], []
    for path in sorted(folder.glob("*.yaml")):
        try:
            content = parsed_yaml(path)
            found.append(_reproduction(content, path))
            right = name_of(content)
            if path.name != right:
                troubles.append(f"{path} is not as it was written: a record that says this is named {right}")
        except (InvalidInput, WrongUsage) as error:
            troubles.append(str(error))
    if troubles:
        raise InvalidInput("\n".join(troubles))
    return tuple(sorted(found, key=lambda record: record.date))
