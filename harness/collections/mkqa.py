"""MKQA: one set of 10,000 English questions of Google in 26 languages, with English answers and no passages of its own.

``mkqa/ja`` has the Japanese questions; ``mkqa-dpr-2018/ja`` asks them of DPR's English Wikipedia of December 2018, near the
time at which the questions (of Natural Questions) were answered. Questions that are unanswerable, or have long or yes/no
answers, are left out, as no passage can be looked up for their answer. Accepted are the English answer texts and their aliases.
Source: Longpre, Lu and Daiber 2021, github.com/apple/ml-mkqa, CC BY-SA 3.0.
"""

from __future__ import annotations

import functools
import gzip
import json
from typing import Any

import ir_datasets

from harness.collections import wikipedia
from harness.collections.handlers import AnswerStrings, Queries
from harness.collections.pinned import verified_path
from harness.errors import InvalidInput
from harness.records import Answers, Query

# As the file has them, with hyphens for its underscores.
_EUROPEAN = ("da", "de", "en", "es", "fi", "fr", "hu", "it", "nl", "no", "pl", "pt", "ru", "sv")
LANGUAGES = (*_EUROPEAN, "ar", "he", "ja", "km", "ko", "ms", "th", "tr", "vi", "zh-cn", "zh-hk", "zh-tw")
PATTERN = rf"^(mkqa|mkqa-dpr-2018)/({'|'.join(LANGUAGES)})$"
_FILE = "mkqa/mkqa.jsonl.gz"
_NOT_TO_BE_LOOKED_UP = {"unanswerable", "long_answer", "binary"}


def ids() -> list[str]:
    return [f"{name}/{lang}" for name in ("mkqa", "mkqa-dpr-2018") for lang in LANGUAGES]


@functools.cache
def _rows() -> list[dict[str, Any]]:
    """The rows that have an answer to look up, in the order of the file."""
    path = verified_path(_FILE)
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines if line.strip()]
        return [row for row in rows if not any(a["type"] in _NOT_TO_BE_LOOKED_UP for a in row["answers"]["en"])]
    except (EOFError, OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{path} is not in MKQA's format: {type(error).__name__}: {error}") from error


def _query(row: dict[str, Any], lang: str) -> Query:
    query_id = str(row["example_id"])
    return Query(query_id, row["queries"][lang.replace("-", "_")], lang, query_id)


def _answers(row: dict[str, Any]) -> Answers:
    texts = [text for answer in row["answers"]["en"] for text in (answer["text"], *(answer.get("aliases") or ()))]
    return Answers(str(row["example_id"]), tuple(dict.fromkeys(text for text in texts if text)))


def dataset(dataset_id: str, groups: tuple[str, ...]) -> Any:
    name, lang = groups
    return ir_datasets.Dataset(
        wikipedia.docs("dpr-2018") if name == "mkqa-dpr-2018" else None,
        Queries(lambda: [_query(row, lang) for row in _rows()], lang),
        AnswerStrings(lambda: map(_answers, _rows())),
    )
