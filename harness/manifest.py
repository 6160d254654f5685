"""The manifest of a run: everything that produced it, in YAML, under ir_metadata's names where it has them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.config import Record, checked
from harness.errors import InvalidInput
from harness.files import write_text
from harness.migrations import CURRENT, migrated

SCHEMA_VERSION = CURRENT["manifest"]
FILE_NAME = "manifest.yaml"
MAX_BYTES = 4 << 20
RUN_FILES = "submitted run files, not made here"
"""The provenance of a run that came as finished files: there is nothing in it that could be run again."""


class PartRecord(Record):
    """One part of the run: what was searched, and the digest of the uncompressed run file."""

    dataset: str
    lang: str
    docs: str
    queries: str
    query_count: int
    ranking: str


class Manifest(Record):
    """``reuse`` holds two digests: ``inputs`` of all that defines the run, ``environment`` of what may move its bytes."""

    schema_version: int
    tag: str
    track: dict[str, Any]
    method: dict[str, Any]
    data: dict[str, PartRecord]
    implementation: dict[str, Any]
    platform: dict[str, Any]
    execution: dict[str, Any]
    reuse: dict[str, str]

    @property
    def card(self) -> dict[str, Any]:
        return migrated("card", self.method["card"], f"manifest of {self.tag}, card")

    @property
    def is_made_here(self) -> bool:
        return self.execution.get("provenance") != RUN_FILES


def digest_of(value: Any) -> str:
    """SHA-256 of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


_ABSOLUTE = re.compile(r"^((?:(?:folder|squad)(?:\([a-z-]+\))?:)?)/(?:.*/)?([^/]+)/?$")


def without_absolute_paths(value: Any) -> Any:
    """The value with every text that is an absolute path cut to its last name: a manifest tells nothing of a machine.

    >>> without_absolute_paths({"model": "/home/someone/encoder", "alpha": 0.1})
    {'model': 'encoder', 'alpha': 0.1}
    """
    if isinstance(value, Mapping):
        return {key: without_absolute_paths(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_absolute_paths(item) for item in value]
    return _ABSOLUTE.sub(r"\1\2", value) if isinstance(value, str) else value


def write_manifest(folder: Path, manifest: Manifest) -> None:
    text = yaml.safe_dump(manifest.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)
    write_text(folder / FILE_NAME, text)


def read_manifest(folder: Path) -> Manifest:
    """Raises ``InvalidInput`` when there is no manifest or it is not in order."""
    path = folder / FILE_NAME
    if not path.is_file():
        raise InvalidInput(f"{folder} has no {FILE_NAME}; `xdr run` writes one")
    return checked(Manifest, migrated("manifest", parsed_yaml(path), str(path)), str(path))


def parsed_yaml(path: Path) -> dict[str, Any]:
    """The keys of a YAML file of ours. Raises ``InvalidInput`` when it cannot be read or holds no keys."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InvalidInput(f"{path} is larger than {MAX_BYTES} bytes, which no {path.stem} is")
        content = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"{path} is not a YAML file: {error}") from error
    if not isinstance(content, Mapping):
        raise InvalidInput(f"{path} is not a {path.stem}: it holds no keys")
    return dict(content)


def run_file(folder: Path, part: str) -> Path:
    return folder / f"{part}.trec.gz"
