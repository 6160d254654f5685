from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.adapters.card import Card
from harness.errors import InvalidInput
from harness.files.limits import RECORD_BYTES
from harness.files.yaml_records import digest_of
from harness.runs.manifest import (
    FILE_NAME,
    Implementation,
    Manifest,
    Method,
    PartRecord,
    TrackRecord,
    read_manifest,
    write_manifest,
)
from harness.runs.provenance import Execution, Platform, Software, Stage

PART = PartRecord(dataset="xquad/ar", lang="ar", docs="d" * 64, queries="q" * 64, query_count=2, ranking="r" * 64)
CARD = Card(
    schema_version=1,
    name="mine",
    title="Ёж",
    adapter="dummy",
    parameters={"k1": 0.9, "words": ["yes", "no", "1e3", "null"]},
)
MANIFEST = Manifest(
    schema_version=2,
    tag="mine",
    track=TrackRecord(name="mini", version=1, depth=30),
    method=Method(card=CARD),
    data={"ar": PART},
    implementation=Implementation(versions={"adapter": 1}, source={"systems/dummy.py": "0" * 64}),
    platform=Platform(software=Software(python="3.11")),
    execution=Execution(seed=42, device="cpu", isolation="none", stages=(Stage(name="search", seconds=0.25),)),
)


def test_a_manifest_reads_back_as_it_was_written(tmp_path: Path) -> None:
    write_manifest(tmp_path, MANIFEST)
    assert read_manifest(tmp_path) == MANIFEST
    assert MANIFEST.card.title == "Ёж"


def test_writing_twice_gives_equal_bytes_in_the_order_of_the_record(tmp_path: Path) -> None:
    write_manifest(tmp_path, MANIFEST)
    first = (tmp_path / FILE_NAME).read_bytes()
    write_manifest(tmp_path, read_manifest(tmp_path))
    assert (tmp_path / FILE_NAME).read_bytes() == first
    assert list(yaml.safe_load(first)) == list(Manifest.model_fields)


def test_a_missing_manifest_says_what_writes_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"has no manifest\.yaml; `xdr run` writes one"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe", b"!!python/object/apply:os.getcwd []", b"[" * 2_000])
def test_what_is_no_yaml_says_so_and_runs_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(InvalidInput, match="is not a YAML file"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", ["", "- a\n", "just words\n"])
def test_yaml_without_keys_is_no_manifest(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    with pytest.raises(InvalidInput, match="is not a manifest: it holds no keys"):
        read_manifest(tmp_path)


def test_a_file_too_large_for_a_manifest_is_not_read(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"#" * (RECORD_BYTES + 1))
    with pytest.raises(InvalidInput, match=r"too large; expected at most 1\.0 MB"):
        read_manifest(tmp_path)


def test_all_faults_of_a_manifest_are_in_one_report(tmp_path: Path) -> None:
    content: dict[str, Any] = MANIFEST.model_dump(mode="json")
    content["tga"] = content.pop("tag")
    content["data"]["ar"]["rankin"] = content["data"]["ar"].pop("ranking")
    content["schema_version"] = "one"
    (tmp_path / FILE_NAME).write_text(yaml.safe_dump(content))
    with pytest.raises(InvalidInput) as caught:
        read_manifest(tmp_path)
    told = str(caught.value)
    assert "tga: unknown key; did you mean 'tag'?" in told
    assert "tag: missing" in told
    assert "data.ar.rankin: unknown key; did you mean 'ranking'?" in told
    assert "schema_version: 'one'" in told


def test_a_digest_is_of_the_value_not_of_the_order_of_its_keys() -> None:
    assert digest_of({"a": 1, "b": ["x", "é"]}) == digest_of({"b": ["x", "é"], "a": 1})
    values = [{"a": 1}, {"a": "1"}, {"a": [1]}, {"b": 1}, {"a": None}, {"a": 1, "b": 1}, [1, 2], [2, 1], {"a": True}]
    assert len({digest_of(value) for value in values}) == len(values)
