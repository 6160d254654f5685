"""Words of a question in another language, taken from the recorded translation of the very question.

Which word of the translation a word corresponds to is learned from all questions of the collection and their translations: IBM
Model 1 (Brown, Della Pietra, Della Pietra and Mercer 1993, as NLTK has it), once in each direction. A pair of words is believed
where each is the other's most likely counterpart in the two texts, either direction gives it a probability of ``SURE``, and
neither occurs twice. Hence no model and no dictionary comes in, and texts depend on the other questions of the collection.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.collections.perturbed.draws import Draws
from harness.collections.perturbed.texts import Clustered, Edit, Refused, Span, applied, folded
from harness.collections.perturbed.words import words_of
from harness.segmenters import has_own_words

SURE = 0.4
"""A counterpart is at least so likely, given the word, and the word, given the counterpart."""
_ROUNDS = 5
_KEPT = 64

Words = tuple[str, ...]


@dataclass(frozen=True)
class Translated:
    """A question, its translation, and what of the two is each other's counterpart."""

    text: Clustered
    lang: str
    translation: Clustered
    lang_of_translation: str
    likely: Likely

    def counterparts(self) -> dict[int, Span]:
        """By the number of a word the span of the translation that stands for it, where neither is to be left alone."""
        own, theirs = words_of(self.text, self.lang), words_of(self.translation, self.lang_of_translation)
        mine = [folded(self.text.of(span)) for span in own]
        other = [folded(self.translation.of(span)) for span in theirs]
        found = {number: self.likely.counterpart(word, mine, other) for number, word in enumerate(mine)}
        return {
            number: theirs[place]
            for number, place in found.items()
            if place is not None
            and mine[number] != other[place]
            and self.text.may_change(own[number])
            and self.translation.may_change(theirs[place])
        }


@dataclass(frozen=True)
class Likely:
    """Probabilities of a word of the translation given one of the question, and the other way round."""

    given_own: Mapping[str, Mapping[str, float]]
    given_other: Mapping[str, Mapping[str, float]]

    def counterpart(self, word: str, own: Sequence[str], other: Sequence[str]) -> int | None:
        """The place in ``other`` of the one word that ``word``, of the text ``own``, certainly stands for."""
        if own.count(word) > 1 or not other:
            return None
        best = max(other, key=lambda candidate: self._both(word, candidate))
        if other.count(best) > 1 or max(own, key=lambda candidate: self._both(candidate, best)) != word:
            return None
        return other.index(best) if min(self._each(word, best)) >= SURE else None

    def _each(self, word: str, other: str) -> tuple[float, float]:
        return self.given_own.get(word, {}).get(other, 0.0), self.given_other.get(other, {}).get(word, 0.0)

    def _both(self, word: str, other: str) -> float:
        one, two = self._each(word, other)
        return one * two


def likely_words(pairs: Sequence[tuple[Clustered, Clustered]], lang: str, other: str) -> Likely:
    """Learned from texts in ``lang`` and their translations into ``other``; their order changes nothing."""
    sides = tuple(sorted((_folded_words(one, lang), _folded_words(two, other)) for one, two in pairs))
    return _learned(sides)


def _folded_words(text: Clustered, lang: str) -> Words:
    return tuple(folded(text.of(span)) for span in words_of(text, lang))


@functools.lru_cache(_KEPT)
def _learned(sides: tuple[tuple[Words, Words], ...]) -> Likely:
    return Likely(_table([(two, one) for one, two in sides]), _table(list(sides)))


def _table(pairs: Sequence[tuple[Words, Words]]) -> Mapping[str, Mapping[str, float]]:
    """By a word of the second texts the probabilities of words of the first."""
    from nltk.translate import AlignedSent, IBMModel1

    table: Any = IBMModel1([AlignedSent(list(one), list(two)) for one, two in pairs], _ROUNDS).translation_table
    found: dict[str, dict[str, float]] = {}
    for one, own in table.items():
        for two, probability in own.items():
            if two is not None and probability >= SURE / 2:
                found.setdefault(two, {})[one] = probability
    return found


def switched(question: Translated, share: float, draws: Draws) -> str:
    """With that share of its words, at least one, in the language of the translation, or as many as have a sure counterpart."""
    counterparts = question.counterparts()
    spans = words_of(question.text, question.lang)
    most = max(1, int(share * len(spans)))

    def edits() -> Iterator[list[Edit]]:
        for number in draws.ordered(counterparts, "word"):
            yield [_in_place(question, spans[number], counterparts[number])]

    text, made = applied(question.text, edits(), most)
    if not made:
        raise Refused("no word with a sure counterpart in the translation")
    return text


def _in_place(question: Translated, word: Span, counterpart: Span) -> Edit:
    """The counterpart where the word was; between blanks where words of the language have none between them."""
    written = question.translation.clusters[slice(*counterpart)]
    if has_own_words(question.lang):
        before, after = (_touches(question.text, place) for place in (word.start - 1, word.end))
        written = [*([" "] if before else []), *written, *([" "] if after else [])]
    return {place: tuple(written) if place == word.start else () for place in range(*word)}


def _touches(text: Clustered, place: int) -> bool:
    return 0 <= place < len(text.clusters) and bool(text.kinds[place])
