"""Labellers: which of the passages that a run found for a question are positives, and which may be negatives.

The rules with answers are CORA's (Asai et al., NeurIPS 2021), as its scripts have them: mia-workshop/MIA-Shared-Task-2022 at
ea2491a, baseline/mDPR/create_mine_train_data.py and create_adverarial_data.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.measures.answer_recall import has_answer
from harness.measures.of_answers import span_answers
from harness.measures.squad_answers import exact_match, may_hold_match
from harness.recipes.mine.questions import Question

Read = Callable[[Question, Sequence[str]], Sequence[str]]
"""What a reader answers to a question from each of these texts; an empty text for no answer."""


@dataclass(frozen=True)
class Labels:
    """Ids of passages, best first; ``matched`` ones are neither. ``skipped`` says why a question makes no row."""

    positives: tuple[str, ...] = ()
    negatives: tuple[str, ...] = ()
    matched: tuple[str, ...] = ()
    is_fallback: bool = False
    skipped: str = ""


class Labeller(Protocol):
    def __call__(self, question: Question, /) -> Labels: ...


def by_gold(question: Question) -> Labels:
    """Positives are all judged passages, those that the run found first; the rest of what it found may be negative."""
    gold = question.gold or frozenset()
    ranked = [doc_id for doc_id in question.scores if doc_id in gold]
    positives = (*ranked, *sorted(gold.difference(ranked)))
    if not positives:
        return Labels(skipped="no judged passage")
    return Labels(positives, tuple(one.doc.doc_id for one in question.candidates if one.doc.doc_id not in gold))


def by_qrels(question: Question) -> Labels:
    gold = question.gold or frozenset()
    return _split(question, [one.doc.doc_id in gold for one in question.candidates])


def by_string(question: Question) -> Labels:
    """Step A of CORA's mining: a passage that holds an answer is a positive, any other a negative."""
    if reason := _unanswerable(question):
        return Labels(skipped=reason)
    return _split(question, [has_answer(question.answers, one.doc.text) for one in question.candidates])


def by_reader(read: Read) -> Labeller:
    """A passage of which the reader's answer is right is a positive, any other a negative."""

    def label(question: Question) -> Labels:
        if reason := _unanswerable(question):
            return Labels(skipped=reason)
        return _split(question, _is_right(question, read))

    return label


def by_rule(read: Read) -> Labeller:
    """Step B of CORA's mining.

    The reader's answer is right: positive. It is wrong, and the passage holds no answer: negative. It is wrong, but the passage
    holds an answer: neither. A question without a positive takes its first passage of the third kind.
    """

    def label(question: Question) -> Labels:
        if reason := _unanswerable(question):
            return Labels(skipped=reason)
        kinds: dict[str, list[str]] = {"positive": [], "negative": [], "matched": []}
        for one, right in zip(question.candidates, _is_right(question, read), strict=True):
            kind = "positive" if right else "matched" if has_answer(question.answers, one.doc.text) else "negative"
            kinds[kind].append(one.doc.doc_id)
        positives, matched = kinds["positive"], kinds["matched"]
        if not positives and not matched:
            return Labels(skipped="no positive")
        is_fallback = not positives
        if is_fallback:
            positives, matched = matched[:1], matched[1:]
        return Labels(tuple(positives), tuple(kinds["negative"]), tuple(matched), is_fallback)

    return label


def at_random(seed: int) -> Labeller:
    """One passage is drawn, the same for the same seed and question; all others are negatives."""

    def label(question: Question) -> Labels:
        if not question.candidates:
            return Labels(skipped="no positive")
        draw = random.Random(f"positive {seed} {question.part.name} {question.query_id}")
        drawn = draw.randrange(len(question.candidates))
        return _split(question, [place == drawn for place in range(len(question.candidates))])

    return label


def labeller_of(name: str, seed: int, read: Read) -> Labeller:
    """The labeller of that name, one of ``harness.recipes.mine.settings.LABELLERS``; ``read`` is asked by some alone."""
    labellers: dict[str, Labeller] = {
        "gold": by_gold,
        "qrels": by_qrels,
        "answer-string": by_string,
        "reader": by_reader(read),
        "answer-string+reader": by_rule(read),
        "random": at_random(seed),
    }
    return labellers[name]


def _unanswerable(question: Question) -> str:
    if not question.answers:
        return "no answers"
    return "" if span_answers(question.answers) else "answers are yes or no"


def _is_right(question: Question, read: Read) -> list[bool]:
    """Whether the reader's answer is right, of every candidate. Where no span could be, the reader is not asked."""
    answers = span_answers(question.answers)
    texts = [one.doc.text for one in question.candidates if may_hold_match(answers, one.doc.text)]
    found = dict(zip(texts, read(question, texts), strict=True))
    predictions = [found.get(one.doc.text, "") for one in question.candidates]
    return [bool(prediction.strip()) and exact_match(prediction, answers) for prediction in predictions]


def _split(question: Question, is_positive: Sequence[bool]) -> Labels:
    ids = [one.doc.doc_id for one in question.candidates]
    positives = tuple(doc_id for doc_id, positive in zip(ids, is_positive, strict=True) if positive)
    if not positives:
        return Labels(skipped="no positive")
    return Labels(positives, tuple(doc_id for doc_id in ids if doc_id not in positives))
