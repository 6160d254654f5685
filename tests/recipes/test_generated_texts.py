"""Generated-text files: read with all faults at once, chosen by language and number, shuffled as a control."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InvalidInput, WrongUsage
from harness.recipes.generate.texts import Choice, GeneratedText, by_document, read_generated

ROWS = [
    {"doc_id": doc_id, "lang": lang, "text": f"{doc_id} {lang} {number}", "source": "test"}
    for number in range(3)
    for lang in ("ja", "ar", "fi")
    for doc_id in ("d2", "d1")
]


def written(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def chosen(doc_ids: tuple[str, ...] = ("d1", "d2"), **choice: Any) -> dict[str, list[str]]:
    texts = [GeneratedText(**row) for row in ROWS]
    return dict(by_document(texts, Choice(**{"languages": (), "per_language": 3, "shuffled": False} | choice), doc_ids))


def test_texts_come_back_plain_and_gzipped(tmp_path: Path) -> None:
    path = written(tmp_path / "g.jsonl", [*ROWS, "\n"])
    zipped = tmp_path / "g.jsonl.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    expected = [tuple(row.values()) for row in ROWS]
    assert [tuple(text) for text in read_generated(path)] == expected
    assert [tuple(text) for text in read_generated(zipped)] == expected


def test_every_fault_of_a_file_is_named_with_its_line(tmp_path: Path) -> None:
    faulty = [{"doc_id": "d1", "lang": "ar", "text": "x"}, "{not json\n", "[1]\n", "7\n", {**ROWS[0], "text": 3}]
    path = written(tmp_path / "g.jsonl", [ROWS[0], *faulty])
    with pytest.raises(InvalidInput) as caught:
        read_generated(path)
    assert [finding.where for finding in caught.value.findings] == [f"g.jsonl:{n}" for n in range(2, 7)]
    assert "source" in caught.value.findings[0].what


def test_more_texts_than_any_passage_has_are_refused_by_language() -> None:
    texts = [GeneratedText(**row) for row in ROWS if row["lang"] != "fi" or row["text"].endswith("0")]
    with pytest.raises(InvalidInput, match=r"per_language = 3, but no passage has more generated texts than 1 in fi$"):
        by_document(texts, Choice((), 3, False), ("d1", "d2"))
    with pytest.raises(InvalidInput, match=r"than 3 in ar, 1 in fi, 3 in ja$"):
        by_document(texts, Choice((), 4, False), ("d1", "d2"))
    # One passage that has them is enough: how many others lack is counted, and a sum over unequal numbers refused.
    more = [*texts, *(GeneratedText("d1", "fi", f"more {n}", "test") for n in range(2))]
    assert {doc: len(found) for doc, found in by_document(more, Choice(("fi",), 3, False), ("d1", "d2")).items()} == {
        "d1": 3,
        "d2": 1,
    }


def test_a_missing_file_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="no generated-text file"):
        read_generated(tmp_path / "none.jsonl")


def test_texts_are_ordered_by_language_then_as_in_the_file() -> None:
    expected = [f"d1 {lang} {n}" for lang in ("ar", "fi", "ja") for n in range(3)]
    assert chosen()["d1"] == expected


def test_languages_and_their_number_are_chosen() -> None:
    assert chosen(languages=("ja", "ar"), per_language=2)["d2"] == ["d2 ar 0", "d2 ar 1", "d2 ja 0", "d2 ja 1"]
    assert chosen(languages=("fi",), per_language=1) == {"d1": ["d1 fi 0"], "d2": ["d2 fi 0"]}


def test_a_language_named_twice_counts_once() -> None:
    assert chosen(languages=("fi", "fi"), per_language=1)["d1"] == ["d1 fi 0"]


def test_no_texts_at_all_may_be_chosen() -> None:
    assert chosen(per_language=0) == {"d1": [], "d2": []}


def test_a_document_without_texts_has_an_empty_list() -> None:
    assert chosen(("d1", "d2", "d3"))["d3"] == []


def test_texts_of_unknown_documents_are_refused() -> None:
    with pytest.raises(InvalidInput, match="1 unknown passages, first 'd2'"):
        chosen(("d1",))


def test_a_language_without_texts_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"in ko, te; the file has ar, fi, ja"):
        chosen(languages=("ar", "te", "ko"))


@given(st.sets(st.text(min_size=1, max_size=4), min_size=2, max_size=20))
def test_shuffled_texts_are_a_permutation_that_leaves_nobody_its_own(doc_ids: set[str]) -> None:
    texts = [GeneratedText(doc_id, "ar", f"of {doc_id}", "test") for doc_id in sorted(doc_ids)]
    shuffled = by_document(texts, Choice((), 1, True), doc_ids)
    assert sorted(text for own in shuffled.values() for text in own) == sorted(text.text for text in texts)
    assert all(shuffled[doc_id] != [f"of {doc_id}"] for doc_id in doc_ids)
    assert shuffled == by_document(texts[::-1], Choice((), 1, True), sorted(doc_ids)[::-1])


def test_one_passage_alone_cannot_be_shuffled() -> None:
    with pytest.raises(InvalidInput, match="two passages"):
        by_document([GeneratedText("d1", "ar", "x", "test")], Choice((), 1, True), ["d1"])
