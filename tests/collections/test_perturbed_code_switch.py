"""Words from the recorded translation: which are believed to be each other's, and that nothing of an answer comes with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from perturbed_texts import DRAWS, WORDS

from harness.collections import load, plugins
from harness.collections.perturbed.code_switch import Likely, Translated, likely_words, switched
from harness.collections.perturbed.draws import Draws
from harness.collections.perturbed.texts import Clustered, Refused, clusters_of, folded
from harness.collections.perturbed.words import words_of
from harness.errors import InvalidInput

FINNISH = {
    "mikä": "what",
    "joki": "river",
    "on": "is",
    "pitkä": "long",
    "kylmä": "cold",
    "suuri": "big",
    "talo": "house",
}


def parallel() -> list[tuple[Clustered, Clustered]]:
    """Every question has three words; the translation has them in another order."""
    own = list(FINNISH)
    found = []
    for place in range(len(own)):
        three = [own[(place + step) % len(own)] for step in (0, 1, 3)]
        found.append((Clustered(" ".join(three)), Clustered(" ".join(FINNISH[word] for word in reversed(three)))))
    return found


def test_counterparts_are_learned_from_the_questions_and_their_translations_alone() -> None:
    pairs = parallel()
    likely = likely_words(pairs, "fi", "en")
    assert likely == likely_words(pairs[::-1], "fi", "en"), "in whatever order"
    for one, two in pairs:
        own, other = one.text.split(), two.text.split()
        for word in own:
            place = likely.counterpart(word, own, other)
            assert place is not None
            assert other[place] == FINNISH[word]
    assert likely.counterpart("joki", ["joki", "joki"], ["river"]) is None, "which of the two?"
    assert likely.counterpart("joki", ["joki"], ["river", "river"]) is None
    assert likely.counterpart("joki", ["joki"], ["volga"]) is None
    assert likely.counterpart("joki", ["joki"], []) is None


def certain(pairs: dict[str, str]) -> Likely:
    return Likely(
        {folded(one): {folded(two): 1.0} for one, two in pairs.items()},
        {folded(two): {folded(one): 1.0} for one, two in pairs.items()},
    )


LETTERS = [word for word in WORDS if regex.fullmatch(r"[\p{L}\p{M}]+", word)]
OTHERS = [f"w{chr(ord('a') + number)}" for number in range(len(LETTERS))]


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8, unique=True), DRAWS, st.floats(0.05, 0.95))
def test_words_of_every_script_are_switched_whole_and_numbers_and_answers_stay(
    texts: list[str], draws: Draws, share: float
) -> None:
    answer = next((word for word in texts if word in LETTERS), "nothing")
    of_all = dict(zip(LETTERS, OTHERS, strict=True))
    translation = Clustered(" ".join(of_all.get(word, word) for word in texts))
    question = Translated(Clustered(" ".join(texts), (answer,)), "fi", translation, "en", certain(of_all))
    try:
        after = switched(question, share, draws)
    except Refused:
        assert not [word for word in texts if word in LETTERS and folded(word) != folded(answer)]
        return
    own = [question.text.of(span) for span in words_of(question.text, "fi")]
    now = [Clustered(after).of(span) for span in words_of(Clustered(after), "fi")]
    changed = [(one, two) for one, two in zip(own, now, strict=True) if one != two]
    assert 1 <= len(changed) <= max(1, int(share * len(own)))
    assert all(of_all[one] == two and folded(one) != folded(answer) for one, two in changed)
    assert set(clusters_of(after)) <= {*clusters_of(question.text.text), *clusters_of("".join(OTHERS))}
    assert switched(question, share, draws) == after


def test_no_word_of_an_answer_comes_in_with_the_translation() -> None:
    question = Translated(
        Clustered("mikä joki", ("River",)), "fi", Clustered("what river", ("River",)), "en", certain(FINNISH)
    )
    assert {switched(question, 0.9, Draws(seed, "", "")) for seed in range(9)} == {"what joki"}


def test_where_words_stand_without_blanks_the_switched_one_has_them() -> None:
    pytest.importorskip("jieba", reason="needs jieba, of the extra `segment`")
    likely = certain({"长江": "Yangtze", "多长": "long"})
    text, translation = Clustered("长江有多长？"), Clustered("How long is the Yangtze?")
    made = {switched(Translated(text, "zh", translation, "en", likely), 0.4, Draws(seed, "", "")) for seed in range(20)}
    assert "Yangtze 有多长？" in made
    assert "长江有 long？" in made


def test_a_collection_without_translations_is_refused_and_one_of_the_same_language_too() -> None:
    with pytest.raises(InvalidInput, match=r"80 refused \(no translation into en is recorded: 80\)"):
        _ = load("perturbed(code-switch,seed=1):xdr-mini/fi").queries
    assert plugins.in_language("mlqa/ar/de/dev", "en") == "mlqa/en/dev"
    assert plugins.in_language("mkqa-dpr-2018/fi", "en") == "mkqa/en"
    assert plugins.in_language("xquad/ar/multilingual", "zh") == "xquad/zh"


@pytest.mark.parametrize("lang", ["ar", "de", "es", "hi", "ru", "tr", "zh"])
@pytest.mark.parametrize("name", ["stop-words", "code-switch"])
def test_ids_answers_and_digits_of_real_questions_stay(name: str, lang: str, imported_data: Path) -> None:
    clean, changed = load(f"xquad/{lang}"), load(f"perturbed({name},seed=1):xquad/{lang}")
    assert [(q.query_id, q.lang, q.topic) for q in changed.queries] == [
        (q.query_id, lang, q.topic) for q in clean.queries
    ]
    assert (changed.qrels, changed.answers) == (clean.qrels, clean.answers)
    different = 0
    for before, after in zip(clean.queries, changed.queries, strict=True):
        different += before.text != after.text
        assert regex.findall(r"\p{N}+", after.text) == regex.findall(r"\p{N}+", before.text)
        for answer in (clean.answers or {})[before.query_id]:
            assert folded(answer) in folded(after.text) or folded(answer) not in folded(before.text)
    assert different > 800
    assert f": {different} changed, " in changed.remarks[-1].what


def test_an_english_question_is_not_switched_to_english(imported_data: Path) -> None:
    with pytest.raises(InvalidInput, match=r"1190 refused \(asked in en already: 1190\)"):
        _ = load("perturbed(code-switch,seed=1):xquad/en").queries
