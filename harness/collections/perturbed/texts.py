"""A text as grapheme clusters: its words, what of them is left alone, and edits that cut no cluster."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import regex

_CLUSTER = regex.compile(r"\X")
_LETTER = regex.compile(r"[\p{L}\p{M}]")
_NUMBER = regex.compile(r"\p{N}")
_DIGITS = regex.compile(r"\p{N}+")
_DOTTED = frozenset({"tr", "az"})
"""Languages with an i with and one without a dot, in both cases."""
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー]")
_KINDS = 1 << 16
"""Clusters of which it is remembered what they are: texts of all languages have fewer."""
Edit = Mapping[int, Sequence[str]]
"""What stands in place of clusters, by their numbers."""


class Refused(Exception):
    """The text cannot be changed in this way; the message says why, in words that are the same for all such texts."""


class Span(NamedTuple):
    """Clusters from ``start`` up to, not including, ``end``."""

    start: int
    end: int


def clusters_of(text: str) -> list[str]:
    """Extended grapheme clusters (Unicode Standard Annex 29), what a reader takes for one character.

    >>> clusters_of("नमस्ते!")
    ['न', 'म', 'स्ते', '!']
    """
    if text.isascii() and "\r" not in text:  # Only a line's two ends are one cluster of ASCII.
        return list(text)
    return _CLUSTER.findall(text)


def folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def lowered(text: str, lang: str) -> str:
    """In small letters, as the language has them.

    >>> lowered("IĞDIR İç", "tr"), lowered("I", "de")
    ('ığdır iç', 'i')
    """
    return (text.translate({0x130: "i", ord("I"): "\u0131"}) if _is_dotted(lang) else text).lower()


def raised(text: str, lang: str) -> str:
    """In capitals, as the language has them.

    >>> raised("ılık iç", "tr"), raised("i", "de")
    ('ILIK İÇ', 'I')
    """
    return (text.replace("i", "\u0130") if _is_dotted(lang) else text).upper()


def _is_dotted(lang: str) -> bool:
    return lang.partition("-")[0] in _DOTTED


def script_of(cluster: str) -> str:
    """The script of a cluster's first letter, by the name that Unicode gives it.

    >>> [script_of(cluster) for cluster in ("ä", "Ж", "తె", "시")]
    ['LATIN', 'CYRILLIC', 'TELUGU', 'HANGUL']
    """
    return unicodedata.name(cluster[0], "").partition(" ")[0]


@functools.lru_cache(_KINDS)
def is_letter(cluster: str) -> bool:
    return _LETTER.match(cluster) is not None and not has_number(cluster)


def has_number(cluster: str) -> bool:
    return _NUMBER.search(cluster) is not None


def is_blank(cluster: str) -> bool:
    return cluster.isspace()


@functools.lru_cache(_KINDS)
def _kind(cluster: str) -> str:
    if _UNSPACED.match(cluster):
        return "unspaced"
    return "spaced" if _LETTER.match(cluster) or has_number(cluster) else ""


@dataclass(frozen=True)
class Clustered:
    """A text in clusters. ``answers``: texts of which no word in it is changed."""

    text: str
    answers: tuple[str, ...] = ()

    @functools.cached_property
    def clusters(self) -> list[str]:
        return clusters_of(self.text)

    @functools.cached_property
    def kinds(self) -> list[str]:
        return [_kind(cluster) for cluster in self.clusters]

    @functools.cached_property
    def words(self) -> list[Span]:
        """Runs of letters, marks and digits; where no blanks divide words, as in Thai, of all letters between other signs."""
        spans: list[Span] = []
        for place, kind in enumerate(self.kinds):
            if kind and place and self.kinds[place - 1] == kind:
                spans[-1] = Span(spans[-1].start, place + 1)
            elif kind:
                spans.append(Span(place, place + 1))
        return spans

    def of(self, span: Span) -> str:
        return "".join(self.clusters[span.start : span.end])

    @functools.cached_property
    def in_answers(self) -> frozenset[int]:
        """Clusters of words that equal a word of an answer, and of whole answers."""
        wanted = {folded(answer) for answer in self.answers}
        parts = {
            folded(own.of(word))
            for own in map(Clustered, self.answers)
            for word in own.words
            if own.kinds[word.start] == "spaced"
        }
        found = {place for word in self.words if folded(self.of(word)) in parts for place in range(*word)}
        small = [folded(cluster) for cluster in self.clusters]
        for answer in filter(None, wanted):
            for start in range(len(small)):
                end, rest = start, answer
                while end < len(small) and small[end] and rest.startswith(small[end]):
                    rest, end = rest[len(small[end]) :], end + 1
                if not rest and self.ends_words(start, end):
                    found.update(range(start, end))
        return frozenset(found)

    def ends_words(self, start: int, end: int) -> bool:
        """Whether no word of a script with blanks goes on across an end of the span."""
        inner = (
            self.kinds[place - 1] == self.kinds[place] == "spaced"
            for place in (start, end)
            if 0 < place < len(self.kinds)
        )
        return not any(inner)

    @functools.cached_property
    def in_numbers(self) -> frozenset[int]:
        """Clusters of words with a digit in them."""
        return frozenset(
            place for word in self.words if any(map(has_number, self.clusters[slice(*word)])) for place in range(*word)
        )

    @functools.cached_property
    def left_alone(self) -> frozenset[int]:
        return self.in_answers | self.in_numbers

    def may_change(self, span: Span) -> bool:
        return self.left_alone.isdisjoint(range(*span))


def _numbers_of(text: str) -> list[str]:
    """Runs of digits, whatever their order."""
    return sorted(_DIGITS.findall(text))


def whole(clusters: Sequence[str]) -> str | None:
    """The clusters as a text; None where two of them would run together."""
    text = "".join(clusters)
    return text if clusters_of(text) == list(clusters) else None


def applied(text: Clustered, groups: Iterable[Iterable[Edit]], most: int) -> tuple[str, int]:
    """The text after one edit of each of the first ``most`` groups that have any that is possible, and how many that were.

    An edit is possible where it changes what the others leave, lets no clusters and no digits run together and leaves some
    text.
    """
    numbers = _numbers_of(text.text)
    done: dict[int, Sequence[str]] = {}
    made, now = 0, text.text
    for group in groups:
        for edit in group:
            if not done.keys().isdisjoint(edit):
                continue
            together = {**done, **edit}
            after = whole([own for place, old in enumerate(text.clusters) for own in together.get(place, (old,))])
            if after is not None and after.strip() and after not in (now, text.text) and _numbers_of(after) == numbers:
                done, now, made = together, after, made + 1
                break
        if made == most:
            break
    return now, made


def edited(text: Clustered, groups: Iterable[Iterable[Edit]], edits: int, what: str) -> str:
    """The text after so many edits, see ``applied``.

    Raises ``Refused`` where fewer than ``edits`` groups have one; ``what``: what such groups are, in words.
    """
    now, made = applied(text, groups, edits)
    if made < edits:
        raise Refused(f"no {what}" if edits == 1 else f"fewer than {edits} {what}")
    return now


def exchanged(text: Clustered, one: Span, two: Span) -> Edit:
    """The edit that lets two spans change places."""
    edit: dict[int, Sequence[str]] = {place: () for span in (one, two) for place in range(*span)}
    edit[one.start], edit[two.start] = text.clusters[slice(*two)], text.clusters[slice(*one)]
    return edit


def removed(places: Iterable[int]) -> Edit:
    return dict.fromkeys(places, ())


def pairs(spans: Sequence[Span]) -> Iterator[tuple[Span, Span]]:
    return ((one, two) for number, one in enumerate(spans) for two in spans[number + 1 :])
