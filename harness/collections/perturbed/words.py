"""Words left out or exchanged; in Japanese, Chinese and Thai they are those of the extra ``segment``."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from harness import segmenters
from harness.collections.perturbed.draws import Draws
from harness.collections.perturbed.stop_words import stop_words
from harness.collections.perturbed.texts import (
    Clustered,
    Edit,
    Refused,
    Span,
    applied,
    edited,
    exchanged,
    folded,
    has_number,
    is_blank,
    lowered,
    pairs,
    removed,
)
from harness.errors import InvalidInput
from harness.segmenters import Cut

_SEPARATORS = frozenset(".,:\u066b\u066c")
_SENTENCE_ENDS = frozenset(".!?।؟。！？")


def words_of(text: Clustered, lang: str) -> list[Span]:
    """What stands between blanks, without the punctuation around it; where none divide words, what a segmenter finds.

    Raises ``InvalidInput`` where the segmenter of the language is not installed: other words would be another collection.
    """
    spans = _segmented(text, _segmenter(lang)) if segmenters.has_own_words(lang) else _between_blanks(text)
    return [span for span in map(functools.partial(_core, text), spans) if span.start < span.end]


def dropped(text: Clustered, lang: str, share: float, draws: Draws) -> str:
    """Without that share of its words, but at least one."""
    words = words_of(text, lang)
    count = max(1, int(share * len(words)))
    if len(words) <= count:
        raise Refused("too few words")
    groups = (
        _without(text, words[number])
        for number in draws.ordered(range(len(words)), "word")
        if text.may_change(words[number])
    )
    return edited(text, groups, count, "words that may be left out")


def without_stop_words(text: Clustered, lang: str) -> str:
    """Without its stop words; a word of an answer, or with a digit, stays."""
    if not (known := stop_words(lang)):
        raise Refused(f"no stop words of {lang} are known")
    words = words_of(text, lang)
    found = [word for word in words if folded(lowered(text.of(word), lang)) in known and text.may_change(word)]
    if len(found) == len(words):
        raise Refused("nothing but stop words")
    return applied(text, (_without(text, word, alone=True) for word in found), len(found))[0]


def swapped(text: Clustered, lang: str, draws: Draws, edits: int) -> str:
    """With ``edits`` pairs of neighbouring words exchanged, none of them twice."""
    words = words_of(text, lang)
    groups = (
        [exchanged(text, words[number], words[number + 1])]
        for number in draws.ordered(range(len(words) - 1), "word")
        if text.may_change(words[number]) and text.may_change(words[number + 1])
    )
    return edited(text, groups, edits, "neighbouring words that may be exchanged")


def reordered(text: Clustered, draws: Draws, edits: int, *, answers_first: bool = False) -> str:
    """With ``edits`` pairs of numbers, or of names, exchanged, as PAWS makes its pairs of the same words.

    A name is a word, or several, that begins with a capital letter and does not begin a sentence. ``answers_first``: pairs
    with a word of an answer are taken before others; else no such word is moved.
    """
    of_kind = [numbers_of(text), names_of(text)]
    found = dict(enumerate(pair for spans in of_kind for pair in pairs(spans)))

    def in_answers(number: int) -> bool:
        return any(not text.in_answers.isdisjoint(range(*span)) for span in found[number])

    def differ(number: int) -> bool:
        one, two = found[number]
        return folded(text.of(one)) != folded(text.of(two))

    order = [number for number in draws.ordered(found, "pair") if differ(number)]
    first = [number for number in order if in_answers(number)] if answers_first else []
    rest = [number for number in order if not in_answers(number)]
    groups = ([exchanged(text, *found[number])] for number in [*first, *rest])
    return edited(text, groups, edits, "pairs of different numbers or names that may be exchanged")


def numbers_of(text: Clustered) -> list[Span]:
    """Numbers in digits that no letter of a script with blanks clings to.

    >>> text = Clustered("From 1883 to 6,650.5, B52 and 2010年")
    >>> [text.of(span) for span in numbers_of(text)]
    ['1883', '6,650.5', '2010']
    """
    found, place = [], 0
    while place < len(text.clusters):
        end = place
        while end < len(text.clusters) and (
            has_number(text.clusters[end])
            or (
                end > place
                and text.clusters[end] in _SEPARATORS
                and end + 1 < len(text.clusters)
                and has_number(text.clusters[end + 1])
            )
        ):
            end += 1
        if end > place and text.ends_words(place, end):
            found.append(Span(place, end))
        place = end + 1
    return found


def names_of(text: Clustered) -> list[Span]:
    """
    >>> text = Clustered("When did Marie Curie leave Warsaw? In May.")
    >>> [text.of(span) for span in names_of(text)]
    ['Marie Curie', 'Warsaw', 'May']
    """
    found: list[Span] = []
    for word in text.words:
        before = next((c for c in reversed(text.clusters[: word.start]) if not is_blank(c)), ".")
        if not text.clusters[word.start][0].isupper() or not text.in_numbers.isdisjoint(range(*word)):
            continue
        if before in _SENTENCE_ENDS:
            continue
        if found and found[-1].end + 1 == word.start and is_blank(text.clusters[found[-1].end]):
            found[-1] = Span(found[-1].start, word.end)
        else:
            found.append(word)
    return found


def _without(text: Clustered, word: Span, *, alone: bool = False) -> Iterator[Edit]:
    """The word left out with the blank before it, else with that after it; with neither where there is none, or ``alone``."""
    before, after = word.start - 1, word.end
    blanks = [place for place in (before, after) if 0 <= place < len(text.clusters) and is_blank(text.clusters[place])]
    for blank in blanks:
        yield removed([*range(*word), blank])
    if alone or not blanks:
        yield removed(range(*word))


def _between_blanks(text: Clustered) -> Iterator[Span]:
    start = 0
    for place, cluster in enumerate([*text.clusters, " "]):
        if is_blank(cluster):
            yield Span(start, place)
            start = place + 1


def _core(text: Clustered, span: Span) -> Span:
    """The span from its first letter or digit to its last."""
    inside = [place for place in range(*span) if text.kinds[place]]
    return Span(inside[0], inside[-1] + 1) if inside else Span(span.start, span.start)


def _segmented(text: Clustered, cut: Cut) -> Iterator[Span]:
    """Segments in clusters; one that ends inside a cluster goes on to its end."""
    place_of, characters = {}, 0
    for number, cluster in enumerate(text.clusters):
        place_of[characters] = number
        characters += len(cluster)
    place_of[characters] = len(text.clusters)
    start = position = 0
    for segment in cut(text.text):
        position = text.text.index(segment, position) + len(segment)
        if (end := place_of.get(position)) is not None:
            yield Span(start, end)
            start = end


def _segmenter(lang: str) -> Cut:
    try:
        return segmenters.words_of(lang)
    except ImportError as error:
        raise InvalidInput(
            f"words in {segmenters.spoken(lang)} cannot be told apart: {error.name} is not installed; pip install "
            "'xdr-bench[segment]'"
        ) from error
