"""Slips of the finger: so many edits of whole clusters, with letters of the language's own script, or of its keyboard."""

from __future__ import annotations

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from perturbed_texts import DRAWS, LETTERS, TEXTS, WORDS, edit_distance

from harness.collections.perturbed import keyboards, typos
from harness.collections.perturbed.draws import Draws
from harness.collections.perturbed.texts import Clustered, Refused, clusters_of


@given(st.one_of(TEXTS, st.text(), st.text("a\r\n \t\u0308")))
def test_clusters_are_those_of_the_standard_and_letters_those_of_every_text(text: str) -> None:
    assert clusters_of(text) == regex.findall(r"\X", text)
    letters = {
        cluster
        for cluster in (own.lower() for own in regex.findall(r"\X", text))
        if regex.match(r"[\p{L}\p{M}]", cluster)
        and not regex.search(r"\p{N}", cluster)
        and regex.fullmatch(r"\X", cluster)
    }
    found = typos.alphabets_of([text, text[: len(text) // 2]])
    assert {letter for own in found.values() for letter in own} >= letters
    assert {letter for own in typos.alphabets_of([text]).values() for letter in own} == letters


@settings(max_examples=200, deadline=None)
@given(TEXTS, DRAWS, st.sampled_from(["swap", "delete", "insert", "substitute"]), st.integers(1, 2))
def test_a_typo_is_so_many_edits_of_clusters_and_leaves_numbers_alone(
    text: str, draws: Draws, kind: str, edits: int
) -> None:
    try:
        after = typos.typo(kind, Clustered(text), LETTERS, draws, edits)
    except Refused:
        return
    before, now = clusters_of(text), clusters_of(after)
    assert edit_distance(before, now) == edits
    assert len(now) - len(before) == {"insert": edits, "delete": -edits}.get(kind, 0)
    if kind == "swap":
        assert sorted(before) == sorted(now)
    digits = r"\S*\p{N}\S*"
    assert regex.findall(digits, after) == regex.findall(digits, text)
    assert {typos.script_of(c) for c in now} <= {typos.script_of(c) for c in before}, (
        "letters of the scripts of the text"
    )
    assert typos.typo(kind, Clustered(text), LETTERS, draws, edits) == after


@pytest.mark.parametrize("kind", ["swap", "delete", "insert", "substitute"])
def test_a_word_of_every_script_can_have_a_typo_and_its_clusters_stay_whole(kind: str) -> None:
    for word in [word for word in WORDS if regex.fullmatch(r"[\p{L}\p{M}]+", word) and len(clusters_of(word)) > 2]:
        after = typos.typo(kind, Clustered(word), LETTERS, Draws(1, "r", "q"), 1)
        known = {*clusters_of(word), *(letter for letters in LETTERS.values() for letter in letters)}
        assert {cluster.lower() for cluster in clusters_of(after)} <= {cluster.lower() for cluster in known}


def test_a_slip_to_the_key_beside_is_a_letter_of_the_language_s_own_keyboard() -> None:
    for lang, word in (("de", "straße"), ("ru", "Волга"), ("tr", "ırmak"), ("ar", "تسمى")):
        keys = keyboards.neighbours(lang)
        assert all(letter in keys[other] for letter, others in keys.items() for other in others), (
            "neighbours of each other"
        )
        for seed in range(20):
            after = typos.typo("keyboard", Clustered(word), keys, Draws(seed, "r", "q"), 1)
            ((before, now),) = [(a, b) for a, b in zip(word, after, strict=True) if a != b]
            assert now.lower() in keys[before.lower()]
            assert now.isupper() == before.isupper()


def test_a_turkish_i_has_its_own_keys_with_and_without_its_dot_small_and_capital() -> None:
    keys = keyboards.neighbours("tr")
    found: dict[str, set[str]] = {}
    for word in ("ŞIK", "KİR", "ıki", "LİŞ", "KUŞ"):
        for seed in range(200):
            after = typos.typo("keyboard", Clustered(word), keys, Draws(seed, "r", "q"), 1, "tr")
            ((before, now),) = [(a, b) for a, b in zip(word, after, strict=True) if a != b]
            found.setdefault(before, set()).add(now)
    assert found["I"] == {"U", "O", "J", "K"}
    assert found["İ"] == {"Ş", "Ğ", "Ü"}
    assert found["ı"] == {letter.lower() for letter in found["I"]}
    assert "İ" in found["Ş"]
    assert "I" in found["U"]
    for capital, others in found.items():
        assert all(other.isupper() == capital.isupper() for other in others)


def test_letters_of_turkish_are_those_of_its_own_alphabet() -> None:
    assert typos.alphabets_of(["Iİ"], "tr") == {"LATIN": ("i", "ı")}
    assert typos.alphabets_of(["I"], "en") == {"LATIN": ("i",)}
