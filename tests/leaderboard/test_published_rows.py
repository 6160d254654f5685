"""Published files of JSON lines: each fault is told by file and line, a lone surrogate (half of a UTF-16 pair) among them.

No page could be written with such a text, so its reader refuses it.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.collections import load, mkqa, mr_tydi, xor_tydi
from harness.collections.formats.json_rows import made_of_rows, text_of, texts_of
from harness.collections.view import Collection
from harness.errors import InvalidInput

HALF = "\ud83d"
XOR_ROW = {"id": "1", "question": "何?", "lang": "ja", "answers": ["Rome"]}
MKQA_ROW = {
    "example_id": 5,
    "queries": {name: f"{name}?" for name in mkqa._NAMES.values()},
    "answers": {"en": [{"type": "entity", "text": "Rome", "aliases": ["Roma"]}]},
}
MR_TYDI_ROW = {"id": "1#0", "contents": "Simba."}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_registry: None) -> Iterator[Path]:
    """An empty cache, where a file of XOR-TyDi is whatever a test puts there; nothing stays of what was read."""
    data = tmp_path / "home" / "data"
    caches = [xor_tydi._rows, mkqa._rows, mr_tydi._docs]
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(xor_tydi, "verified_path", lambda name: data / name)
    for cache in caches:
        cache.cache_clear()
    yield data
    for cache in caches:
        cache.cache_clear()


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(data)


def tar(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def read_xor_tydi(home: Path, lines: bytes) -> object:
    write(home / "xor-tydi/xor_dev_retrieve_eng_span_v1_1.jsonl", lines)
    collection = load("xor-tydi/dev/ja")
    return collection.queries, collection.answers


def read_mkqa(home: Path, lines: bytes) -> object:
    write(home / "mkqa/mkqa.jsonl.gz", gzip.compress(lines))
    collection = load("mkqa/ja")
    return collection.queries, collection.answers


def read_mr_tydi(home: Path, lines: bytes) -> object:
    packed = tar("mrtydi-v1.1-swahili/collection/docs.jsonl.gz", gzip.compress(lines))
    write(home / "mr-tydi-v1.1/mrtydi-v1.1-swahili.tar.gz", packed)
    return list(load("mr-tydi-v1.1/sw/test").docs)


READERS = {
    "xor-tydi": (read_xor_tydi, XOR_ROW, "xor_dev_retrieve_eng_span_v1_1.jsonl", "XOR-TyDi"),
    "mkqa": (read_mkqa, MKQA_ROW, "mkqa.jsonl.gz", "MKQA"),
    "mr-tydi": (read_mr_tydi, MR_TYDI_ROW, "docs.jsonl.gz", "Mr. TyDi"),
}


def lines_of(*rows: object) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def halved(value: Any) -> Iterator[Any]:
    """The value with a lone surrogate at the end of one of its texts, for every text in it."""
    if isinstance(value, str):
        yield value + HALF
    elif isinstance(value, dict):
        yield from ({**value, key: other} for key in value for other in halved(value[key]))
    elif isinstance(value, list):
        yield from ([*value[:i], other, *value[i + 1 :]] for i in range(len(value)) for other in halved(value[i]))


CASES = [
    pytest.param(name, other, id=f"{name}-{number}")
    for name, (_, row, _, _) in READERS.items()
    # Of MKQA's 26 questions the first two stand for all.
    for number, other in enumerate([*list(halved(row))[:2], *list(halved(row))[-2:]])
]


@pytest.mark.parametrize(("name", "other"), CASES)
def test_half_a_character_in_a_text_is_refused_by_file_and_line(name: str, other: object, home: Path) -> None:
    read, row, file, collection = READERS[name]
    with pytest.raises(InvalidInput) as caught:
        read(home, lines_of(row, other))
    (finding,) = caught.value.findings
    assert caught.value.message.endswith(f"is not in {collection}'s format")
    assert finding.where.endswith(f"{file}:2")
    assert "a lone surrogate (half of a UTF-16 pair, \\ud83d)" in finding.what


@pytest.mark.parametrize("name", READERS)
def test_blank_lines_do_not_count_as_rows_but_as_lines(name: str, home: Path) -> None:
    read, row, file, _ = READERS[name]
    with pytest.raises(InvalidInput) as caught:
        read(home, lines_of(row) + b"\n \n" + b"[]\n")
    (finding,) = caught.value.findings
    assert (finding.where.rpartition("/")[2], finding.what) == (f"{file}:4", "not a JSON object")


@pytest.mark.parametrize("name", READERS)
def test_rows_in_order_are_read(name: str, home: Path) -> None:
    read, row, _, _ = READERS[name]
    found = str(read(home, lines_of(row)))
    assert ("Simba." if name == "mr-tydi" else "Rome") in found


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"no json", "Expecting value"),
        (b"3", "not a JSON object"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b'{"a": "x"}', "no list of texts 'b'"),
        (b'{"b": []}', "no text 'a'"),
        (b'{"a": 1, "b": []}', "'a' is a number; expected a text"),
        (b'{"a": "x", "b": "y"}', "no list of texts 'b'"),
        (b'{"a": "x", "b": [null]}', "no list of texts 'b'"),
        (b'{"a": "x", "a": "x", "b": []}', "the key 'a' is a duplicate"),
        (b'{"a": "x", "b": [], "c": NaN}', "NaN is not a number"),
        (b"[" * 100_000, "deep in each other"),
    ],
    ids=["text", "number", "bytes", "no key b", "no key a", "no text", "no list", "null", "twice", "nan", "deep"],
)
def test_a_row_of_another_shape_is_named_by_its_line(line: bytes, told: str) -> None:
    good = b'{"a": "x", "b": ["y", "z"]}'
    rows = made_of_rows([good, b"\n", line], "file", "Toy", lambda row: (text_of(row, "a"), texts_of(row, "b")))
    assert next(rows) == ("x", ("y", "z"))
    with pytest.raises(InvalidInput, match="file is not in Toy's format") as caught:
        next(rows)
    (finding,) = caught.value.findings
    assert finding.where == "file:3"
    assert told in finding.what


def test_a_question_of_ir_datasets_with_half_a_character_is_refused_by_its_id() -> None:
    def collection(*texts: str) -> Collection:
        asked = [SimpleNamespace(query_id=f"q{n}", text=text) for n, text in enumerate(texts)]
        return Collection(
            "foreign/set",
            SimpleNamespace(has_queries=lambda: True, queries_lang=lambda: "fa", queries_iter=lambda: asked),
        )

    assert [query.text for query in collection("one", "two").queries] == ["one", "two"]
    with pytest.raises(InvalidInput, match=r"question 'q1' holds a lone surrogate \(half of a UTF-16 pair\)"):
        _ = collection("one", HALF).queries
