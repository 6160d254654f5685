"""XQuAD as retrieval: the questions of one language over the 240 paragraphs of another, by default English.

``xquad/ar`` asks the Arabic questions of the English paragraphs; ``xquad/ar/de`` asks them of the German ones, and
``xquad/ar/multilingual`` asks them of the paragraphs in the eight languages of ``MULTILINGUAL`` together, 1,920 passages of
which all eight versions of a question's paragraph are relevant, so that a ranking shows which language it prefers. The
questions are translations of one another under one id, which is therefore the topic; the one relevant passage of a
question is the paragraph it was written for, and the answers are those in the language of the passages.

Source: Artetxe et al. 2020, github.com/google-deepmind/xquad (SQuAD v1.1 JSON, CC BY-SA 4.0).
"""

from __future__ import annotations

import functools
from typing import Any

from harness.collections.formats.squad import RELEVANCE, SquadFile, read_squad
from harness.collections.handlers import AnswerStrings, Dataset, Docs, Qrels, Queries
from harness.collections.storage.pinned import verified_path
from harness.records import Answers

LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh")
BIBTEX = """
@inproceedings{artetxe2020xquad,
  author = {Artetxe, Mikel and Ruder, Sebastian and Yogatama, Dani},
  title = {On the Cross-lingual Transferability of Monolingual Representations},
  booktitle = {Proceedings of the 58th Annual Meeting of the Association for Computational Linguistics},
  year = {2020},
  eprint = {1910.11856},
  archiveprefix = {arXiv}
}
"""
LICENCE = "CC BY-SA 4.0"
MULTILINGUAL = ("ar", "de", "en", "es", "hi", "ru", "tr", "zh")
_POOL = "multilingual"
PATTERN = rf"^xquad/(?:({'|'.join(MULTILINGUAL)})/({_POOL})|({'|'.join(LANGUAGES)})(?:/({'|'.join(LANGUAGES)}))?)$"


def ids() -> list[str]:
    return [*(f"xquad/{lang}" for lang in LANGUAGES), *(f"xquad/{lang}/{_POOL}" for lang in MULTILINGUAL)]


def in_language(_: str, lang: str) -> str:
    """The same questions in another language, of the English paragraphs."""
    return f"xquad/{lang}" if lang in LANGUAGES else ""


@functools.cache
def read(lang: str) -> SquadFile:
    return read_squad(verified_path(f"xquad/xquad.{lang}.json"), lang)


@functools.cache
def docs(lang: str) -> Docs:
    return Docs(lambda: read(lang).docs, lang)


def version_in(lang: str, doc_id: str) -> str:
    """The id of a paragraph's version in a language, in the pool of all.

    >>> version_in("ar", "Super_Bowl_50-3"), language_of("Super_Bowl_50-3.ar")
    ('Super_Bowl_50-3.ar', 'ar')
    """
    return f"{doc_id}.{lang}"


def language_of(doc_id: str) -> str:
    """The language of a passage in the pool of all."""
    return doc_id.rpartition(".")[2]


@functools.cache
def _pool() -> Docs:
    """The paragraphs in all of the languages, kept once for whoever asks."""
    return Docs(
        lambda: [doc._replace(doc_id=version_in(lang, doc.doc_id)) for lang in MULTILINGUAL for doc in read(lang).docs],
        None,
    )


def _of_pool(asked: str) -> Any:
    def qrels() -> list[tuple[str, str, int]]:
        return [
            (query_id, version_in(lang, doc_id), grade)
            for query_id, doc_id, grade in read(asked).qrels
            for lang in MULTILINGUAL
        ]

    def answers() -> list[Answers]:
        found: dict[str, dict[str, None]] = {}
        for lang in MULTILINGUAL:
            for own in read(lang).answers:
                found.setdefault(own.query_id, {}).update(dict.fromkeys(own.answers))
        return [Answers(query_id, tuple(texts)) for query_id, texts in found.items()]

    return Dataset(
        _pool(), Queries(lambda: read(asked).queries, asked), Qrels(qrels, RELEVANCE), AnswerStrings(answers)
    )


def dataset(dataset_id: str, groups: tuple[str | None, ...]) -> Any:
    of_pool, _, asked, passages = groups
    if of_pool is not None:
        return _of_pool(of_pool)
    assert asked is not None  # one of the pattern's two sides has matched
    passages = passages or "en"
    return Dataset(
        docs(passages),
        Queries(lambda: read(asked).queries, asked),
        Qrels(lambda: read(asked).qrels, RELEVANCE),
        AnswerStrings(lambda: read(passages).answers),
    )
