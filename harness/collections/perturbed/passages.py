"""What is done to passages: a sentence of another one appended, sentences shuffled, no title, a twin, the answer cut out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import regex

from harness.collections.perturbed.draws import Draws
from harness.collections.perturbed.texts import Clustered, Refused, folded
from harness.collections.perturbed.words import reordered
from harness.records import Doc, Passages

_BETWEEN_SENTENCES = regex.compile(r"(?<=[.!?।؟…][\"'”’)\]]*)\s+|(?<=[。！？])(?=\S)", regex.V1)
_TRIES = 100
"""So many sentences are looked at for one that may be appended."""


@dataclass(frozen=True)
class Pool:
    """All passages, and by the id of a passage the answers to the questions that it is relevant to."""

    docs: Passages
    answers: Mapping[str, tuple[str, ...]]


def sentences_of(text: str) -> list[str]:
    """Sentences by their last signs and the blanks after them; an abbreviation ends one, too.

    >>> sentences_of("It rose. Why? 雨。雪。")
    ['It rose.', 'Why?', '雨。', '雪。']
    """
    return [sentence for sentence in _BETWEEN_SENTENCES.split(text) if sentence.strip()]


def with_distractor(doc: Doc, pool: Pool, draws: Draws) -> Doc:
    """With a sentence of another passage at its end, which holds no answer to a question that either is relevant to."""
    if len(pool.docs) < 2:
        raise Refused("no other passage")
    for attempt in range(_TRIES):
        place = draws.number(len(pool.docs), "passage", attempt)
        (other,) = pool.docs[place : place + 1]
        sentences = sentences_of(other.text)
        if other.doc_id == doc.doc_id or not sentences:
            continue
        sentence = sentences[draws.number(len(sentences), "sentence", attempt)]
        answers = (*pool.answers.get(doc.doc_id, ()), *pool.answers.get(other.doc_id, ()))
        if sentence not in doc.text and not any(folded(answer) in folded(sentence) for answer in answers):
            return doc._replace(text=f"{doc.text.rstrip()} {sentence}")
    raise Refused(f"no sentence without an answer among {_TRIES} that were drawn")


def shuffled(doc: Doc, draws: Draws) -> Doc:
    """With its sentences in another order, a blank between them."""
    sentences = sentences_of(doc.text)
    if len(set(sentences)) < 2:
        raise Refused("fewer than two different sentences")
    for attempt in range(_TRIES):
        order = draws.ordered(range(len(sentences)), "order", attempt)
        if (found := [sentences[place] for place in order]) != sentences:
            return doc._replace(text=" ".join(found))
    raise Refused(f"no other order among {_TRIES} that were drawn")


def untitled(doc: Doc) -> Doc:
    return doc._replace(title="")


def twin(doc: Doc, pool: Pool, draws: Draws, edits: int) -> Doc:
    """With two numbers or names exchanged, one of them of an answer where there is such a pair."""
    text = Clustered(doc.text, pool.answers.get(doc.doc_id, ()))
    return doc._replace(text=reordered(text, draws, edits, answers_first=True))


def without_answers(doc: Doc, pool: Pool) -> Doc:
    """Without the answers to the questions that it is relevant to, whatever their case. The title stays."""
    answers = sorted({answer.strip() for answer in pool.answers.get(doc.doc_id, ())} - {""}, key=lambda a: (-len(a), a))
    if not answers:
        raise Refused("no answer is known")
    found = regex.compile("|".join(map(regex.escape, answers)), regex.IGNORECASE)
    text = doc.text
    while found.search(text):
        text = " ".join(found.sub(" ", text).split())
    if not text:
        raise Refused("nothing but the answer")
    return doc._replace(text=text)
