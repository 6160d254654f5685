"""What is done to every word alike, on texts by hand."""

from __future__ import annotations

import pytest

from harness.collections.perturbed import characters, typos, words
from harness.collections.perturbed.draws import Draws
from harness.collections.perturbed.texts import Clustered, Refused


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        (lambda: characters.cased(Clustered("IĞDIR İç"), "tr", "lower"), "ığdır iç"),
        (lambda: characters.cased(Clustered("izmir B52b"), "tr", "upper"), "İZMİR B52b"),
        (lambda: characters.bare(Clustered("Ääni ёжик تُسمى कि")), "Aani ежик تسمى कि"),
        (lambda: characters.unpunctuated(Clustered("«Was it 6,650, or O'Neill?»")), "Was it 6,650 or O'Neill"),
        (lambda: characters.spaced(Clustered("a b\u00a0c")), "a  b\u00a0\u00a0c"),
        (lambda: characters.parted(Clustered("नमस्ते a 12")), "न\u200bमस्ते a 12"),
        (lambda: characters.in_latin(Clustered("Volga Волга 1883లో వోల్గా")), "Volga volga 1883లో volga"),
        (lambda: words.reordered(Clustered("When did Marie meet Paul?"), Draws(1, "", ""), 1), "When did Paul meet Marie?"),
        (lambda: words.reordered(Clustered("From 6 to 16"), Draws(1, "", ""), 1), "From 16 to 6"),
    ],
)  # fmt: skip
def test_every_word_alike(done: object, expected: str) -> None:
    assert callable(done)
    assert done() == expected


def test_look_alikes_are_cyrillic_and_of_latin_words_alone() -> None:
    table = characters._LOOK_ALIKE
    assert {typos.script_of(letter) for letter in table} == {"LATIN"}
    assert {typos.script_of(letter) for letter in table.values()} == {"CYRILLIC"}
    assert characters.look_alike(Clustered("open Нил 5pm", ("open",))) == "open Нил 5pm"
    with pytest.raises(Refused, match="no Latin letters"):
        characters.look_alike(Clustered("Нил"))
