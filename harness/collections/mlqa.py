"""MLQA as retrieval: ``mlqa/ar`` asks the Arabic test questions of the English paragraphs, ``mlqa/ar/de`` of the German ones.

``mlqa/ar/dev`` has the development questions. The passages are all paragraphs of the file in which questions and paragraphs
are both in the language of the passages, so that parts with equal passages share an index whatever language asks; a question
has one id in all languages, which is its topic, but not every question exists in every language.
Source: Lewis et al. 2020, github.com/facebookresearch/MLQA, SQuAD v1.1 JSON, CC BY-SA 3.0.
"""

from __future__ import annotations

import functools
from typing import Any

from harness.collections.formats.archives import read_member
from harness.collections.formats.squad import RELEVANCE, SquadFile, distinct, over_pool, parse_squad
from harness.collections.handlers import AnswerStrings, Dataset, Docs, Qrels, Queries

LANGUAGES = ("ar", "de", "en", "es", "hi", "vi", "zh")
BIBTEX = """
@inproceedings{lewis2020mlqa,
  author = {Lewis, Patrick and Oguz, Barlas and Rinott, Ruty and Riedel, Sebastian and Schwenk, Holger},
  title = {{MLQA}: Evaluating Cross-lingual Extractive Question Answering},
  booktitle = {Proceedings of the 58th Annual Meeting of the Association for Computational Linguistics},
  year = {2020},
  eprint = {1910.07475},
  archiveprefix = {arXiv}
}
"""
LICENCE = "CC BY-SA 3.0"
PATTERN = rf"^mlqa/({'|'.join(LANGUAGES)})(?:/({'|'.join(LANGUAGES)}))?(?:/(dev))?$"
_ARCHIVE = "mlqa/MLQA_V1.zip"


def ids() -> list[str]:
    return [f"mlqa/{lang}" for lang in LANGUAGES] + [f"mlqa/{lang}/dev" for lang in LANGUAGES]


def in_language(dataset_id: str, lang: str) -> str:
    """The questions of the same split in another language, as far as that has them."""
    split = "/dev" if dataset_id.endswith("/dev") else ""
    return f"mlqa/{lang}{split}" if lang in LANGUAGES else ""


@functools.cache
def _file(split: str, passages: str, asked: str) -> SquadFile:
    name = f"{split}/{split}-context-{passages}-question-{asked}.json"
    return parse_squad(read_member(_ARCHIVE, name), f"{_ARCHIVE}:{name}", asked)


@functools.cache
def _read(split: str, passages: str, asked: str) -> SquadFile:
    return over_pool(_file(split, passages, asked), distinct(_file(split, passages, passages).docs))


@functools.cache
def _docs(split: str, lang: str) -> Docs:
    return Docs(lambda: _read(split, lang, lang).docs, lang)


def dataset(dataset_id: str, groups: tuple[str, ...]) -> Any:
    asked, passages, split = groups[0], groups[1] or "en", groups[2] or "test"
    return Dataset(
        _docs(split, passages),
        Queries(lambda: _read(split, passages, asked).queries, asked),
        Qrels(lambda: _read(split, passages, asked).qrels, RELEVANCE),
        AnswerStrings(lambda: _read(split, passages, asked).answers),
    )
