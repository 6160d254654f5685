"""EM@k and F1@k of a reader: is the answer right that it finds in the first k passages?

The reader gives a span and a score for each passage by itself; of the first k passages the span with the highest score is the
answer, scores not being normalised by passage (the confidence method of Clark and Gardner, ACL 2018), of equal ones that of the
passage further up. It is compared with the accepted answers as SQuAD 1.1 does (``squad_answers``), or, where answers are not
English, as MLQA does (``mlqa_answers``). The reader is no part of the measure: what it answered was recorded by ``xdr read``.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from harness.collections.view import Collection
from harness.files.limits import RANKING_DEPTH
from harness.measures.answer_recall import has_answer, padded_tokens
from harness.measures.base import Judged, Rankings
from harness.measures.mlqa_answers import ARTICLES, normalized_in
from harness.measures.of_answers import OfAnswers
from harness.measures.readings import ENGLISH, READER, Answered, reading_name
from harness.measures.squad_answers import exact_match, normalized_answer, token_f1

FAMILIES = ("EM", "F1")
_NAME = re.compile(
    rf"({'|'.join(FAMILIES)})@([1-9][0-9]{{0,4}})\(({READER.pattern})(,{ENGLISH})?(?:,mlqa-({'|'.join(ARTICLES)}))?\)",
    re.ASCII,
)
_VERSION = 1


def name_of(family: str, cutoff: int, reader: str, is_english: bool = False, answers_in: str = "") -> str:
    """The measure's name, as ``ReadAnswers.parse`` takes it apart.

    >>> name_of("EM", 5, "tydi-reader-0123abcd", is_english=True, answers_in="de")
    'EM@5(tydi-reader-0123abcd,english,mlqa-de)'
    """
    parameters = (reader, ENGLISH if is_english else "", f"mlqa-{answers_in}" if answers_in else "")
    return f"{family}@{cutoff}({','.join(filter(None, parameters))})"


@dataclass(frozen=True)
class ReadAnswers(OfAnswers):
    """``family``: "EM" or "F1"; ``reader``: its name with its digest; ``answers_in``: MLQA's language, empty for SQuAD."""

    name: str
    family: str
    reader: str
    cutoff: int
    is_english: bool = False
    answers_in: str = ""

    forms: ClassVar[Mapping[str, str]] = {
        "EM@<k>(<reader>)": "the answer that a reader finds in the first k passages is right, after `xdr read`",
        "F1@<k>(<reader>)": "how many of its tokens it shares with a right answer",
        "EM@<k>(<reader>,english,mlqa-<lang>)": "the reader is given the English question; answers compared as MLQA does",
    }

    @classmethod
    def parse(cls, name: str) -> ReadAnswers | None:
        match = _NAME.fullmatch(name)
        if match is None or int(match[2]) > RANKING_DEPTH:
            return None
        family, cutoff, reader, english, answers_in = match.groups()
        return ReadAnswers(name, family, reader, int(cutoff), bool(english), answers_in or "")

    @property
    def reading(self) -> str:  # type: ignore[override]
        return reading_name(self.reader, self.is_english)

    @property
    def version(self) -> str:
        normalizer = (
            f"mlqa {self.answers_in}, Unicode {unicodedata.unidata_version}" if self.answers_in else "squad 1.1"
        )
        return f"{self.family} of answers {_VERSION}, reader {self.reader}, normaliser {normalizer}"

    @property
    def plainly(self) -> str:
        found = "the first passage" if self.cutoff == 1 else f"the first {self.cutoff} passages"
        what = "a reader's answer is right" if self.family == "EM" else "how much of a reader's answer is right"
        return f"{what}, from {found}"

    @property
    def definition(self) -> str:
        given = "the English question" if self.is_english else "the question as it was asked"
        compared = "equal to" if self.family == "EM" else "sharing tokens (F1) with"
        rules = f"MLQA's rules for {self.answers_in}" if self.answers_in else "SQuAD's rules"
        return (
            f"Is the surest answer that the reader {self.reader} finds in the first {self.cutoff} passages, given {given}, "
            f"{compared} an accepted one by {rules}? Ceiling and random ranking are those of a perfect reader."
        )

    def applies_to(self, judged: Judged) -> bool:
        """Where a question has nothing but blank answers, as in collections that hold them back, nothing can be compared."""
        answers = judged.collection.answers
        return answers is not None and all(not own or any(one.strip() for one in own) for own in answers.values())

    def score(self, judged: Judged, rankings: Rankings) -> dict[str, float]:
        return {
            query_id: self._value(judged, query_id, self._answer(judged, query_id, rankings.get(query_id, ())))
            for query_id in self.scored_queries(judged)
        }

    def _answer(self, judged: Judged, query_id: str, ranking: Iterable[str]) -> str:
        first = [doc_id for doc_id, _ in zip(ranking, range(self.cutoff), strict=False)]
        found = [judged.readings.of(self.reading, query_id, doc_id) for doc_id in first]
        return max(found, key=lambda one: one.score, default=Answered("", -math.inf)).text

    def _value(self, judged: Judged, query_id: str, answer: str) -> float:
        """The empty answer is none, whatever is left of an accepted one without articles and punctuation."""
        if not answer:
            return 0.0
        accepted = (judged.collection.answers or {}).get(query_id, ())
        normalized = partial(normalized_in, self.answers_in) if self.answers_in else normalized_answer
        if self.family == "EM":
            return float(exact_match(answer, accepted, normalized))
        return token_f1(answer, accepted, normalized)

    def helpfulness(self, judged: Judged, query_id: str, doc_id: str) -> float:
        """A right answer helps the more the surer it is, a wrong one harms the more.

        For F1 no order of single passages is exact: that of the values comes first, then that of the scores.
        """
        text, score = judged.readings.of(self.reading, query_id, doc_id)
        sure = math.atan(score) / math.pi + 0.5
        value = self._value(judged, query_id, text)
        return value + sure if value > 0 else -sure

    def searchable(self, text: str) -> str:
        return padded_tokens(text)

    def is_hit_by(self, answers: Iterable[str], text: str) -> bool:
        return has_answer(answers, text)


class PerfectReader:
    """Readings of a reader that finds an accepted answer wherever it stands, for what a ranking could reach at best."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    def of(self, reading: str, query_id: str, doc_id: str) -> Answered:
        text = self._collection.docs.get(doc_id).text
        accepted = (self._collection.answers or {}).get(query_id, ())
        found = next((one for one in accepted if has_answer([one], text)), "")
        return Answered(found, float(bool(found)))
