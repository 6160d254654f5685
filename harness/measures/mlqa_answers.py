"""Answers as MLQA's official script normalises them before it compares them, in the seven languages that it knows.

Source: facebookresearch/MLQA, ``mlqa_evaluation_v1.py`` (Lewis et al., ACL 2020): lower case; all of Unicode's punctuation and
ASCII's other signs deleted; articles of the language replaced by a blank; white space collapsed, and Chinese characters parted.
The Arabic article is deleted wherever its two letters stand, inside words too, as there; other languages it refuses.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

ARTICLES: Mapping[str, re.Pattern[str] | None] = {
    "en": re.compile(r"\b(a|an|the)\b"),
    "es": re.compile(r"\b(un|una|unos|unas|el|la|los|las)\b"),
    "hi": None,
    "vi": re.compile(r"\b(của|là|cái|chiếc|những)\b"),
    "de": re.compile(r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b"),
    # The first of its two forms can match nothing: it asks for the beginning of a text behind two letters.
    "ar": re.compile("ال"),
    "zh": None,
}
"""By language, what is replaced by a blank."""

_CHINESE = re.compile(r"([\u4e00-\u9fa5])")


def normalized_in(lang: str, text: str) -> str:
    """
    >>> normalized_in("de", "Der  Bär, ein „Tier“!"), normalized_in("zh", "北京 2008。")
    ('bär tier', '北 京 2008')
    """
    kept = "".join(sign for sign in text.lower() if not _is_punctuation(sign))
    if (articles := ARTICLES[lang]) is not None:
        kept = articles.sub(" ", kept)
    if lang == "zh":
        kept = _CHINESE.sub(r" \1 ", kept)
    return " ".join(kept.split())


@lru_cache(maxsize=10_000)
def _is_punctuation(sign: str) -> bool:
    return sign in string.punctuation or unicodedata.category(sign).startswith("P")
