"""R@<n>t: is an answer found in the first n tokens of the ranking? (R@2kt and R@5kt of XOR-Retrieve.)

Official definition (XORQA, evals/eval_xor_retrieve.py): tokenize the passages in rank order with ``word_tokenize``,
titles excluded; concatenate; cut at exactly n tokens; join with single blanks. It is a hit if any answer other than "yes"
and "no" is a case-sensitive substring. Questions whose answers are all yes/no are not scored. On a run with all queries
this is the official number digit for digit; a missing query counts 0 here, where the official script would forget it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from harness.measures.base import Judged, Rankings
from harness.measures.tokens import tokenizer_version, word_tokenize

_NAME = re.compile(r"R@([1-9][0-9]*)(k?)t", re.ASCII)
_YES_NO = frozenset({"yes", "no"})


@dataclass(frozen=True)
class TokenRecall:
    name: str
    budget: int

    @staticmethod
    def parse(name: str) -> TokenRecall | None:
        match = _NAME.fullmatch(name)
        return TokenRecall(name, int(match[1]) * (1000 if match[2] else 1)) if match else None

    @property
    def version(self) -> str:
        return f"token recall 1, {tokenizer_version()}"

    def applies_to(self, judged: Judged) -> bool:
        return judged.collection.answers is not None

    def scored_queries(self, judged: Judged) -> tuple[str, ...]:
        answers = judged.collection.answers or {}
        return tuple(query_id for query_id in judged.query_ids if span_answers(answers.get(query_id, ())))

    def score(self, judged: Judged, rankings: Rankings) -> dict[str, float]:
        answers = judged.collection.answers or {}
        docs = judged.docs
        return {
            query_id: float(
                is_hit(
                    span_answers(answers[query_id]),
                    (tokenized(docs.get(doc_id).text) for doc_id in rankings.get(query_id, ())),
                    self.budget,
                )
            )
            for query_id in self.scored_queries(judged)
        }

    def is_hit_by(self, answers: Sequence[str], text: str) -> bool:
        """Whether one passage, ranked first, makes a hit."""
        return tokens_to_answer(answers, text) <= self.budget


def span_answers(answers: Iterable[str]) -> tuple[str, ...]:
    """The answers that can be found in a passage: all but "yes" and "no"."""
    return tuple(answer for answer in answers if answer not in _YES_NO)


def is_hit(answers: Sequence[str], passages: Iterable[Passage], budget: int) -> bool:
    """Whether an answer is a substring of the first ``budget`` tokens of the passages, joined with single blanks.

    Passages after the one in which the budget runs out are not asked for.
    """
    pieces: list[str] = []
    left = budget
    for passage in passages:
        pieces.append(passage.beginning(left))
        left -= passage.length
        if left <= 0:
            break
    # Joining the joined passages is joining their tokens, as long as one without tokens adds no blank.
    text = " ".join(filter(None, pieces))
    return any(answer in text for answer in answers)


def tokens_to_answer(answers: Iterable[str], text: str) -> float:
    """How many tokens of the passage, read from its start, hold the first of the answers; infinite when none do."""
    joined = tokenized(text).joined
    ends = [joined.find(answer) + len(answer) for answer in span_answers(answers) if answer in joined]
    return joined.count(" ", 0, min(ends)) + 1 if ends else math.inf


@dataclass(frozen=True)
class Passage:
    """A tokenized passage, kept as one string, since nearly all uses take it whole."""

    joined: str
    length: int

    def beginning(self, count: int) -> str:
        """The first ``count`` tokens, joined. No token of ``word_tokenize`` holds a blank, so splitting restores them."""
        return self.joined if count >= self.length else " ".join(self.joined.split(" ")[:count])


@lru_cache(maxsize=200_000)
def tokenized(text: str) -> Passage:
    tokens = word_tokenize(text)
    return Passage(" ".join(tokens), len(tokens))
