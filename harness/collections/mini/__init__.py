"""``xdr-mini``: 200 English passages, questions in seven languages, generated queries; ours, CC0, in the package.

``xdr-mini/ar`` are the 80 test questions in Arabic, ``xdr-mini/ar/dev`` the 10 for development. README.md beside this file
says how they were written and what follows from that.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from harness.collections.formats.folder import Folder
from harness.collections.handlers import AnswerStrings, Dataset, Docs, Qrels, Queries

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
GENERATED = HOME / "generated.jsonl"


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
