"""How far a recorded study, comparison or attack and the same one made again agree, figure by figure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from harness.files.toml_records import Record

RecordVerdict = Literal["identical", "same answers", "differs"]

_NAMES = (
    "encoder",
    "system",
    "reading",
    "name",
    "kind",
    "family",
    "perturbation",
    "measure",
    "column",
    "first",
    "second",
)
"""What an entry of a list is called by, where it has some of these."""

_OF_THE_MACHINE = frozenset({"device", "libraries"})
_DIGESTS = re.compile(r"scores\..*|readings\[[^]]*\]\.file")
"""Places of digests of what lies below the figures, per-query scores and a reader's scores: other last digits give others,
so that they speak for "identical" alone."""

_CHOSEN = re.compile(
    r"(?:declared|track|attack)\..*|schema_version|seed|alpha|(?:all_pairs_)?resamples"
    r"|(?:.*\.)?(?:weights?|top|draws)(?:\[[^]]*\])?"
)
"""Places of numbers that somebody set, or that were chosen among a few: another one is another answer however near it is.
The resamples of single tests are raised where p is near its level, so that they are none of these."""

_KEPT_LATER = ("p_error", "undecided")
"""What records did not keep once: null there says nothing that could be another answer."""

_SHOWN = 20


class Difference(NamedTuple):
    """``by``: how far two numbers lie apart; null where one of the two is none, or there are no two."""

    place: str
    recorded: Any
    again: Any
    by: float | None

    @property
    def in_words(self) -> str:
        return f"{self.place}: {_shown(self.recorded)} recorded, {_shown(self.again)} now"


class RecordAgreement(Record):
    """``figures``: values that were compared; ``differing``: how many differ; ``largest``: between two numbers.

    ``answers``: differences that are another answer, ``digits``: others, the first twenty of each, in words.
    """

    verdict: RecordVerdict
    figures: int
    differing: int
    largest: float
    answers: tuple[str, ...]
    digits: tuple[str, ...]


def record_agreement(recorded: Mapping[str, Any], again: Mapping[str, Any], tolerance: float) -> RecordAgreement:
    """Compare two records of one kind, as plain data.

    "same answers" where every text, mark of significance and chosen weight is the same, and no number lies further off
    than ``tolerance``, that of the track for scores, times the number itself where it is above one; whole numbers may differ
    by one. Entries of lists are held together by what they are called, whatever their order.

    >>> record_agreement({"rows": [{"system": "a", "value": 0.5}]}, {"rows": [{"system": "a", "value": 0.6}]}, 0.01).answers
    ('rows[a].value: 0.5 recorded, 0.6 now',)
    """
    one, two = dict(_leaves(recorded, "")), dict(_leaves(again, ""))
    places = [*dict.fromkeys([*one, *two])]
    absent = "nothing"
    found = [
        Difference(place, one.get(place, absent), two.get(place, absent), _apart(one.get(place), two.get(place)))
        for place in places
        if (place not in one or place not in two or not _same(one[place], two[place])) and not _was_not_kept(place, one)
    ]
    answers = [own for own in found if _is_another_answer(own, tolerance)]
    digits = [own for own in found if not _is_another_answer(own, tolerance)]
    return RecordAgreement(
        verdict="differs" if answers else "same answers" if digits else "identical",
        figures=len(places),
        differing=len(found),
        largest=max((own.by for own in found if own.by is not None), default=0.0),
        answers=tuple(own.in_words for own in answers[:_SHOWN]),
        digits=tuple(own.in_words for own in digits[:_SHOWN]),
    )


def _leaves(content: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(content, Mapping):
        if not content:
            yield place, {}
        for key, value in content.items():
            if key not in _OF_THE_MACHINE:
                yield from _leaves(value, f"{place}.{key}" if place else str(key))
    elif isinstance(content, list | tuple):
        seen: Counter[str] = Counter()
        yield f"{place}, how many", len(content)
        for value in content:
            name = _name_of(value)
            seen[name] += 1
            again = f" {seen[name]}" if seen[name] > 1 or not name else ""
            yield from _leaves(value, f"{place}[{name}{again}]".replace("[ ", "["))
    else:
        yield place, content


def _name_of(entry: Any) -> str:
    if not isinstance(entry, Mapping):
        return ""
    return ", ".join(str(entry[key]) for key in _NAMES if isinstance(entry.get(key), str))


def _same(one: Any, two: Any) -> bool:
    """As JSON has it, where true is not 1."""
    return isinstance(one, bool) == isinstance(two, bool) and bool(one == two)


def _apart(one: Any, two: Any) -> float | None:
    return abs(one - two) if _is_number(one) and _is_number(two) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _was_not_kept(place: str, recorded: Mapping[str, Any]) -> bool:
    return place.endswith(_KEPT_LATER) and place in recorded and recorded[place] is None


def _is_another_answer(own: Difference, tolerance: float) -> bool:
    if _DIGESTS.fullmatch(own.place):
        return False
    if own.by is None or _CHOSEN.fullmatch(own.place):
        return True
    whole = isinstance(own.recorded, int) and isinstance(own.again, int)
    granted = tolerance * max(1.0, abs(own.recorded), abs(own.again))
    return bool(own.by > (max(1.0, granted) if whole else granted))


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else f"{value}"[:80]
