"""Questions that somebody else perturbed: read from a file that the recipe names by its digest."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from harness.collections import load
from harness.errors import InvalidInput


def recorded(folder: Path, rows: list[dict[str, object]], name: str = "texts.jsonl", digest: str = "") -> str:
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    data = gzip.compress(data) if name.endswith(".gz") else data
    (folder / name).write_bytes(data)
    (folder / "own.toml").write_text(
        'schema_version = 1\ntitle = "Paraphrased"\nside = "queries"\nkind = "recorded"\n'
        f'texts = "{name}"\nsha256 = "{digest or hashlib.sha256(data).hexdigest()}"\n'
    )
    return f"perturbed({folder}/own.toml,seed=SEED):xdr-mini/fi"


@pytest.mark.parametrize("name", ["texts.jsonl", "texts.jsonl.gz"])
def test_recorded_texts_stand_in_place_of_the_questions_that_they_name(tmp_path: Path, name: str) -> None:
    rows: list[dict[str, object]] = [
        {"lang": "fin", "query_id": "fi-001", "text": "Mikä myrsky?", "model": "somebody"},
        {"lang": "fi", "query_id": "fi-002", "text": "Montako lentoa?"},
        {"lang": "fi", "query_id": "fi-001", "text": "Mikä tuuli?", "seed": 2},
        {"lang": "te", "query_id": "fi-003", "text": "of another language"},
    ]
    dataset_id, clean = recorded(tmp_path, rows, name), load("xdr-mini/fi")
    one, two = (load(dataset_id.replace("SEED", seed)) for seed in ("1", "2"))
    assert (one.query("fi-001").text, two.query("fi-001").text) == ("Mikä myrsky?", "Mikä tuuli?")
    assert [q.text for q in one.queries[2:]] == [q.text for q in clean.queries[2:]]
    assert (one.qrels, one.answers) == (clean.qrels, clean.answers)
    assert "2 changed, 0 unchanged, 78 refused (no text of seed 1 is recorded: 78)" in one.remarks[0].what
    with pytest.raises(InvalidInput, match="no text of seed 3 is recorded: 80"):
        _ = load(dataset_id.replace("SEED", "3")).queries


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"lang": "fi", "query_id": "fi-001"}, "no text 'text'"),
        ({"lang": "fi", "query_id": "fi-001", "text": " "}, "'text' is blank"),
        ({"lang": "fi", "query_id": "fi-001", "text": "a", "seed": "1"}, "'seed' is no whole number"),
        ({"lang": "fi", "query_id": "fi-000", "text": "b"}, "a second text of question fi-000 in fi, seed 1"),
        ({"lang": "fi", "text": "b"}, "no 'query_id'"),
    ],
)
def test_a_bad_row_is_told_by_its_line(tmp_path: Path, row: dict[str, object], message: str) -> None:
    rows = [{"lang": "fi", "query_id": "fi-000", "text": "a"}, row]
    with pytest.raises(InvalidInput) as refused:
        _ = load(recorded(tmp_path, rows).replace("SEED", "1")).queries
    assert f"texts.jsonl:2: {message}" in str(refused.value)


def test_another_file_than_the_one_that_was_named_is_refused(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"lang": "fi", "query_id": "fi-001", "text": "a"}]
    dataset_id = recorded(tmp_path, rows, digest="0" * 64).replace("SEED", "1")
    with pytest.raises(InvalidInput, match="is not the file that the recipe beside it was made for"):
        _ = load(dataset_id).queries
    (tmp_path / "texts.jsonl").unlink()
    with pytest.raises(InvalidInput, match="is not there"):
        _ = load(dataset_id).queries
