"""The manifest beside a file of rows: what they were made of, and of which collections their questions are.

``questions_of`` tells whoever trains on the rows whether they are made of a track's questions, which training drops, and for
which tracks a model that learned of their passages is to be had (a recipe's ``transductive``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from harness.errors import Finding, InvalidInput, WrongUsage
from harness.files.toml_records import Record, checked
from harness.files.writing import sha256_of_file, write_text
from harness.files.yaml_records import parsed_yaml, yaml_text


class RowsManifest(Record):
    """``key``: SHA-256 of ``description``, all that the rows depend on; ``files``: SHA-256 of what was written, by name.

    ``questions_of``: ids of the collections that the questions are from. ``counts``: of questions, rows and labels, by
    language.
    """

    schema_version: Literal[1]
    key: str
    rows: int
    files: dict[str, str]
    questions_of: tuple[str, ...]
    counts: dict[str, Any]
    description: dict[str, Any]


def manifest_beside(rows: Path) -> Path:
    """
    >>> manifest_beside(Path("mined/rows.jsonl.gz")).as_posix()
    'mined/rows.manifest.yaml'
    """
    return rows.with_name(rows.name.removesuffix(".gz").removesuffix(".jsonl") + ".manifest.yaml")


def check_manifest_is_free(rows: Path) -> None:
    """Raises ``WrongUsage`` where the manifest of a file that is still to come is that of another, as of ``rows.jsonl.gz``."""
    path = manifest_beside(rows)
    if path.is_file() and rows.name not in (named := checked(RowsManifest, parsed_yaml(path), str(path)).files):
        raise WrongUsage(
            f"{path} is there already and describes {', '.join(named)}; remove it, or choose another name than {rows.name}"
        )


def write_manifest(manifest: RowsManifest, rows: Path) -> None:
    write_text(manifest_beside(rows), yaml_text(manifest.model_dump(mode="json")))


def read_manifest(rows: Path) -> RowsManifest | None:
    """The manifest of a file of rows; None where there is none, as beside rows of other programs.

    Raises ``InvalidInput`` where it is faulty, or the file is not the one that it describes.
    """
    path = manifest_beside(rows)
    if not path.is_file():
        return None
    manifest = checked(RowsManifest, parsed_yaml(path), str(path))
    if (expected := manifest.files.get(rows.name)) != (found := sha256_of_file(rows)):
        finding = Finding(
            "error", rows.name, f"its digest is {found[:16]}...", f"{expected or 'no such file'!s:.16}..."
        )
        raise InvalidInput(f"{rows} is not the file that {path.name} describes; make it again", [finding])
    return manifest
