"""R@<n>t: is an answer found in the first n tokens of the ranking? (R@2kt and R@5kt of XOR-Retrieve.)

Official definition (XORQA, evals/eval_xor_retrieve.py): tokenize the passages in rank order with ``word_tokenize``,
titles excluded; concatenate; cut at exactly n tokens; join with single blanks. It is a hit if any answer other than "yes"
and "no" is a case-sensitive substring. Questions whose answers are all yes/no are not scored. On a run with all queries
this is the official number digit for digit; a missing query counts 0 here, where the official script would forget it.
How most of the tokenizing is avoided, and why that is exact, is said in docs/measures.md.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from harness import progress
from harness.measures.base import Judged, Measure, Rankings
from harness.measures.of_answers import OfAnswers, span_answers
from harness.measures.token_cache import Passage, token_cache, tokenized
from harness.measures.tokens import tokenizer_version
from harness.measures.untokenized import can_stand_in_tokens, fewest_tokens, most_tokens, outline, reduced
from harness.records import Doc

_NAME = re.compile(r"R@([1-9][0-9]*)(k?)t", re.ASCII)
_OFFICIAL_BUDGETS = (2000, 5000)


@dataclass(frozen=True)
class TokenRecall(OfAnswers):
    name: str
    token_budget: int

    forms: ClassVar[Mapping[str, str]] = {
        "R@<n>t, R@<n>kt": "recall in the first n (thousand) tokens: R@2kt, R@5kt, R@500t"
    }

    @classmethod
    def parse(cls, name: str) -> TokenRecall | None:
        match = _NAME.fullmatch(name)
        return TokenRecall(name, int(match[1]) * (1000 if match[2] else 1)) if match else None

    @property
    def version(self) -> str:
        return f"token recall 1, {tokenizer_version()}"

    @property
    def plainly(self) -> str:
        return f"an answer within the first {self.token_budget:,} tokens of what was found"

    @property
    def definition(self) -> str:
        return (
            f"Is an answer a substring of the first {self.token_budget:,} tokens of the ranking's passages? "
            "Titles do not count; questions whose answers are all yes or no are not scored (XOR-Retrieve)."
        )

    @property
    def bibtex(self) -> str:
        from harness.collections.xor_tydi import BIBTEX

        return BIBTEX

    @property
    def known_as(self) -> Mapping[str, str]:
        return {"xor-retrieve": self.name} if self.token_budget in _OFFICIAL_BUDGETS else {}

    def is_never_below(self, other: Measure) -> bool:
        return isinstance(other, TokenRecall) and self.token_budget >= other.token_budget

    def score(self, judged: Judged, rankings: Rankings) -> dict[str, float]:
        return self.score_together([self], judged, rankings)[self.name]

    @staticmethod
    def score_together(
        measures: Sequence[TokenRecall], judged: Judged, rankings: Rankings
    ) -> dict[str, dict[str, float]]:
        """Values of several budgets from one walk through each ranking, by name."""
        answers = judged.collection.answers or {}
        docs = judged.docs
        budgets = [measure.token_budget for measure in measures]
        values: dict[str, dict[str, float]] = {measure.name: {} for measure in measures}
        query_ids = measures[0].scored_queries(judged)
        names = ", ".join(values)
        with (
            token_cache(docs.digest).opened() as cache,
            progress.task(names, len(query_ids), "queries") as advance,
        ):
            for query_id in progress.counted(query_ids, advance):
                ranked = map(docs.get, rankings.get(query_id, ()))
                found = hits(span_answers(answers[query_id]), ranked, budgets, cache.tokens)
                for measure, hit in zip(measures, found, strict=True):
                    values[measure.name][query_id] = float(hit)
        return values

    def searchable(self, text: str) -> str:
        return reduced(text)

    def is_hit_by(self, answers: Sequence[str], text: str) -> bool:
        return tokens_to_answer(answers, text) <= self.token_budget

    def helpfulness(self, judged: Judged, query_id: str, doc_id: str) -> float:
        """The earlier an answer stands in a passage, the more of the budget is left for those before it."""
        answers = (judged.collection.answers or {}).get(query_id, ())
        return 1 / tokens_to_answer(answers, judged.docs.get(doc_id).text)


def tokens_to_answer(answers: Iterable[str], text: str) -> float:
    """How many tokens of the passage, read from its start, hold the first of the answers; infinite when none do."""
    own = outline(text).reduced
    possible = (answer for answer in span_answers(answers) if can_stand_in_tokens(answer))
    candidates = [answer for answer in possible if reduced(answer) in own]
    joined = tokenized(text).joined if candidates else ""
    ends = [joined.find(answer) + len(answer) for answer in candidates if answer in joined]
    return joined.count(" ", 0, min(ends)) + 1 if ends else math.inf


def hits(
    answers: Sequence[str],
    docs: Iterable[Doc],
    budgets: Sequence[int],
    tokens: Callable[[Doc], Passage] = lambda doc: tokenized(doc.text),
) -> list[bool]:
    """For every budget, whether an answer is a substring of that many first tokens of the passages, joined with blanks.

    ``tokens`` is asked for as few passages as decide it. Passages after those in which the biggest budget runs out, which
    is at the latest when they have as many words, are not asked for.
    """
    if "" in answers:
        return [True] * len(budgets)
    found = [False] * len(budgets)
    possible = [answer for answer in dict.fromkeys(answers) if can_stand_in_tokens(answer)]
    if possible:
        beginning = Beginning(docs, max(budgets), tokens)
        for answer in possible:
            if all(found):
                break
            end = beginning.first_end(answer)
            if end is not None:
                found = [hit or beginning.reaches(budget, *end) for hit, budget in zip(found, budgets, strict=True)]
    return found


class Beginning:
    """The passages that can hold the first ``budget`` tokens of a ranking, searched in their reduced form.

    A passage without words has no tokens, adds no blank and is left out.
    """

    def __init__(self, docs: Iterable[Doc], budget: int, tokens: Callable[[Doc], Passage]) -> None:
        self._tokens = tokens
        self._docs: list[Doc] = []
        self._ends: list[int] = []  # where each passage ends in the joined reduced text
        self._words = [0]  # words before each passage
        pieces = []
        for doc in docs:
            own = outline(doc.text)
            if not own.words:
                continue
            self._docs.append(doc)
            self._ends.append((self._ends[-1] if self._ends else 0) + len(own.reduced))
            self._words.append(self._words[-1] + own.words)
            pieces.append(own.reduced)
            if self._words[-1] >= budget:
                break
        self._reduced = "".join(pieces)

    def first_end(self, answer: str) -> tuple[int, int] | None:
        """Where the first occurrence of the answer among the tokens ends: a passage's place, and tokens from its start on.

        Every occurrence is one of the reduced answer in the reduced text; whether the reverse holds is seen by tokenizing
        the passages that this one touches. A blank at an end of the answer needs one more token on that side.
        """
        wanted = reduced(answer)
        before, after = int(answer.startswith(" ")), int(answer.endswith(" "))
        width = len(wanted) + after
        start = before
        while (start := self._reduced.find(wanted, start)) >= 0 and start + width <= len(self._reduced):
            first = bisect_right(self._ends, start - before)
            last = bisect_right(self._ends, start + width - 1)
            joined = " ".join(self._tokens(doc).joined for doc in self._docs[first : last + 1])
            place = joined.find(answer)
            if place >= 0:
                return first, joined.count(" ", 0, place + len(answer)) + 1
            # None of the candidates that touch these passages alone is an occurrence.
            start = max(start + 1, self._ends[last] - width + 1)
        return None

    def reaches(self, budget: int, place: int, more: int) -> bool:
        """Whether the passages before ``place`` and ``more`` tokens make at most ``budget`` tokens.

        Passages are tokenized, one after the other, only as long as the bounds on their numbers of tokens leave it open.
        """
        left = budget - more
        if self._words[place] > left:
            return False
        docs = self._docs[:place]
        # Each token has at least one character of the reduced text.
        if not docs or self._ends[place - 1] <= left:
            return True
        least = sum(fewest_tokens(doc.text) for doc in docs)
        most = sum(most_tokens(doc.text) for doc in docs)
        for doc in docs:
            if least > left or most <= left:
                break
            length = self._tokens(doc).length
            least += length - fewest_tokens(doc.text)
            most += length - most_tokens(doc.text)
        return least <= left
