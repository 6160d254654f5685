"""MKQA: one set of 10,000 English questions of Google in 26 languages, with English answers and no passages of its own.

``mkqa/ja`` has the Japanese questions; ``mkqa-dpr-2018/ja`` asks them of DPR's English Wikipedia of December 2018, near the
time at which the questions (of Natural Questions) were answered. Questions that are unanswerable, or have long or yes/no
answers, are left out, as no passage can be looked up for their answer. Accepted are the English answer texts and their aliases.
Source: Longpre, Lu and Daiber 2021, github.com/apple/ml-mkqa, CC BY-SA 3.0.
"""

from __future__ import annotations

import functools
import gzip
import zlib
from typing import Any, NamedTuple

from harness.collections import wikipedia
from harness.collections.formats.json_rows import made_of_rows, text_of
from harness.collections.handlers import AnswerStrings, Dataset, Queries
from harness.collections.storage.pinned import verified_path
from harness.errors import InvalidInput
from harness.languages import canonical_language
from harness.records import Answers, Query

# As the file has them, with hyphens for its underscores.
_EUROPEAN = ("da", "de", "en", "es", "fi", "fr", "hu", "it", "nl", "no", "pl", "pt", "ru", "sv")
LANGUAGES = (*_EUROPEAN, "ar", "he", "ja", "km", "ko", "ms", "th", "tr", "vi", "zh-cn", "zh-hk", "zh-tw")
_NAMES = {lang: lang.replace("-", "_") for lang in LANGUAGES}
BIBTEX = """
@article{longpre2021mkqa,
  author = {Longpre, Shayne and Lu, Yi and Daiber, Joachim},
  title = {{MKQA}: A Linguistically Diverse Benchmark for Multilingual Open Domain Question Answering},
  journal = {Transactions of the Association for Computational Linguistics},
  volume = {9},
  year = {2021},
  eprint = {2007.15207},
  archiveprefix = {arXiv}
}
"""
LICENCE = "CC BY-SA 3.0"
PATTERN = rf"^(mkqa|mkqa-dpr-2018)/({'|'.join(LANGUAGES)})$"
_FILE = "mkqa/mkqa.jsonl.gz"
_NOT_TO_BE_LOOKED_UP = {"unanswerable", "long_answer", "binary"}
_TO_BE_LOOKED_UP = {"entity", "date", "number", "number_with_unit", "short_phrase"}


def ids() -> list[str]:
    return [f"{name}/{lang}" for name in ("mkqa", "mkqa-dpr-2018") for lang in LANGUAGES]


def in_language(_: str, lang: str) -> str:
    """The same questions in another language, without passages."""
    return f"mkqa/{lang.lower()}" if lang.lower() in LANGUAGES else ""


class _Row(NamedTuple):
    """A question in every language, as the file names them, and its English answers."""

    query_id: str
    queries: dict[str, str]
    answers: tuple[str, ...]
    to_be_looked_up: bool


@functools.cache
def _rows() -> list[_Row]:
    """The rows that have an answer to look up, in the order of the file."""
    path = verified_path(_FILE)
    try:
        with gzip.open(path) as lines:
            return [row for row in made_of_rows(lines, str(path), "MKQA", _row) if row.to_be_looked_up]
    except (EOFError, OSError, zlib.error) as error:
        raise InvalidInput(f"{path} is not in MKQA's format: {type(error).__name__}: {error}") from error


def _row(row: dict[str, Any]) -> _Row:
    answers = row["answers"]["en"]
    texts = [text for answer in answers for text in (answer["text"], *(answer.get("aliases") or ()))]
    if not all(text is None or isinstance(text, str) for text in texts):
        raise TypeError("an answer that is no text")
    if unknown := {answer["type"] for answer in answers} - _NOT_TO_BE_LOOKED_UP - _TO_BE_LOOKED_UP:
        raise ValueError(f"an answer of the unknown type {sorted(map(str, unknown))[0]!r:.40}")
    return _Row(
        str(row["example_id"]),
        {name: text_of(row["queries"], name) for name in _NAMES.values()},
        tuple(dict.fromkeys(text for text in texts if text)),
        not any(answer["type"] in _NOT_TO_BE_LOOKED_UP for answer in answers),
    )


def dataset(dataset_id: str, groups: tuple[str, ...]) -> Any:
    name, lang = groups
    return Dataset(
        wikipedia.docs("dpr-2018") if name == "mkqa-dpr-2018" else None,
        Queries(
            lambda: [
                Query(row.query_id, row.queries[_NAMES[lang]], canonical_language(lang), row.query_id)
                for row in _rows()
            ],
            canonical_language(lang),
        ),
        AnswerStrings(lambda: [Answers(row.query_id, row.answers) for row in _rows()]),
    )
