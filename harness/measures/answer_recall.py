"""AnswerRecall@k: does one of the first k passages hold an answer? (DPR's accuracy@k, its top-k answer recall.)

Definition (facebookresearch/DPR at 10ca7200, dpr/data/qa_validation.py, ``has_answer`` with match type "string", and
``SimpleTokenizer`` in dpr/utils/tokenizers.py): passage text, without its title, and answers are put into Unicode form NFD
and cut into runs of letters, numbers and marks, and into single other characters that are neither separators nor control
characters; tokens are put into lower case one by one. It is a hit if the tokens of an answer stand side by side in a
passage. An answer without any token is found in every passage there, and so it is here.

One departure: answers "yes" and "no" are not looked for, and questions with no others are not scored, as in R@<n>t. DPR
would score them, and count every passage with the word "no" as an answer, because the collections that it was made for
have no such questions; 182 of the 2,110 dev questions of XOR-TyDi are of that kind. Both measures thus have the same
denominators, and where no answer is "yes" or "no" the value is DPR's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import metadata
from typing import ClassVar

from harness.measures.base import Judged, Measure, Rankings
from harness.measures.of_answers import OfAnswers, span_answers

_NAME = re.compile(r"AnswerRecall@([1-9][0-9]*)", re.ASCII)


@dataclass(frozen=True)
class AnswerRecall(OfAnswers):
    name: str
    cutoff: int

    forms: ClassVar[Mapping[str, str]] = {"AnswerRecall@<k>": "an answer in the first k passages, as DPR counts it"}

    @classmethod
    def parse(cls, name: str) -> AnswerRecall | None:
        match = _NAME.fullmatch(name)
        return AnswerRecall(name, int(match[1])) if match else None

    @property
    def version(self) -> str:
        # What is a letter, and what a character is made of, are matters of the Unicode tables of these two.
        return f"answer recall 1, regex {metadata.version('regex')}, Unicode {unicodedata.unidata_version}"

    @property
    def plainly(self) -> str:
        return (
            "an answer in the first passage"
            if self.cutoff == 1
            else f"an answer in one of the first {self.cutoff} passages"
        )

    @property
    def definition(self) -> str:
        return f"Does one of the first {self.cutoff} passages hold the tokens of an answer? (DPR's accuracy@k)"

    def is_never_below(self, other: Measure) -> bool:
        return isinstance(other, AnswerRecall) and self.cutoff >= other.cutoff

    def score(self, judged: Judged, rankings: Rankings) -> dict[str, float]:
        answers = judged.collection.answers or {}
        docs = judged.docs
        values = {}
        for query_id in self.scored_queries(judged):
            texts = (docs.get(doc_id).text for doc_id in rankings.get(query_id, ())[: self.cutoff])
            values[query_id] = float(any(has_answer(answers[query_id], text) for text in texts))
        return values

    def searchable(self, text: str) -> str:
        return padded_tokens(text)

    def is_hit_by(self, answers: Iterable[str], text: str) -> bool:
        return has_answer(answers, text)


def has_answer(answers: Iterable[str], text: str) -> bool:
    """Whether the tokens of an answer other than "yes" and "no" stand side by side in the text.

    >>> has_answer(["new york"], "From New-York"), has_answer(["new york"], "From NEW  YORK.")
    (False, True)
    """
    tokens = padded_tokens(text)
    return any(padded_tokens(answer) in tokens for answer in span_answers(answers))


@lru_cache(maxsize=200_000)
def padded_tokens(text: str) -> str:
    """DPR's lower-case tokens, each followed by a blank, after a first blank.

    No token holds a blank, so that one sequence of tokens is part of another just when its string is. The first blank
    keeps an answer from beginning within a token.
    """
    return " " + "".join(f"{token.lower()} " for token in _find_tokens()(unicodedata.normalize("NFD", text)))


@cache
def _find_tokens() -> Callable[[str], list[str]]:
    import regex

    return regex.compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]").findall
