"""The manifest of generated text: all that it depends on, what was counted, and the hashes of its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from harness.files.toml_records import Record, checked
from harness.files.yaml_records import parsed_yaml, yaml_text

MANIFEST = "manifest.yaml"


class GenerationManifest(Record):
    """``description``: recipe, digest of the passages, model, libraries; ``key`` is its SHA-256, which every line's source has.

    ``counts``: of prompts, outputs and texts, and of each change that was made to an output.
    """

    schema_version: Literal[1]
    key: str
    collection: str
    passages: int
    counts: dict[str, int]
    files: dict[str, str]
    description: dict[str, Any]


def manifest_beside(file: Path) -> Path:
    return file.with_suffix(f".{MANIFEST}")


def written_manifest(manifest: GenerationManifest) -> str:
    return yaml_text(manifest.model_dump(mode="json"))


def read_manifest(path: Path) -> GenerationManifest:
    return checked(GenerationManifest, parsed_yaml(path), str(path))
