"""Which language a ranking prefers where each passage is there in several: of the benchmark, no measures of the evaluator.

A measure of the evaluator says of each passage what it does for a query's score, and from that come ceilings and what ties can
change (``harness.measures.base.Measure.helpfulness``). What is here hangs on which passages stand together, and more of it is
neither better nor worse.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Bias(NamedTuple):
    """Of one question, or means over many.

    ``entropy``: of the languages of the first passages, in bits; ``spread``: ranks between the first and the last version of
    the relevant passage; ``own``, ``others``: rank of its version in the question's language, mean rank of the others.
    """

    entropy: float
    spread: float
    own: float
    others: float


def entropy_of(languages: Sequence[str]) -> float:
    """In bits: 0 where all are one, 3 where eight are different.

    >>> entropy_of(["ar", "ar", "en", "en"]), entropy_of(["ar"])
    (1.0, 0.0)
    """
    counts = Counter(languages)
    return sum(count / len(languages) * math.log2(len(languages) / count) for count in counts.values())


def bias_of(
    ranking: Sequence[str], relevant: Sequence[str], lang: str, language_of: Callable[[str], str], first: int = 8
) -> Bias:
    """Of a ranking of all passages, best first; ranks begin at 1. ``relevant`` has one passage in each language."""
    rank = {doc_id: place for place, doc_id in enumerate(ranking, 1)}
    by_language = {language_of(doc_id): rank[doc_id] for doc_id in relevant}
    others = [place for other, place in by_language.items() if other != lang]
    return Bias(
        entropy_of([language_of(doc_id) for doc_id in ranking[:first]]),
        max(by_language.values()) - min(by_language.values()),
        by_language[lang],
        sum(others) / len(others),
    )


def mean_bias(found: Sequence[Bias]) -> Mapping[str, float]:
    return {name: sum(values) / len(found) for name, values in zip(Bias._fields, zip(*found, strict=True), strict=True)}
