"""Pseudo-labels: the passage that an encoder finds first is taken for a question's own, where it is sure enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from harness.recipes.rows import Passage, Row
from harness.records import Passages

Rankings = Mapping[str, Mapping[str, float]]
"""``{question: {passage: score}}``, best first."""


@dataclass(frozen=True)
class Unlabelled:
    """A question whose passage, ``hidden``, is known to the judge alone."""

    query_id: str
    text: str
    lang: str
    hidden: str


@dataclass(frozen=True)
class Labelled:
    question: Unlabelled
    doc_id: str

    @property
    def is_right(self) -> bool:
        return self.doc_id == self.question.hidden


def first_found(
    questions: Sequence[Unlabelled], rankings: Rankings, kept: float = 1.0, by_language: bool = True
) -> list[Labelled]:
    """Each question with the passage found first; of every language the share ``kept`` in which it leads by most.

    The lead is the first score less the second; equal ones stand in the order of the questions. Without ``by_language`` the
    share is of all questions together.
    """
    chosen: set[str] = set()
    for group in {question.lang if by_language else "" for question in questions}:
        own = [one.query_id for one in questions if not by_language or one.lang == group]
        by_lead = sorted(own, key=lambda query_id: -_lead(rankings[query_id]))
        chosen.update(by_lead[: round(kept * len(own))])
    return [Labelled(one, next(iter(rankings[one.query_id]))) for one in questions if one.query_id in chosen]


def _lead(ranking: Mapping[str, float]) -> float:
    scores = list(ranking.values())
    return scores[0] - scores[1]


def given(questions: Sequence[Unlabelled]) -> list[Labelled]:
    """The hidden passages themselves: what labels without a fault would be."""
    return [Labelled(question, question.hidden) for question in questions]


def shuffled(questions: Sequence[Unlabelled], seed: int) -> list[Labelled]:
    """Another question's hidden passage for each question, so that every passage is as frequent as before."""
    hidden = [question.hidden for question in questions]
    choice = Random(f"shuffled {seed}")
    choice.shuffle(hidden)
    return [Labelled(question, doc_id) for question, doc_id in zip(questions, hidden, strict=True)]


def precision(labels: Sequence[Labelled]) -> dict[str, tuple[int, int]]:
    """By language: how many labels are right, and how many there are."""
    total = Counter(label.question.lang for label in labels)
    right = Counter(label.question.lang for label in labels if label.is_right)
    return {lang: (right[lang], total[lang]) for lang in sorted(total)}


def hub_share(firsts: Sequence[str], hubs: int = 5) -> float:
    """Share of the questions whose first passage is one of the ``hubs`` passages that are first most often.

    >>> hub_share(["a", "a", "b", "c"], hubs=1)
    0.5
    """
    return sum(count for _, count in Counter(firsts).most_common(hubs)) / len(firsts)


def rows_of(labels: Sequence[Labelled], docs: Passages, source: str, label: str = "pseudo") -> list[Row]:
    def passage(doc_id: str) -> Passage:
        doc = docs.get(doc_id)
        return Passage(doc.doc_id, doc.title, doc.text)

    return [
        Row(
            one.question.query_id,
            one.question.text,
            (passage(one.doc_id),),
            lang=one.question.lang,
            source=source,
            label=label,
        )
        for one in labels
    ]
