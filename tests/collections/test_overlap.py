"""Training questions that are, or nearly are, questions of a track."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.collections.view import load
from harness.errors import InvalidInput, WrongUsage
from harness.recipes.overlap import overlap_with_track, read_questions
from harness.recipes.rows import Passage, Row, write_rows, write_rows_by_id


def test_equal_and_nearly_equal_questions_are_found_with_their_lines(tmp_path: Path) -> None:
    one, two = load("xdr-mini/fi").queries[3], load("xdr-mini/ru").queries[5]
    lines = ["Aivan muu kysymys kuin mikään noista muista?", f"  {one.text.upper()} !", two.text[:-1] + "х?"]
    path = tmp_path / "train.txt"
    path.write_text("\n\n".join(lines), "utf-8")
    found = {(hit.line, hit.part, hit.query_id): hit for hit in overlap_with_track(path, "mini")}
    assert {line for line, _, _ in found} == {3, 5}
    assert found[3, "fi", one.query_id].similarity == 1
    assert found[3, "fi", one.query_id].text == lines[1]
    assert 0.8 < found[5, "ru", two.query_id].similarity < 1


def test_unrelated_questions_are_not_found(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_text("Who is the owner of the blue bicycle?\n", "utf-8")
    assert overlap_with_track(path, "mini") == []


def test_an_empty_file_has_no_overlap(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_text("\n \n", "utf-8")
    assert overlap_with_track(path, "mini") == []


@pytest.mark.parametrize("by_id", [False, True])
def test_rows_to_train_on_are_read_as_they_are_written(tmp_path: Path, by_id: bool) -> None:
    rows = [Row("1", "mikä on Volga?", (Passage("d", "", "x"),)), Row("2", "mikä?", (Passage("d", "", "x"),))]
    path = tmp_path / "rows.jsonl.gz"
    if by_id:
        write_rows_by_id(path, tmp_path / "corpus.jsonl", rows)
    else:
        write_rows(path, rows)
    assert read_questions(path) == [(1, "mikä on Volga?"), (2, "mikä?")]


def test_questions_are_read_from_text_and_from_json_lines(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\ntwo", "utf-8")
    rows = [{"question": "one"}, {"query": "two", "id": 7}, {"text": "three", "question": None}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    assert read_questions(tmp_path / "a.txt") == [(1, "one"), (3, "two")]
    assert read_questions(tmp_path / "a.jsonl") == [(1, "one"), (2, "two"), (3, "three")]


@pytest.mark.parametrize("line", ["[]", "{", '{"title": "x"}', '{"question": 3}', "7", "null"])
def test_a_line_without_a_question_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n' + line, "utf-8")
    with pytest.raises(InvalidInput, match=r"a\.jsonl:2"):
        read_questions(tmp_path / "a.jsonl")


def test_what_is_no_utf8_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"ok\n\xff")
    with pytest.raises(InvalidInput, match="not UTF-8"):
        read_questions(tmp_path / "a.txt")
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(WrongUsage, match=r"no file|a folder, not a file"):
            read_questions(path)
