"""Collections that are read from archives or in formats of their own: tiny files in the real formats, and the real files."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from contracts import keeps

from harness.collections import from_ir_datasets, load, mkqa, mlqa, mr_tydi, paws_x, tydiqa_goldp
from harness.collections.conformance import conformance_tests
from harness.errors import InvalidInput
from harness.records import Doc


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_registry: None) -> Iterator[Path]:
    """A cache of its own, and no memory of what was read before or will be read after."""
    caches = [
        mkqa._rows,
        mlqa._file,
        mlqa._read,
        mlqa._docs,
        mr_tydi._docs,
        paws_x._rows,
        paws_x.task_of,
        paws_x._docs,
    ]
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    for cache in caches:
        cache.cache_clear()
    yield tmp_path / "home" / "data"
    for cache in caches:
        cache.cache_clear()


def placed(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def squad(*paragraphs: tuple[str, str, list[str]]) -> bytes:
    """One article per paragraph: (title, context, ids of questions)."""
    data = [
        {
            "title": title,
            "paragraphs": [
                {
                    "context": context,
                    "qas": [{"id": i, "question": f"{i}?", "answers": [{"text": i, "answer_start": 0}]} for i in ids],
                }
            ],
        }
        for title, context, ids in paragraphs
    ]
    return json.dumps({"data": data, "version": "1.0"}).encode()


# Mr. TyDi v1.1


def mr_tydi_files(**changed: bytes) -> dict[str, bytes]:
    docs = [{"id": "12#10", "contents": "Simba ni mnyama."}, {"id": "12#2", "contents": "Chai\n\nni kinywaji."}]
    lines = "".join(json.dumps(row) + "\n" for row in docs).encode()
    files = {
        "collection/docs.jsonl.gz": gzip.compress(lines),
        "topic.test.tsv": b"7\tSimba ni nini?\n9\tChai ni nini?\n",
        "qrels.test.txt": b"7 Q0 12#10 1\n9 Q0 12#2 1\n",
        "topic.dev.tsv": b"1\tdev?\n",
    }
    return {f"mrtydi-v1.1-swahili/{name}": changed.get(name, data) for name, data in files.items()}


def test_mr_tydi_is_read_from_the_tarball_of_its_language(home: Path) -> None:
    placed(home / "mr-tydi-v1.1/mrtydi-v1.1-swahili.tar.gz", tar(mr_tydi_files()))
    keeps(conformance_tests("mr-tydi-v1.1/sw/test"))
    collection = load("mr-tydi-v1.1/sw/test")
    assert list(collection.docs) == [Doc("12#10", "", "Simba ni mnyama."), Doc("12#2", "", "Chai\n\nni kinywaji.")]
    assert [(query.query_id, query.text, query.lang) for query in collection.queries] == [
        ("7", "Simba ni nini?", "sw"),
        ("9", "Chai ni nini?", "sw"),
    ]
    assert collection.qrels == {"7": {"12#10": 1}, "9": {"12#2": 1}}
    assert collection.answers is None
    assert [query.text for query in load("mr-tydi-v1.1/sw/dev").queries] == ["dev?"]
    with pytest.raises(InvalidInput, match=r"holds 0 files 'qrels\.dev\.txt'"):
        _ = load("mr-tydi-v1.1/sw/dev").qrels


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        (
            "collection/docs.jsonl.gz",
            gzip.compress(b'{"id": "1"}\n'),
            "docs.jsonl.gz:1: no text 'contents' in the object",
        ),
        ("topic.test.tsv", b"7 no tab\n", "1 lines that are not id, tab, question"),
        ("topic.test.tsv", b"7\t\xed\xa0\xbd\n", "topic.test.tsv is not UTF-8 (byte 2)"),
        ("qrels.test.txt", b"7 0\n", "qrels.test.txt:1: 2 columns"),
    ],
    ids=["docs", "topics", "bytes", "qrels"],
)
def test_faults_in_the_tarball_are_named(home: Path, name: str, data: bytes, told: str) -> None:
    placed(home / "mr-tydi-v1.1/mrtydi-v1.1-swahili.tar.gz", tar(mr_tydi_files(**{name: data})))
    collection = load("mr-tydi-v1.1/sw/test")
    with pytest.raises(InvalidInput) as caught:
        _ = collection.docs, collection.queries, collection.qrels
    assert told in str(caught.value)


def test_a_large_archive_is_not_fetched_unasked(home: Path) -> None:
    with pytest.raises(InvalidInput, match=r"mrtydi-v1\.1-thai\.tar\.gz \(about 110 MB\) is not in the cache"):
        _ = load("mr-tydi-v1.1/th/test").queries


# MLQA


def test_mlqa_asks_all_paragraphs_of_a_language_whoever_asks(home: Path) -> None:
    english = squad(("Tea", "Tea is a drink.", ["q1", "q2"]), ("Volga", "The Volga is a river.", ["q3"]))
    arabic = squad(("شاي", "The Volga is a river.", ["q3"]))
    files = {"test-context-en-question-en.json": english, "test-context-en-question-ar.json": arabic}
    archive = {f"MLQA_V1/test/{name}": data for name, data in files.items()}
    archive |= {f"__MACOSX/MLQA_V1/test/._{name}": b"?" for name in files}
    placed(home / "mlqa/MLQA_V1.zip", zipped(archive))
    keeps(conformance_tests("mlqa/ar"))
    asked, control = load("mlqa/ar"), load("mlqa/en")
    assert asked.docs is control.docs
    assert [doc.text for doc in asked.docs] == ["Tea is a drink.", "The Volga is a river."]
    assert asked.qrels == {"q3": {"Volga-0": 1}}, "found by its text, under the name it has among the passages"
    assert [(query.query_id, query.lang) for query in asked.queries] == [("q3", "ar")]
    assert control.answers == {i: (i,) for i in ("q1", "q2", "q3")}


def test_a_paragraph_that_is_not_among_the_passages_is_refused(home: Path) -> None:
    files = {"en": squad(("Tea", "Tea is a drink.", ["q1"])), "ar": squad(("Tea", "Coffee is a drink.", ["q1"]))}
    archive = {f"MLQA_V1/test/test-context-en-question-{lang}.json": data for lang, data in files.items()}
    placed(home / "mlqa/MLQA_V1.zip", zipped(archive))
    with pytest.raises(InvalidInput, match="1 paragraphs are not among the passages to search, first 'Tea-0'"):
        _ = load("mlqa/ar").queries


# MKQA


def mkqa_row(number: int, *answers: tuple[str, str, list[str]]) -> dict[str, object]:
    found = [{"type": kind, "text": text, "aliases": aliases} for kind, text, aliases in answers]
    queries = {lang.replace("-", "_"): f"who {number}" for lang in mkqa.LANGUAGES} | {"zh_cn": f"谁 {number}"}
    return {"example_id": number, "query": queries["en"], "queries": queries, "answers": {"en": found}}


def test_mkqa_keeps_the_questions_whose_answer_can_be_looked_up(home: Path) -> None:
    rows = [
        mkqa_row(-5, ("entity", "Ada Lovelace", ["Lovelace", "Ada Lovelace"])),
        mkqa_row(6, ("unanswerable", "", [])),
        mkqa_row(7, ("binary", "yes", [])),
        mkqa_row(8, ("long_answer", "", [])),
        mkqa_row(9, ("number", "12.0", ["12"]), ("date", "1912", [])),
    ]
    placed(home / "mkqa/mkqa.jsonl.gz", gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    keeps(conformance_tests("mkqa/zh-cn"))
    collection = load("mkqa/zh-cn")
    assert [tuple(query) for query in collection.queries] == [
        ("-5", "谁 -5", "zh-CN", "-5"),
        ("9", "谁 9", "zh-CN", "9"),
    ]
    assert collection.answers == {"-5": ("Ada Lovelace", "Lovelace"), "9": ("12.0", "12", "1912")}
    with pytest.raises(InvalidInput, match="has questions but no passages"):
        _ = collection.docs
    with pytest.raises(InvalidInput, match=r"psgs_w100\.tsv\.gz .* is not in the cache"):
        _ = load("mkqa-dpr-2018/ja").docs


@pytest.mark.parametrize(
    "data", [b"no gzip", gzip.compress(b"[]\n"), gzip.compress(b'{"answers": {}}\n')], ids=["text", "list", "no id"]
)
def test_a_file_that_is_not_mkqa_says_so(home: Path, data: bytes) -> None:
    placed(home / "mkqa/mkqa.jsonl.gz", data)
    with pytest.raises(InvalidInput, match="is not in MKQA's format"):
        _ = load("mkqa/ja").queries


def test_spanish_japanese_and_chinese_come_from_the_publishers_archive(home: Path) -> None:
    header = "id\tsentence1\tsentence2\tlabel\n"
    files = {"en": "1\tA b .\tB a .\t0\n", "es": "1\tUn a.\tUn b.\t0\n"}
    archive = {f"x-final/{lang}/dev_2k.tsv": (header + text).encode() for lang, text in files.items()}
    placed(home / "paws-x-archive/x-final.tar.gz", tar(archive))
    keeps(conformance_tests("paws-x/es"))
    collection = load("paws-x/es")
    assert [query.text for query in collection.queries] == ["Un a."]
    assert collection.qrels == {"1": {"1.1": 1, "1.2": 0}}


# TyDi QA gold passage

TYDI_SIZES = {
    "ar": (842, 921),
    "bn": (105, 113),
    "en": (429, 440),
    "fi": (634, 782),
    "id": (514, 565),
    "ko": (228, 276),
    "ru": (778, 812),
    "sw": (357, 499),
    "te": (601, 669),
}


@pytest.mark.usefixtures("imported_data")
@pytest.mark.parametrize("lang", tydiqa_goldp.LANGUAGES)
def test_the_real_gold_passages_are_distinct_and_one_is_relevant_to_each_question(lang: str) -> None:
    collection = load(f"tydiqa-goldp/{lang}")
    assert (len(collection.docs), len(collection.queries)) == TYDI_SIZES[lang]
    assert len({doc.text for doc in collection.docs}) == len(collection.docs)
    assert collection.qrels is not None
    assert {len(grades) for grades in collection.qrels.values()} == {1}
    assert {doc_id for grades in collection.qrels.values() for doc_id in grades} == set(collection.docs.ids)
    assert collection.answers is None


# Collections of ir_datasets' own


class Handler:
    """What is used of an ir_datasets docs handler."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def docs_namespace(self) -> str:
        return "made-up"

    def docs_path(self) -> Path:
        return self.path


def test_passages_of_ir_datasets_go_once_through_a_file_of_ours(home: Path, tmp_path: Path) -> None:
    handler = Handler(placed(tmp_path / "source", b"one"))
    rows = [Doc("b", "T", "ёж"), Doc("a", "", "tea\n")]
    reads = 0

    def read() -> Iterator[Doc]:
        nonlocal reads
        reads += 1
        yield from rows

    first = from_ir_datasets.docs("made-up/dev", handler, read)
    assert list(first) == sorted(rows)
    assert list(from_ir_datasets.docs("made-up/test", handler, read)) == sorted(rows)
    assert reads == 1
    rows.append(Doc("c", "", "new"))
    placed(handler.path, b"two, of another size")
    assert from_ir_datasets.docs("made-up/dev", handler, read).ids[:] == ("a", "b", "c")
    assert reads == 2
    rows.append(Doc("d", "", "half \ud800"))
    placed(handler.path, b"three, of a third size")
    with pytest.raises(InvalidInput, match="passage 'd' holds a lone surrogate"):
        from_ir_datasets.docs("made-up/dev", handler, read)


def test_what_ir_datasets_cannot_fetch_is_an_error_with_a_way_out() -> None:
    import requests

    told = r"cannot read neuclir/1/fa \(no route\).*ir-datasets.com/neuclir.html"
    with pytest.raises(InvalidInput, match=told), from_ir_datasets.reading("neuclir/1/fa"):
        raise requests.ConnectionError("no route")


def test_an_answer_of_a_kind_that_mkqa_does_not_have_is_refused_by_name(home: Path) -> None:
    row = mkqa_row(6, ("list_of_entities", "Ada Lovelace", []))
    placed(home / "mkqa/mkqa.jsonl.gz", gzip.compress(json.dumps(row).encode()))
    with pytest.raises(InvalidInput, match="an answer of the unknown type 'list_of_entities'"):
        _ = load("mkqa/ja").queries
