"""XQuAD with a perfect query generator: half of each paragraph's questions is asked, the other half is its "generated" text.

``xquad-oracle/ar`` asks the first, third, ... question of each paragraph in Arabic, of the 240 English paragraphs. The other
questions, in all of the languages of ``LANGUAGES``, are what a generator would give that knew what people ask about a
paragraph. A question is in the same half in every language, so no version of an asked question is ever generated text.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from harness.collections import xquad
from harness.collections.formats.squad import RELEVANCE
from harness.collections.handlers import AnswerStrings, Dataset, Qrels, Queries
from harness.collections.plugins import GeneratedTexts, Made
from harness.collections.storage.pinned import pinned_files
from harness.files.writing import cache_home, write_text
from harness.files.yaml_records import digest_of

LANGUAGES = ("ar", "de", "es", "hi", "ru", "tr", "zh")
PATTERN = rf"^xquad-oracle/({'|'.join((*LANGUAGES, 'en'))})$"
BIBTEX, LICENCE = xquad.BIBTEX, xquad.LICENCE
_GENERATED_VERSION = 1
"""Raised when ``GENERATED``'s file writes other texts than before."""


def ids() -> list[str]:
    return [f"xquad-oracle/{lang}" for lang in LANGUAGES]


@functools.cache
def _asked() -> frozenset[str]:
    """Ids of the questions that are asked: the first, third, ... of each paragraph."""
    number: dict[str, int] = {}
    asked = set()
    for query_id, doc_id, _ in xquad.read("en").qrels:
        if number.setdefault(doc_id, 0) % 2 == 0:
            asked.add(query_id)
        number[doc_id] += 1
    return frozenset(asked)


def dataset(dataset_id: str, groups: tuple[str, ...]) -> Any:
    lang = groups[0]
    return Dataset(
        xquad.docs("en"),
        Queries(lambda: [query for query in xquad.read(lang).queries if query.query_id in _asked()], lang),
        Qrels(lambda: [row for row in xquad.read(lang).qrels if row[0] in _asked()], RELEVANCE),
        AnswerStrings(lambda: [row for row in xquad.read("en").answers if row.query_id in _asked()]),
    )


def _generated_known() -> Made:
    """What ``GENERATED``'s file depends on: its sources' pins, and how it is made of them. Nothing of it needs to be here."""
    files = tuple(f"xquad/xquad.{lang}.json" for lang in (*LANGUAGES, "en"))
    pins = {name: pinned_files()[name].sha256 for name in files}
    return Made(digest_of(["the questions that are not asked", _GENERATED_VERSION, pins]), files)


def _generated_file() -> Path:
    """Write the questions that are not asked as a generated-text file into the cache; returns its path."""
    lines = []
    for lang in LANGUAGES:
        content = xquad.read(lang)
        owner = {query_id: doc_id for query_id, doc_id, _ in content.qrels}
        for query in content.queries:
            if query.query_id not in _asked():
                row = {"doc_id": owner[query.query_id], "lang": lang, "text": query.text, "source": "XQuAD"}
                lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    path = cache_home() / "generated" / "xquad-oracle.jsonl"
    write_text(path, "".join(lines))
    return path


GENERATED = {"xquad-oracle": GeneratedTexts(_generated_file, _generated_known)}
