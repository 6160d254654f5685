"""XQuAD as retrieval: the questions of one language over the 240 paragraphs of another, by default English.

``xquad/ar`` asks the Arabic questions of the English paragraphs; ``xquad/ar/de`` asks them of the German ones. The
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
PATTERN = rf"^xquad/({'|'.join(LANGUAGES)})(?:/({'|'.join(LANGUAGES)}))?$"


def ids() -> list[str]:
    return [f"xquad/{lang}" for lang in LANGUAGES]


@functools.cache
def read(lang: str) -> SquadFile:
    return read_squad(verified_path(f"xquad/xquad.{lang}.json"), lang)


@functools.cache
def docs(lang: str) -> Docs:
    return Docs(lambda: read(lang).docs, lang)


def dataset(dataset_id: str, languages: tuple[str, ...]) -> Any:
    asked, passages = languages[0], languages[1] or "en"
    return Dataset(
        docs(passages),
        Queries(lambda: read(asked).queries, asked),
        Qrels(lambda: read(asked).qrels, RELEVANCE),
        AnswerStrings(lambda: read(passages).answers),
    )
