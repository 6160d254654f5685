"""Answers as SQuAD 1.1 compares them, held against its rules written a second time and against values worked out by hand."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.measures.squad_answers import exact_match, may_hold_match, normalized_answer, token_f1

PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def words_by_hand(text: str) -> list[str]:
    """SQuAD's normalisation by scanning signs instead of expressions: an article counts where no word goes on beside it."""
    kept = [sign for sign in text.lower() if sign not in PUNCTUATION]
    pieces: list[str] = []
    word = ""
    for sign in [*kept, " "]:
        if sign.isalnum() or sign == "_":
            word += sign
            continue
        pieces.append("" if word in ("a", "an", "the") else word)
        if word in ("a", "an", "the"):
            pieces.append(" ")
        word = ""
        pieces.append(sign)
    return "".join(pieces).split()


def f1_by_hand(one: list[str], other: list[str]) -> float:
    left = list(other)
    shared = 0
    for word in one:
        if word in left:
            left.remove(word)
            shared += 1
    return 2 * shared / (len(one) + len(other)) if shared else 0.0


alphabet = st.sampled_from([*"aeht nAT.,'-$ü_日 \t", "the", " an ", "the ", "\u00a0", "１"])
texts = st.lists(alphabet, max_size=12).map("".join)


@given(texts)
def test_normalisation_is_that_of_the_rules(text: str) -> None:
    assert normalized_answer(text) == " ".join(words_by_hand(text))


@given(texts, st.lists(texts, max_size=3))
def test_exact_match_and_f1_are_those_of_the_rules(prediction: str, answers: list[str]) -> None:
    found = words_by_hand(prediction)
    assert exact_match(prediction, answers) == any(found == words_by_hand(answer) for answer in answers)
    expected = max((f1_by_hand(found, words_by_hand(answer)) for answer in answers), default=0.0)
    assert token_f1(prediction, answers) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("prediction", "answers", "equal", "f1"),
    [
        ("the Denver Broncos", ("Denver Broncos",), True, 1.0),
        ("Denver Broncos of Colorado", ("Denver Broncos",), False, 2 / 3),
        ("1,281 metres", ("1281 metres", "nothing"), True, 1.0),
        ("New York", ("new-york",), False, 0.0),
        ("a b b c", ("b b d",), False, 2 * (2 / 3) * (2 / 3) / (4 / 3)),
        ("", ("the",), True, 0.0),
        ("10 €", ("10",), False, 2 / 3),
        ("x", (), False, 0.0),
    ],
)
def test_values_worked_out_by_hand(prediction: str, answers: tuple[str, ...], equal: bool, f1: float) -> None:
    assert exact_match(prediction, answers) is equal
    assert token_f1(prediction, answers) == pytest.approx(f1, abs=1e-12)


@given(texts, st.integers(0, 40), st.integers(0, 40), texts)
def test_no_span_of_a_passage_that_may_hold_none_is_an_answer(passage: str, start: int, end: int, other: str) -> None:
    span = passage[start:end].strip()
    assert may_hold_match([other, span], passage)
    assert may_hold_match([other, span.upper()], passage) or span.upper().lower() != span.lower()
    if exact_match(span, [other]):
        assert may_hold_match([other], passage)


def test_a_span_that_ends_in_a_word_has_another_small_sigma() -> None:
    passage = "ὉΔΟΣΑ"
    assert exact_match(passage[:4], ["ὁδος"])
    assert may_hold_match(["ὁδος"], passage)
    assert not may_hold_match(["Volga", "the Nile delta"], "The Nile and its delt.")
    assert not may_hold_match([], passage)


def test_accents_are_kept_as_they_are() -> None:
    """The script unifies no forms of Unicode; whoever compares in other languages has to know."""
    assert not exact_match("é", [unicodedata.normalize("NFD", "é")])
