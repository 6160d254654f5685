"""The manifest of a run: everything that produced it, in YAML, under ir_metadata's names where it has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_serializer, field_validator

from harness.adapters.card import Card
from harness.errors import Finding, InvalidInput, WrongUsage
from harness.files.migrations import CURRENT, migrated
from harness.files.toml_records import Name, PartName, Record, checked
from harness.files.writing import write_together
from harness.files.yaml_records import parsed_yaml, yaml_text
from harness.runs.provenance import Count, Execution, Git, Platform, Text

SCHEMA_VERSION = CURRENT["manifest"]
FILE_NAME = "manifest.yaml"
RUN_FILES = "submitted run files, not made here"
"""The provenance of a run that came as finished files: there is nothing in it that could be run again."""


class PartRecord(Record):
    """One part of the run: what was searched, and the digest of the uncompressed run file.

    ``rows``: of a system that stands on other rows, the digests of their uncompressed run files, by name.
    """

    dataset: Text
    lang: Text
    docs: Text
    queries: Text
    query_count: Count
    ranking: Text
    rows: dict[Name, Text] = Field(default_factory=dict)


class TrackRecord(Record):
    """The definition that the run was made for. ``parts``: all that the track had, those that were not run included;

    null, as ``measures`` is empty, in runs recorded before manifests said so.
    """

    name: PartName
    version: int = Field(ge=1)
    depth: int = Field(ge=1)
    measures: tuple[Text, ...] = ()
    parts: tuple[PartName, ...] | None = None
    exclude_own_document: bool = False


class Method(Record):
    """The card of the row, as it was given; absolute paths are cut to their last names."""

    card: Card

    @field_validator("card", mode="before")
    @classmethod
    def _in_todays_schema(cls, card: Any) -> Any:
        return migrated("card", card, "the card") if isinstance(card, Mapping) else card

    @field_serializer("card")
    def _as_given(self, card: Card) -> dict[str, Any]:
        return card.model_dump(mode="json", exclude_defaults=True)


class Implementation(Record):
    """``versions``, ``inputs`` and ``files`` identify the run, see ``.identity``; ``git`` and ``source`` are evidence.

    ``inputs``: digests of model files and generated texts, or of the files that a submission came as.
    ``source``: digests of the adapter's file and of all files of this project that it imports.
    """

    versions: dict[Text, int] | None = None
    inputs: dict[Text, Text] = Field(default_factory=dict)
    files: dict[Text, Text] = Field(default_factory=dict)
    git: Git = Git()
    source: dict[Text, Text] = Field(default_factory=dict)


class Manifest(Record):
    """What produced a run. Two runs are the same where ``harness.runs.identity`` says so, whatever else differs here."""

    schema_version: Literal[2]
    tag: Name
    track: TrackRecord
    method: Method
    data: dict[PartName, PartRecord]
    implementation: Implementation
    platform: Platform
    execution: Execution

    @property
    def card(self) -> Card:
        return self.method.card

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever reads the row should know of how it was made, such as texts that were cut."""
        return self.execution.notes

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of the rows whose runs this one stands on."""
        return tuple(dict.fromkeys(name for part in self.data.values() for name in part.rows))

    @property
    def is_made_here(self) -> bool:
        return self.execution.provenance != RUN_FILES


def write_manifest(folder: Path, manifest: Manifest) -> None:
    write_together([(folder / FILE_NAME, manifest_bytes(manifest))])


def manifest_bytes(manifest: Manifest) -> bytes:
    return yaml_text(manifest.model_dump(mode="json", by_alias=True, exclude_defaults=True)).encode("utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Raises ``InvalidInput`` when there is no manifest or it is invalid."""
    path = folder / FILE_NAME
    check_no_links(folder)
    try:
        content = parsed_yaml(path)
    except WrongUsage:
        raise InvalidInput(f"{folder} has no {FILE_NAME}; `xdr run` writes one") from None
    return checked(Manifest, migrated("manifest", content, str(path)), str(path))


def check_no_links(folder: Path) -> None:
    """Raise ``InvalidInput`` when a run's folder or a file in it is a symbolic link.

    A submitted link could lead a reader, or the score file that is written beside the run, to any place of this machine.
    """
    paths = [folder, *sorted(folder.iterdir())] if folder.is_dir() else []
    links = [path.name for path in paths if path.is_symlink()]
    if links:
        findings = [
            Finding("error", name, "a symbolic link", "a file of its own", "copy what it leads to") for name in links
        ]
        raise InvalidInput(f"{folder} is not a run's folder", findings)


def run_file(folder: Path, part: str) -> Path:
    return folder / f"{part}.trec.gz"
