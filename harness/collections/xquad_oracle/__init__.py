"""XQuAD with a perfect query generator: half of each paragraph's questions is asked, the other half is its "generated" text.

``xquad-oracle/ar`` asks the first, third, ... question of each paragraph in Arabic, of the 240 English paragraphs. The other
questions, in all of the languages of ``LANGUAGES``, are what a generator would give that knew what people ask about a
paragraph. A question is in the same half in every language, so no version of an asked question is ever generated text; and as
XQuAD asks some things twice, what nearly is a question asked in the language is left out, too. ``FURTHER`` are languages to
confirm in what was found in those: they have questions and texts of their own, ``xquad-oracle-further-questions`` and so on.
README.md beside this file says which other texts there are for the paragraphs, and who wrote them.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from harness.collections import xquad
from harness.collections.formats.squad import RELEVANCE
from harness.collections.handlers import AnswerStrings, Dataset, Qrels, Queries
from harness.collections.plugins import GeneratedTexts, Made
from harness.collections.storage.pinned import pinned_files
from harness.collections.text_budget import drawn_order, to_budget
from harness.collections.text_similarity import similar_pairs
from harness.files.writing import cache_home, write_text
from harness.files.yaml_records import digest_of

LANGUAGES = ("ar", "de", "es", "hi", "ru", "tr", "zh")
FURTHER = ("el", "ro", "th", "vi")
PATTERN = rf"^xquad-oracle/({'|'.join((*LANGUAGES, 'en', *FURTHER))})$"
BIBTEX, LICENCE = xquad.BIBTEX, xquad.LICENCE
WRITTEN = Path(__file__).parent / "written.jsonl"
NGRAM, THRESHOLD = 3, 0.7
"""Of two questions of a language with a higher Jaccard similarity of their letter trigrams one gives the other away."""
_GENERATED_VERSION = 3
"""Raised when a file of ``GENERATED`` gets other texts than before."""

Row = tuple[str, str, str]
"""Passage, language and text."""


def ids() -> list[str]:
    return [f"xquad-oracle/{lang}" for lang in (*LANGUAGES, *FURTHER)]


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


@functools.cache
def _nearly_asked(languages: tuple[str, ...]) -> frozenset[str]:
    """Ids of the others that in some language are nearly an asked question: each says in every language what that one says."""
    found = set()
    for lang in languages:
        queries = xquad.read(lang).queries
        left = [query for query in queries if query.query_id not in _asked()]
        asked = [query.text for query in queries if query.query_id in _asked()]
        similar = similar_pairs([query.text for query in left], asked, NGRAM, THRESHOLD)
        found |= {left[row].query_id for row, _, _ in similar}
    return frozenset(found)


def _not_asked(languages: Iterable[str], but_nearly_in: tuple[str, ...]) -> Iterator[Row]:
    given_away = _asked() | _nearly_asked(but_nearly_in)
    for lang in languages:
        content = xquad.read(lang)
        owner = {query_id: doc_id for query_id, doc_id, _ in content.qrels}
        left = (query for query in content.queries if query.query_id not in given_away)
        yield from ((owner[query.query_id], lang, query.text) for query in left)


def _paragraphs(languages: Iterable[str]) -> Iterator[Row]:
    for lang in languages:
        yield from ((doc.doc_id, lang, doc.text) for doc in xquad.read(lang).docs)


def _sentences(languages: Iterable[str], known: tuple[str, ...]) -> Iterator[Row]:
    for lang in languages:
        passages = {doc.doc_id: doc.text for doc in xquad.read(lang).docs}
        questions = ((doc_id, text) for doc_id, _, text in _not_asked([lang], known))
        yield from ((doc_id, lang, text) for doc_id, text in to_budget(passages, questions))


def _made(name: str, what: str, languages: tuple[str, ...], rows: Callable[[], Iterable[Row]]) -> GeneratedTexts:
    """Texts that are written into the cache from XQuAD's files in some languages; ``what``: of which of them, in words."""
    files = tuple(f"xquad/xquad.{lang}.json" for lang in languages)

    def known() -> Made:
        """What the file depends on: its sources' pins, and how it is made of them. Nothing of it needs to be here."""
        pins = {file: pinned_files()[file].sha256 for file in files}
        return Made(digest_of([what, _GENERATED_VERSION, pins]), files)

    def file() -> Path:
        lines = (
            json.dumps({"doc_id": doc_id, "lang": lang, "text": text, "source": "XQuAD"}, ensure_ascii=False) + "\n"
            for doc_id, lang, text in rows()
        )
        path = cache_home() / "generated" / f"{name}.jsonl"
        write_text(path, "".join(lines))
        return path

    return GeneratedTexts(file, known)


def _of(prefix: str, languages: tuple[str, ...], known: tuple[str, ...]) -> dict[str, GeneratedTexts]:
    """Texts in some languages, and English questions; ``known``: where a question that is nearly asked gives itself away."""

    def drawn() -> Iterator[Row]:
        for lang in (*languages, "en"):
            yield from drawn_order(_not_asked([lang], known))

    kinds: dict[str, tuple[str, Callable[[], Iterable[Row]]]] = {
        "questions": ("the questions that are not asked, and English ones, in a drawn order", drawn),
        "passages": ("the paragraphs in other languages", lambda: _paragraphs(languages)),
        "sentences": (
            "first sentences, as many tokens as the questions that are not asked",
            lambda: _sentences(languages, known),
        ),
    }
    return {f"{prefix}-{kind}": _made(f"{prefix}-{kind}", what, known, rows) for kind, (what, rows) in kinds.items()}


_KNOWN = (*LANGUAGES, "en")
GENERATED = {
    "xquad-oracle": _made(
        "xquad-oracle", "the questions that are not asked", _KNOWN, lambda: _not_asked(LANGUAGES, _KNOWN)
    ),
    **_of("xquad-oracle", LANGUAGES, _KNOWN),
    **_of("xquad-oracle-further", FURTHER, (*_KNOWN, *FURTHER)),
    "xquad-oracle-written": GeneratedTexts(lambda: WRITTEN, lambda: WRITTEN),
}
