"""What is said of tokens without tokenizing, held against NLTK on texts made to break it."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from xor_reference import Tokenize, nltk_word_tokenize

from harness.collections.formats.folder import Folder
from harness.collections.mini import HOME
from harness.measures.untokenized import can_stand_in_tokens, fewest_tokens, most_tokens, outline, reduced

# All that NLTK's and Punkt's patterns mention, white space of every kind (also what only Python or only Unicode takes for
# it), characters that look like it, and letters that case folding makes equal to others (long s, Kelvin, dotless i).
PIECES = [
    "cannot", "caNNOT", "gimme", "gonna", "Gotta", "lemme", "more'n", "d'ye", "'tis", "'Twas", "wanna", "can not", "don't",
    "N'T", "n't", "'s", "'S", "'ll", "'re", "'ve", "'m", "'d", "O'Neil", "James'", "ſ", "K", "ı", "İ", "'tıs", "ﬁ",
    "'", "''", "'''", '"', '""', "`", "``", "```", "“", "”", "‘", "’", "«", "»", "„",
    ".", "..", "...", "....", "…", "?", "!", "?!", "!!", ",", ",,", ":", ":,", ";", ".'", ".')", '."', ".”", ".]",
    "-", "--", "---", "----", "–", "—", "‒", "―", "‐", "/", "_", "+", "=", "~", "^", "|", "\\", "@", "#", "$", "%", "&", "*",
    "(", ")", "[", "]", "{", "}", "<", ">", "1", "1,000", "3.88", "1:2", "٣", "²", "Mr.", "U.S.", "No.", "A.", "e.g.", "x", "Y",
    " ", "  ", "\n", "\n\n", "\t", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\xa0", "\u1680", "\u2007",
    "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\x00", "\ud800",
    "e\u0301", "\u0301", "東京", "తెలుగు", "عربي", "😀",
]  # fmt: skip

TEXTS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    st.lists(st.sampled_from([*PIECES, "the", "New", "York"]), max_size=12).map(" ".join),
    st.text(st.characters(), max_size=20),
)


@pytest.fixture(scope="module")
def nltk_tokenize(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tokenize]:
    with nltk_word_tokenize(tmp_path_factory.mktemp("nltk_data")) as tokenize:
        yield tokenize


def check(text: str, tokens: list[str]) -> None:
    joined = " ".join(tokens)
    assert reduced(joined) == reduced(text) == outline(text).reduced, repr(text)
    assert outline(text).words <= fewest_tokens(text) <= len(tokens) <= most_tokens(text), repr(text)
    assert len(tokens) <= len(reduced(text))
    assert can_stand_in_tokens(joined), repr(text)


@given(TEXTS)
@settings(max_examples=1500)
@example("")
@example('"')
@example("''\"''")
@example("J.cannot")
@example("gotta\ufeff ?!")
@example("He said 'no.'\x1c\"Yes.\"\x85 So.")
def test_reduced_texts_are_equal_and_numbers_of_tokens_within_their_bounds(nltk_tokenize: Tokenize, text: str) -> None:
    check(text, nltk_tokenize(text))


def test_the_same_on_thousands_of_random_texts_and_on_the_embedded_passages(nltk_tokenize: Tokenize) -> None:
    rng = random.Random(7)
    texts = [
        "".join(rng.choice(PIECES) + rng.choice(("", "", " ")) for _ in range(rng.randrange(7))) for _ in range(6000)
    ]
    for text in [*texts, *(doc.text for doc in Folder(HOME).docs)]:
        check(text, nltk_tokenize(text))


@given(st.lists(TEXTS, min_size=1, max_size=3), st.data())
@settings(max_examples=500)
def test_what_stands_in_the_joined_tokens_stands_reduced_in_the_reduced_texts(
    nltk_tokenize: Tokenize, texts: list[str], data: st.DataObject
) -> None:
    joined = " ".join(token for text in texts for token in nltk_tokenize(text))
    start = data.draw(st.integers(0, len(joined)))
    answer = joined[start : data.draw(st.integers(start, len(joined)))]
    assert reduced(answer) in "".join(map(reduced, texts))
    assert can_stand_in_tokens(answer)


def test_half_of_a_rewritten_quote_is_found_too() -> None:
    """Taking ``"``, two backquotes and two apostrophes for one symbol would miss an answer that cuts the symbol in two."""
    assert reduced("' Yes") in reduced('He said "Yes"')
    assert reduced("said `") in reduced('He said "Yes"')


def test_the_bounds_are_close_on_prose() -> None:
    """Bounds that are true but useless would pass all of the above."""
    docs = list(Folder(HOME).docs)
    fewest, most = sum(fewest_tokens(doc.text) for doc in docs), sum(most_tokens(doc.text) for doc in docs)
    assert most < 1.07 * fewest


@pytest.mark.parametrize(
    "answer",
    ["36%", "$5", "(a", "a)", "a\xa0b", "a\tb", "a  b", "\n", "Yahoo!", 'a"b', "a\u2014b", "[1]", "AT&T", "a\x1cb"],
)
def test_answers_that_no_tokens_can_hold(answer: str, nltk_tokenize: Tokenize) -> None:
    assert not can_stand_in_tokens(answer)
    contexts = (answer, f"x {answer} y", f"It was {answer}.", f"({answer})", f'"{answer}"', f"a{answer}b")
    assert not any(answer in " ".join(nltk_tokenize(text)) for text in contexts)


@pytest.mark.parametrize(
    "answer", ["36 %", "( a )", " York", "New ", "1,000", "a.b", "don't", "``", "«a", "-", "", " "]
)
def test_answers_that_are_looked_for(answer: str) -> None:
    assert can_stand_in_tokens(answer)
