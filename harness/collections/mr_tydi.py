"""Mr. TyDi v1.1, monolingual: ``mr-tydi-v1.1/sw/test`` asks Swahili questions of the Swahili Wikipedia.

The ``mr-tydi/...`` of ir_datasets is version 1.0; so this one has a name of its own.
Source: Zhang et al. 2021 (arXiv 2108.08787), github.com/castorini/mr.tydi, Apache-2.0. A tarball per language holds
``collection/docs.jsonl.gz`` ({"id", "contents"}), ``topic.<split>.tsv`` (id, question) and ``qrels.<split>.txt`` (TREC).
"""

from __future__ import annotations

import functools
import gzip
from collections.abc import Iterator
from typing import Any

from harness.collections.formats.archives import open_member, read_member
from harness.collections.formats.json_rows import made_of_rows, text_of
from harness.collections.formats.passage_files import JsonLines
from harness.collections.formats.qrels import parse_qrels
from harness.collections.from_ir_datasets import spool
from harness.collections.handlers import Dataset, LargeDocs, Qrels, Queries
from harness.collections.storage.docstore import StoredDocs, open_docs
from harness.collections.storage.pinned import data_home, verified_path
from harness.errors import InvalidInput
from harness.files.known_digests import known_sha256
from harness.records import Doc, Query

_NAMES = {
    "ar": "arabic",
    "bn": "bengali",
    "en": "english",
    "fi": "finnish",
    "id": "indonesian",
    "ja": "japanese",
    "ko": "korean",
    "ru": "russian",
    "sw": "swahili",
    "te": "telugu",
    "th": "thai",
}
BIBTEX = """
@inproceedings{zhang2021mrtydi,
  author = {Zhang, Xinyu and Ma, Xueguang and Shi, Peng and Lin, Jimmy},
  title = {{Mr. TyDi}: A Multi-lingual Benchmark for Dense Retrieval},
  booktitle = {Proceedings of the 1st Workshop on Multilingual Representation Learning},
  year = {2021},
  eprint = {2108.08787},
  archiveprefix = {arXiv}
}
"""
LICENCE = "Apache-2.0"
PATTERN = rf"^mr-tydi-v1\.1/({'|'.join(_NAMES)})/(train|dev|test)$"
_RELEVANCE = {1: "passage identified in the article by an annotator of TyDi QA"}


def ids() -> list[str]:
    return [f"mr-tydi-v1.1/{lang}/{split}" for lang in _NAMES for split in ("train", "dev", "test")]


def _archive(lang: str) -> str:
    return f"mr-tydi-v1.1/mrtydi-v1.1-{_NAMES[lang]}.tar.gz"


def _read_docs(lang: str) -> Iterator[Doc]:
    with open_member(_archive(lang), "collection/docs.jsonl.gz") as packed, gzip.open(packed) as lines:
        where = f"{_archive(lang)}:collection/docs.jsonl.gz"
        yield from made_of_rows(
            lines, where, "Mr. TyDi", lambda row: Doc(text_of(row, "id"), "", text_of(row, "contents"))
        )


def _stored(lang: str) -> StoredDocs:
    home = data_home() / "mr-tydi-v1.1" / f"{lang}.passages"
    source = known_sha256(verified_path(_archive(lang)))
    return open_docs(spool(home, source, lambda: _read_docs(lang)), JsonLines(), home / "index")


@functools.cache
def _docs(lang: str) -> LargeDocs:
    return LargeDocs(lambda: _stored(lang), lang)


def _queries(lang: str, split: str) -> list[Query]:
    name = f"topic.{split}.tsv"
    try:
        lines = read_member(_archive(lang), name).decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{_archive(lang)}:{name} is not UTF-8 (byte {error.start})") from error
    rows = [line.split("\t") for line in lines if line.strip()]
    if faulty := [row for row in rows if len(row) != 2]:
        raise InvalidInput(
            f"{_archive(lang)}:{name}: {len(faulty)} lines that are not id, tab, question: {faulty[0]!r:.80}"
        )
    return [Query(query_id, text, lang, query_id) for query_id, text in rows]


def _qrels(lang: str, split: str) -> list[tuple[str, str, int]]:
    name = f"qrels.{split}.txt"
    return parse_qrels(read_member(_archive(lang), name), f"{_archive(lang)}:{name}")


def dataset(dataset_id: str, groups: tuple[str, ...]) -> Any:
    lang, split = groups
    return Dataset(
        _docs(lang), Queries(lambda: _queries(lang, split), lang), Qrels(lambda: _qrels(lang, split), _RELEVANCE)
    )
