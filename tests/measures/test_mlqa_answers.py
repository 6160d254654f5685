"""Answers as MLQA's script normalises them, held against its rules written a second time, sign by sign."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.measures.mlqa_answers import ARTICLES, normalized_in

WORDS = {
    "en": "a an the",
    "es": "un una unos unas el la los las",
    "vi": "của là cái chiếc những",
    "de": "ein eine einen einem eines einer der die das den dem des",
}
ASCII_SIGNS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def by_hand(lang: str, text: str) -> str:
    """Without expressions: articles count where no letter, mark of \\w or digit goes on beside them."""
    kept = [s for s in text.lower() if s not in ASCII_SIGNS and not unicodedata.category(s).startswith("P")]
    words, word = [], ""
    for sign in [*kept, " "]:
        if sign.isalnum():
            word += sign
            continue
        words.append(" " if word in WORDS.get(lang, "").split() else word)
        words.append(sign)
        word = ""
    joined = "".join(words)
    if lang == "ar":
        joined = joined.replace("ال", " ")
    if lang == "zh":
        joined = "".join(f" {s} " if "\u4e00" <= s <= "\u9fa5" else s for s in joined)
    return " ".join(joined.split())


signs = st.sampled_from([*"aeht nAT.,'-$ü日本 x", "the ", " der", "las ", "ال", "は", "।", "。", "«", "là ", "कि"])


@given(st.sampled_from(sorted(ARTICLES)), st.lists(signs, max_size=12).map("".join))
def test_normalisation_is_that_of_the_rules(lang: str, text: str) -> None:
    # A combining vowel sign is no letter for \w's borders in one reading and part of the word in the other.
    assert normalized_in(lang, text) == by_hand(lang, text)


@pytest.mark.parametrize(
    ("lang", "text", "expected"),
    [
        ("en", "The U.S. “Army”", "us army"),
        ("es", "La Paz y el mar", "paz y mar"),
        ("de", "Die Brücke der Stadt", "brücke stadt"),
        ("vi", "của Hà Nội", "hà nội"),
        ("hi", "नई दिल्ली।", "नई दिल्ली"),
        # Inside words too, as in the published script.
        ("ar", "المال", "م"),
        ("zh", "2008年在北京", "2008 年 在 北 京"),
    ],
)
def test_values_worked_out_by_hand(lang: str, text: str, expected: str) -> None:
    assert normalized_in(lang, text) == expected
