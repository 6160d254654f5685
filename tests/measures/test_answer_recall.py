"""AnswerRecall@k against a reference that looks at one character at a time; and Judged@k, which ir-measures has."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.collections.view import load
from harness.errors import WrongUsage
from harness.measures import Judged, parse
from harness.measures.answer_recall import AnswerRecall, has_answer, padded_tokens


def reference_tokens(text: str) -> list[str]:
    """DPR's SimpleTokenizer, uncased, written from its description: no regular expressions, no caches."""
    tokens: list[str] = []
    within = False
    for character in unicodedata.normalize("NFD", text):
        kind = unicodedata.category(character)[0]
        if kind in "LNM":
            if within:
                tokens[-1] += character
            else:
                tokens.append(character)
            within = True
        else:
            within = False
            if kind not in "ZC":
                tokens.append(character)
    return [token.lower() for token in tokens]


def reference_has_answer(answers: Sequence[str], text: str) -> bool:
    words = reference_tokens(text)
    for answer in answers:
        if answer in ("yes", "no"):
            continue
        wanted = reference_tokens(answer)
        for start in range(len(words) - len(wanted) + 1):
            if words[start : start + len(wanted)] == wanted:
                return True
    return False


# Characters that composing, casing and cutting treat in their own ways: dotted and dotless i, final sigma (which depends
# on what follows within the token), sharp s, ligatures, the kelvin sign, Hangul syllables and letters, Devanagari and
# Bengali and Telugu marks, Arabic with marks, half and full width, controls, joiners, all kinds of blanks, surrogates.
ODD = (
    "aAbI.'’:-–,%()1²½٣Ⅷ iİıſßẞΣςσΌÅÅéfifl K한글한中々ー゛がが"
    "नि্তাతెక్ుعَُ１Ａａ\t\n\r\x00\x1f\x85\xa0\u2009\u2028\u3000\ufeff\u200b\u200c\u200d\xad𝔸𐐀🙂🏽\U000e0100\ud800"
)
TEXTS = st.text(st.sampled_from(ODD), max_size=12) | st.text(
    # Characters that this Python does not know are left out: the regex package may know them already.
    st.characters(exclude_categories=("Cn",)),
    max_size=12,
)


@given(TEXTS)
@example("ΑΣ.Α ΑΣΑ ΑΣ")
@example("İstanbul ISTANBUL")
def test_tokens_are_those_of_the_reference(text: str) -> None:
    assert padded_tokens(text) == "".join(f" {token}" for token in ["", *reference_tokens(text)])[1:] + " "


@given(st.lists(TEXTS, max_size=3), TEXTS, TEXTS, TEXTS)
def test_hits_are_those_of_the_reference(answers: list[str], before: str, middle: str, after: str) -> None:
    for text in (
        before + middle + after,
        before + "".join(answers[:1]) + after,
        f"{before} {' '.join(answers)}{after}",
    ):
        assert has_answer(answers, text) == reference_has_answer(answers, text)


@pytest.mark.parametrize(
    ("answer", "text", "found"),
    [
        ("New York", "in new york.", True),
        ("New York", "in New-York", False),
        ("york", "Yorkshire", False),
        ("6,650", "it is 6,650 km long", True),
        ("6,650", "it is 6 , 650 km long", True),
        ("6650", "it is 6,650 km long", False),
        ("80%", "about 80 % of it", True),
        (" padded ", "it is padded", True),
        ("caf\u00e9", "the cafe\u0301 there", True),
        ("cafe", "the café there", False),
        ("STRASSE", "straße", False),
        ("yes", "yes", False),
        ("no", "no", False),
        ("No", "there is no such thing", True),
        ("", "anything", True),
        ("\u200b", "", True),
    ],
)
def test_what_counts_as_an_answer(answer: str, text: str, found: bool) -> None:
    assert has_answer([answer], text) is found
    assert reference_has_answer([answer], text) is found


def test_names() -> None:
    measure = parse("AnswerRecall@20")
    assert isinstance(measure, AnswerRecall)
    assert (measure.name, measure.cutoff) == ("AnswerRecall@20", 20)
    assert "regex" in measure.version
    for name in (
        "AnswerRecall",
        "AnswerRecall@0",
        "AnswerRecall@05",
        "AnswerRecall@-1",
        "AnswerRecall@٣",
        "answerrecall@3",
    ):
        with pytest.raises(WrongUsage):
            parse(name)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    folder = tmp_path_factory.mktemp("collection")
    docs = [
        {"doc_id": "nile", "title": "Egypt", "text": "The Nile is 6,650 kilometres long."},
        {"doc_id": "volga", "title": "The Nile", "text": "The Volga flows into the Caspian Sea. Yes, no."},
        {"doc_id": "empty", "title": "", "text": ""},
    ]
    answers = {"long": ["6,650"], "title": ["Egypt"], "sea": ["CASPIAN sea", "no"], "only": ["yes"], "unasked": []}
    write(folder / "docs.jsonl", docs)
    write(folder / "queries.jsonl", [{"query_id": name, "text": name, "lang": "en"} for name in answers])
    write(folder / "answers.jsonl", [{"query_id": name, "answers": texts} for name, texts in answers.items() if texts])
    (folder / "qrels.txt").write_text("long 0 nile 1\nlong 0 volga 0\nsea 0 volga 1\ntitle 0 nile 1\n")
    return Judged(load(f"folder:{folder}"))


def write(path: Path, rows: Sequence[object]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_cutoff_titles_missing_rankings_and_questions_without_a_span(judged: Judged) -> None:
    rankings = dict.fromkeys(("long", "title", "only", "unasked"), ("volga", "nile", "empty"))
    assert parse("AnswerRecall@1").applies_to(judged)
    assert parse("AnswerRecall@1").scored_queries(judged) == ("long", "title", "sea")
    assert parse("AnswerRecall@1").score(judged, rankings) == {"long": 0.0, "title": 0.0, "sea": 0.0}
    assert parse("AnswerRecall@2").score(judged, rankings) == {"long": 1.0, "title": 0.0, "sea": 0.0}
    assert parse("AnswerRecall@1").score(judged, {"sea": ("volga",)}) == {"long": 0.0, "title": 0.0, "sea": 1.0}
    assert AnswerRecall("AnswerRecall@1", 1).is_hit_by(["Caspian"], "the Caspian Sea")


def test_denominators_are_those_of_token_recall(imported_data: Path) -> None:
    assert imported_data.is_dir()
    judged = Judged(load("xor-tydi/dev"))
    assert parse("AnswerRecall@100").scored_queries(judged) == parse("R@2kt").scored_queries(judged)


def test_on_mini_it_is_the_reference() -> None:
    judged = Judged(load("xdr-mini/fi"))
    ids = judged.docs.ids
    rankings = {query_id: ids[place % 90 :][:60] for place, query_id in enumerate(judged.query_ids)}
    answers = judged.collection.answers or {}
    for cutoff in (1, 10, 60):
        expected = {
            query_id: float(
                any(
                    reference_has_answer(answers[query_id], judged.docs.get(doc_id).text)
                    for doc_id in rankings[query_id][:cutoff]
                )
            )
            for query_id in judged.query_ids
        }
        assert parse(f"AnswerRecall@{cutoff}").score(judged, rankings) == expected
    assert 0 < sum(expected.values()) < len(expected)


def test_judged_is_there_by_name(judged: Judged) -> None:
    measure = parse("Judged@2")
    values = measure.score(judged, {"long": ("volga", "nile", "empty"), "sea": ("empty", "volga", "nile")})
    assert values == {"long": 1.0, "sea": 0.5, "title": 0.0}
    assert sum(values.values()) / len(values) == 0.5
    assert parse("Judged@10").applies_to(judged)
