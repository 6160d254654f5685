"""``xdr-mini``: 200 English passages, questions in seven languages, generated queries; ours, CC0, in the package.

``xdr-mini/ar`` are the 80 test questions in Arabic, ``xdr-mini/ar/dev`` the 10 for development. README.md beside this file
says how they were written and what follows from that.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from harness.collections.formats.folder import Folder
from harness.collections.handlers import AnswerStrings, Dataset, Docs, Qrels, Queries
from harness.collections.plugins import GeneratedTexts, Made
from harness.collections.text_budget import to_budget
from harness.files.writing import cache_home, sha256_of_file, write_text
from harness.files.yaml_records import digest_of

LANGUAGES = ("ar", "bn", "fi", "ja", "ko", "ru", "te")
BIBTEX = """
@misc{xdr-mini,
  author = {{xdr-bench contributors}},
  title = {xdr-mini: 200 English passages with questions in seven languages},
  year = {2026}
}
"""
LICENCE = "CC0 1.0"
PATTERN = rf"^xdr-mini/({'|'.join(LANGUAGES)})(?:/(dev|test))?$"
HOME = Path(__file__).parent
QUERIES, PASSAGES = HOME / "generated.jsonl", HOME / "passages.jsonl"
_SENTENCES_VERSION = 1
"""Raised when the beginnings of the passages are cut in another way."""


def _sentences_known() -> Made:
    return Made(digest_of([_SENTENCES_VERSION, sha256_of_file(QUERIES), sha256_of_file(PASSAGES)]), ())


def _sentences_file() -> Path:
    path = cache_home() / "generated" / "xdr-mini-sentences.jsonl"
    write_text(path, _sentences())
    return path


@functools.cache
def _sentences() -> str:
    """Beginnings of the generated passages, as many tokens as the generated queries have."""
    queries, passages = (
        [json.loads(line) for line in path.read_text("utf-8").splitlines()] for path in (QUERIES, PASSAGES)
    )
    lines = []
    for lang in (*LANGUAGES, "en"):
        texts = {row["doc_id"]: row["text"] for row in passages if row["lang"] == lang}
        asked = [(row["doc_id"], row["text"]) for row in queries if row["lang"] == lang]
        for doc_id, text in to_budget(texts, asked):
            row = {"doc_id": doc_id, "lang": lang, "text": text, "source": "authored"}
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    return "".join(lines)


GENERATED = {
    "xdr-mini-queries": GeneratedTexts(lambda: QUERIES, lambda: QUERIES),
    "xdr-mini-passages": GeneratedTexts(lambda: PASSAGES, lambda: PASSAGES),
    "xdr-mini-sentences": GeneratedTexts(_sentences_file, _sentences_known),
}


def ids() -> list[str]:
    return [f"xdr-mini/{lang}" for lang in LANGUAGES] + [f"xdr-mini/{lang}/dev" for lang in LANGUAGES]


@functools.cache
def _folder(split: str) -> Folder:
    return Folder(HOME / split)


@functools.cache
def _docs() -> Docs:
    return Docs(lambda: Folder(HOME).docs, "en")


def dataset(dataset_id: str, groups: tuple[str, ...]) -> Any:
    lang, split = groups[0], groups[1] or "test"
    folder = _folder(split)

    @functools.cache
    def asked() -> set[str]:
        return {query.query_id for query in folder.queries if query.lang == lang}

    return Dataset(
        _docs(),
        Queries(lambda: [query for query in folder.queries if query.lang == lang], lang),
        Qrels(lambda: [row for row in folder.qrels if row[0] in asked()], {1: "the passage asked about"}),
        AnswerStrings(lambda: [row for row in folder.answers if row.query_id in asked()]),
    )
