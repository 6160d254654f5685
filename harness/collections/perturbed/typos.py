"""One slip of the finger in a word: two neighbours exchanged, a letter left out, put in, or another in its place.

After Zhuang and Zuccon 2022 (CharacterBERT-DR, make_typo_queries.py), who edit one word that is no stop word; here it is one of
at least three letters, which needs no list of stop words in every language, and a letter is a grapheme cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from harness.collections.perturbed.draws import Draws
from harness.collections.perturbed.texts import (
    Clustered,
    Edit,
    Span,
    clusters_of,
    edited,
    is_letter,
    lowered,
    raised,
    script_of,
)

LETTERS = 3
"""A shorter word is left as it is."""
Alphabets = Mapping[str, tuple[str, ...]]
"""Small letters by script."""


def alphabets_of(texts: Iterable[str], lang: str = "") -> Alphabets:
    """The letters of texts in a language, by script.

    >>> alphabets_of(["Ääni", "на Nile"])
    {'CYRILLIC': ('а', 'н'), 'LATIN': ('e', 'i', 'l', 'n', 'ä')}
    """
    found: dict[str, set[str]] = {}
    for cluster in {lowered(own, lang) for own in {own for text in texts for own in clusters_of(text)}}:
        if is_letter(cluster) and clusters_of(cluster) == [cluster]:
            found.setdefault(script_of(cluster), set()).add(cluster)
    return {script: tuple(sorted(letters)) for script, letters in sorted(found.items())}


def typo(kind: str, text: Clustered, alphabets: Alphabets, draws: Draws, edits: int, lang: str = "") -> str:
    """``kind``: "swap", "delete", "insert", "substitute", or "keyboard": ``alphabets`` are then the keys beside letters.

    ``lang``: whose small and capital letters they are.
    Raises ``Refused`` where too few words can have one.
    """
    groups = (
        _in_word(kind, text, text.words[number], alphabets, draws, lang)
        for number in draws.ordered(range(len(text.words)), "word")
        if _is_long(text, text.words[number])
    )
    return edited(text, groups, edits, f"words of {LETTERS} letters in which it can be done")


def _is_long(text: Clustered, word: Span) -> bool:
    return sum(map(is_letter, text.clusters[slice(*word)])) >= LETTERS


def _in_word(kind: str, text: Clustered, word: Span, alphabets: Alphabets, draws: Draws, lang: str) -> Iterator[Edit]:
    for place in draws.ordered(range(*word), "letter"):
        ends = place + 2 if kind == "swap" else place + 1
        if ends > word.end or not text.may_change(Span(place, ends)):
            continue
        here = text.clusters[place]
        if kind == "swap":
            yield {place: (text.clusters[place + 1],), place + 1: (here,)}
        elif kind == "delete":
            yield {place: ()}
        else:
            small = lowered(here, lang)
            of_what = small if kind == "keyboard" else script_of(here)
            for letter in draws.ordered(alphabets.get(of_what, ()), "which", place):
                if kind == "insert":
                    yield {place: (here, letter)}
                elif letter != small:
                    yield {place: (raised(letter, lang) if here.isupper() else letter,)}
