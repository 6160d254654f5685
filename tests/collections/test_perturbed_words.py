"""Words left out or exchanged: which they are, which stay, and that those of a language without blanks need its segmenter."""

from __future__ import annotations

import sys

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from perturbed_texts import DRAWS, TEXTS

from harness import segmenters
from harness.collections.perturbed import words
from harness.collections.perturbed.draws import Draws
from harness.collections.perturbed.stop_words import stop_words
from harness.collections.perturbed.texts import Clustered, Refused, folded, lowered
from harness.errors import InvalidInput


@given(TEXTS, DRAWS)
def test_words_left_out_are_a_fifth_and_the_others_stay_in_order(text: str, draws: Draws) -> None:
    clean = Clustered(text)
    try:
        after = words.dropped(clean, "fi", 0.2, draws)
    except Refused:
        return
    own = [clean.of(span) for span in words.words_of(clean, "fi")]
    now = [Clustered(after).of(span) for span in words.words_of(Clustered(after), "fi")]
    assert len(own) - len(now) == max(1, len(own) // 5)
    rest = iter(own)
    assert all(word in rest for word in now), "a subsequence"


def test_numbers_do_not_run_together_where_the_word_between_them_is_left_out() -> None:
    made = {words.dropped(Clustered("在2004和2005之间"), "zh", 0.2, Draws(seed, "", "")) for seed in range(20)}
    assert len(made) > 1
    assert all({"2004", "2005"} == set(regex.findall(r"\d+", text)) for text in made)


@given(TEXTS, DRAWS)
def test_exchanged_words_are_neighbours(text: str, draws: Draws) -> None:
    clean = Clustered(text)
    try:
        after = words.swapped(clean, "fi", draws, 1)
    except Refused:
        return
    own = [clean.of(span) for span in words.words_of(clean, "fi")]
    now = [Clustered(after).of(span) for span in words.words_of(Clustered(after), "fi")]
    (place, other) = [number for number in range(len(own)) if own[number] != now[number]]
    assert other == place + 1
    assert (own[place], own[other]) == (now[other], now[place])


def test_thai_words_are_those_of_a_segmenter_which_has_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pythainlp.tokenize", None)
    segmenters.words_of.cache_clear()
    try:
        with pytest.raises(InvalidInput, match=r"pip install 'xdr-bench\[segment\]'"):
            words.dropped(Clustered("แม่น้ำโวลกายาวเท่าไร"), "th", 0.2, Draws(1, "", ""))
    finally:
        segmenters.words_of.cache_clear()


def test_stop_words_of_the_language_are_left_out_but_not_those_of_an_answer() -> None:
    assert words.without_stop_words(Clustered("What is the name of the river?"), "en") == "river?"
    assert words.without_stop_words(Clustered("Who are The Who?", ("The Who",)), "en") == "Who The Who?"
    assert words.without_stop_words(Clustered("Wie lang ist die Wolga?"), "de") == "Wolga?"
    assert words.without_stop_words(Clustered("Wolga Don"), "de") == "Wolga Don", "there is none"
    with pytest.raises(Refused, match="nothing but stop words"):
        words.without_stop_words(Clustered("Who is it?"), "en")
    with pytest.raises(Refused, match="no stop words of te are known"):
        words.without_stop_words(Clustered("వోల్గా ఎక్కడ?"), "te")


@pytest.mark.parametrize(
    ("lang", "library", "text", "after"),
    [
        ("ja", "fugashi", "富士山はどこにありますか", "富士山"),
        ("th", "pythainlp", "แม่น้ำโขงยาวเท่าไร", "แม่น้ำโขงยาวเท่าไร"),
        ("zh", "jieba", "长江在哪里", "长江"),
    ],
)
def test_stop_words_without_blanks_are_those_that_a_segmenter_finds(
    lang: str, library: str, text: str, after: str
) -> None:
    pytest.importorskip(library, reason=f"needs {library}, of the extra `segment`")
    assert words.without_stop_words(Clustered(text), lang) == after


@given(TEXTS, st.sampled_from(["ar", "bn", "de", "el", "fi", "hi", "ko", "ru", "tr", "vi"]))
def test_without_stop_words_the_others_stay_whole_and_in_order(text: str, lang: str) -> None:
    clean = Clustered(text)
    try:
        after = words.without_stop_words(clean, lang)
    except Refused:
        return
    known = stop_words(lang)
    own = [clean.of(span) for span in words.words_of(clean, lang)]
    now = [Clustered(after).of(span) for span in words.words_of(Clustered(after), lang)]
    assert now == [word for word in own if folded(lowered(word, lang)) not in known or regex.search(r"\p{N}", word)]
