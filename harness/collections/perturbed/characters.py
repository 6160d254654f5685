"""What is done to every word alike: case, diacritics, punctuation, blanks, homoglyphs, invisible characters, romanisation.

Nothing here is drawn, except where a blank is lost.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import regex

from harness.collections.perturbed.draws import Draws
from harness.collections.perturbed.texts import (
    Clustered,
    Refused,
    Span,
    edited,
    is_blank,
    lowered,
    raised,
    script_of,
)
from harness.collections.romanize import romanized_text

_LOOK_ALIKE = dict(zip("aceijopsxyABCEHIJKMOPSTX", "асеіјорѕхуАВСЕНІЈКМОРЅТХ", strict=True))
"""Latin letters and the Cyrillic ones that are drawn alike (Unicode's confusables.txt has these pairs)."""
_BARED = frozenset({"LATIN", "GREEK", "CYRILLIC"})
_HARAKAT = regex.compile("[\u064b-\u0652\u0670]")
_PUNCTUATION = regex.compile(r"\p{P}+")
_ZERO_WIDTH = "\u200b"


def _words_changed(text: Clustered, change: Callable[[str], str]) -> str:
    """The text with every word changed that is not left alone; where a part of a word is, so is the whole word."""
    written, place = [], 0
    for word in text.words:
        written += [text.of(Span(place, word.start)), change(text.of(word)) if text.may_change(word) else text.of(word)]
        place = word.end
    return "".join([*written, text.of(Span(place, len(text.clusters)))])


def cased(text: Clustered, lang: str, form: str) -> str:
    """``form``: "lower" or "upper"."""
    change = lowered if form == "lower" else raised
    return _words_changed(text, lambda word: change(word, lang))


def bare(text: Clustered) -> str:
    """Without the accents of Latin, Greek and Cyrillic letters, and without the vowel signs of Arabic, which few people write.

    The marks of Indic scripts and of Thai are vowels and tones, not accents: they stay.
    """

    def change(word: str) -> str:
        if script_of(word) in _BARED:
            split = unicodedata.normalize("NFD", word)
            return unicodedata.normalize("NFC", "".join(c for c in split if not unicodedata.combining(c)))
        return _HARAKAT.sub("", word)

    return _words_changed(text, change)


def unpunctuated(text: Clustered) -> str:
    """Without punctuation that does not stand inside a word or number, as in 6,650 and O'Neill."""
    kept = []
    for place, cluster in enumerate(text.clusters):
        inside = 0 < place < len(text.kinds) - 1 and text.kinds[place - 1] and text.kinds[place + 1]
        kept.append(cluster if inside or place in text.in_answers or not _PUNCTUATION.fullmatch(cluster) else "")
    return " ".join("".join(kept).split(" ")).strip()


def spaced(text: Clustered) -> str:
    """With every blank doubled. Raises ``Refused`` where there is none."""
    if not any(map(is_blank, text.clusters)):
        raise Refused("no blanks")
    return "".join(cluster * 2 if is_blank(cluster) else cluster for cluster in text.clusters)


def run_together(text: Clustered, draws: Draws, edits: int) -> str:
    """Without ``edits`` of the blanks between two words, none of which is left alone."""
    gaps = {
        one.end: {one.end: ()}
        for one, two in zip(text.words, text.words[1:], strict=False)
        if two.start == one.end + 1
        and is_blank(text.clusters[one.end])
        and text.may_change(one)
        and text.may_change(two)
    }
    groups = ([gaps[place]] for place in draws.ordered(gaps, "blank"))
    return edited(text, groups, edits, "blanks that may be lost")


def look_alike(text: Clustered) -> str:
    """With Cyrillic letters in place of Latin ones that look the same. Raises ``Refused`` where there are no Latin letters."""
    if not any(script_of(cluster) == "LATIN" for cluster in text.clusters):
        raise Refused("no Latin letters")
    return _words_changed(text, lambda word: "".join(_LOOK_ALIKE.get(c, c) for c in word))


def parted(text: Clustered) -> str:
    """With a zero-width space (U+200B) in the middle of every word of at least two letters."""

    def middle(word: str) -> str:
        own = Clustered(word).clusters
        half = len(own) // 2
        return "".join([*own[:half], _ZERO_WIDTH if half else "", *own[half:]])

    return _words_changed(text, middle)


def in_latin(text: Clustered) -> str:
    """Words of other scripts in Latin letters; Latin words and Han characters stay as they are."""
    return _words_changed(text, lambda word: word if script_of(word) == "LATIN" else romanized_text(word))
