"""Folders and SQuAD files may be edited between two loads, in one process; what did not change is not read again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import ir_datasets
import pytest

import harness  # noqa: F401 - registers our collections
from harness.collections import load
from harness.files import stamps


def folder(path: Path, text: str) -> str:
    path.mkdir(exist_ok=True)
    (path / "docs.jsonl").write_text(json.dumps({"doc_id": "d1", "text": text}) + "\n")
    (path / "queries.jsonl").write_text(json.dumps({"query_id": "q1", "text": f"{text}?", "lang": "fi"}) + "\n")
    (path / "qrels.txt").write_text("q1 0 d1 1\n")
    return f"folder(fi):{path}"


def squad(path: Path, text: str) -> str:
    question = {"id": "q1", "question": f"{text}?", "answers": [{"text": text, "answer_start": 0}]}
    content = {"data": [{"title": "T", "paragraphs": [{"context": text, "qas": [question]}]}]}
    path.mkdir(exist_ok=True)
    (path / "squad.json").write_text(json.dumps(content))
    return f"squad(fi):{path / 'squad.json'}"


@pytest.mark.parametrize("write", [folder, squad])
def test_an_edited_file_is_read_again_even_if_size_and_time_are_as_before(
    tmp_path: Path, write: Callable[[Path, str], str]
) -> None:
    dataset_id = write(tmp_path / "data", "one")
    stamps = {path: path.stat() for path in (tmp_path / "data").iterdir()}
    before = load(dataset_id)
    assert [query.text for query in before.queries] == ["one?"]
    registered = ir_datasets.load(dataset_id)
    assert [doc.text for doc in registered.docs_iter()] == ["one"]
    digests = before.digests

    write(tmp_path / "data", "two")
    for path, status in stamps.items():
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = load(dataset_id)
    assert [doc.text for doc in after.docs] == ["two"]
    assert [query.text for query in after.queries] == ["two?"]
    assert after.digests.docs != digests.docs
    assert after.digests.queries != digests.queries
    assert [doc.text for doc in registered.docs_iter()] == ["two"]
    assert [query.text for query in ir_datasets.load(dataset_id).queries_iter()] == ["two?"]
    assert before.digests == digests, "what was read is kept as it was"


@pytest.mark.parametrize("write", [folder, squad])
def test_what_has_not_changed_for_a_while_is_kept(
    tmp_path: Path, write: Callable[[Path, str], str], settled: None
) -> None:
    dataset_id = write(tmp_path / "data", "one")
    assert load(dataset_id) is load(dataset_id)
    assert load(dataset_id).docs is load(dataset_id).docs


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every file had been changed long ago."""
    monkeypatch.setattr(stamps, "SETTLED_NS", -(10**9))


def test_a_folder_that_gains_a_file_has_it(tmp_path: Path, settled: None) -> None:
    dataset_id = folder(tmp_path / "data", "one")
    assert load(dataset_id).answers is None
    (tmp_path / "data" / "answers.jsonl").write_text('{"query_id": "q1", "answers": ["one"]}\n')
    assert load(dataset_id).answers == {"q1": ("one",)}


def test_languages_of_one_folder_share_what_is_read_of_it(tmp_path: Path, settled: None) -> None:
    """Passages are in memory once, however many languages ask them, until a file changes."""
    folder(tmp_path / "data", "one")
    rows = [("q1", "fi"), ("q2", "ja"), ("q3", "fi")]
    lines = [json.dumps({"query_id": name, "text": name, "lang": lang}) for name, lang in rows]
    (tmp_path / "data/queries.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "data/qrels.txt").write_text("q3 0 d1 1\nq2 0 d1 1\nq1 0 d1 1\n")
    answers = [json.dumps({"query_id": name, "answers": [name]}) for name in ("q2", "q3", "nobody", "q1")]
    (tmp_path / "data/answers.jsonl").write_text("\n".join(answers) + "\n")
    fi, ja = (load(f"folder({lang}):{tmp_path / 'data'}") for lang in ("fi", "ja"))
    assert fi.docs is ja.docs
    assert list(fi.qrels or {}) == ["q3", "q1"]
    assert list(ja.qrels or {}) == ["q2"]
    assert [row.query_id for row in fi.dataset.answers_iter()] == ["q3", "nobody", "q1"]
    assert [row.query_id for row in ja.dataset.answers_iter()] == ["q2", "nobody"]
    assert [row.query_id for row in load(f"folder:{tmp_path / 'data'}").dataset.answers_iter()] == [
        "q2",
        "q3",
        "nobody",
        "q1",
    ]
    (tmp_path / "data/docs.jsonl").write_text(json.dumps({"doc_id": "d1", "text": "another"}) + "\n")
    assert [doc.text for doc in load(f"folder(fi):{tmp_path / 'data'}").docs] == ["another"]
