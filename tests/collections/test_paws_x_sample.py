"""The sample of PAWS-X: which questions and sentences, and that generated questions are there for every one of them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from harness.collections import paws_x
from harness.collections.paws_x import sample as paws_x_sample
from harness.collections.view import load
from harness.errors import InvalidInput
from harness.recipes.generate.texts import Choice, by_document, generated_file, read_generated, texts_for

pytestmark = pytest.mark.usefixtures("imported_data")


def digest_of(ids: list[str]) -> str:
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:16]


def test_the_sample_is_the_one_that_was_drawn_before_texts_were_written() -> None:
    sample = paws_x_sample.sample()
    assert (len(sample.queries), len(sample.judged), len(sample.others)) == (200, 484, 484)
    assert sample.queries[:3] == ("1263", "965", "547")
    assert digest_of(list(sample.queries)) == "48a132626e0f3465"
    assert digest_of(sorted(sample.judged)) == "ad9adb38e1ce4d6d"
    assert digest_of(sorted(sample.others)) == "6fd032321548a0d0"
    assert not set(sample.judged) & set(sample.others)


@pytest.mark.parametrize("lang", paws_x_sample.LANGUAGES)
def test_both_forms_ask_the_same_of_as_many_sentences(lang: str) -> None:
    hard, clean, whole = load(f"paws-x/sample/{lang}"), load(f"paws-x/sample/{lang}/clean"), load(f"paws-x/{lang}")
    sample = paws_x_sample.sample()
    assert {query.query_id for query in hard.queries} == set(sample.queries)
    assert [query.text for query in clean.queries] == [query.text for query in hard.queries]
    assert len(hard.docs) == len(clean.docs) == 737
    assert set(hard.docs.ids) | set(clean.docs.ids) == {*sample.judged, *sample.others}
    assert whole.qrels is not None
    assert hard.qrels == {query_id: whole.qrels[query_id] for query_id in sample.queries}
    assert all(doc.text == whole.docs.get(doc.doc_id).text for doc in (*hard.docs, *clean.docs))


@pytest.mark.parametrize("lang", paws_x_sample.LANGUAGES)
def test_without_adversaries_only_those_stay_that_other_questions_ask_for(lang: str) -> None:
    hard, clean = load(f"paws-x/sample/{lang}"), load(f"paws-x/sample/{lang}/clean")
    assert hard.qrels is not None
    assert clean.qrels is not None
    relevant = {doc for grades in hard.qrels.values() for doc, grade in grades.items() if grade}
    for query_id, grades in hard.qrels.items():
        kept = {doc: grade for doc, grade in grades.items() if grade or doc in relevant}
        assert clean.qrels[query_id] == kept
        assert set(kept) <= set(clean.docs.ids)
        assert not (set(grades) - set(kept)) & set(clean.docs.ids)
    assert "231 of 239 adversaries are replaced" in clean.remarks[0].what


def test_every_sentence_has_one_question_in_each_language_and_none_is_a_copy_of_a_question_asked() -> None:
    sample = paws_x_sample.sample()
    lines = paws_x.GENERATED["paws-x-sample"].file().read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    expected = {(doc, lang) for doc in (*sample.judged, *sample.others) for lang in ("en", *paws_x_sample.LANGUAGES)}
    counts = Counter((row["doc_id"], row["lang"]) for row in rows)
    assert set(counts) == expected
    assert set(counts.values()) == {1}
    sentences = {doc.text for doc in paws_x.task_of("de").docs}
    asked = {query.text for lang in paws_x_sample.LANGUAGES for query in load(f"paws-x/sample/{lang}").queries}
    assert not {row["text"] for row in rows} & (sentences | asked)


def test_cards_fuse_each_form_with_the_questions_of_its_own_sentences() -> None:
    name = "paws-x-sample"
    texts = read_generated(generated_file(name, Path()))
    for form in ("", "/clean"):
        docs = load(f"paws-x/sample/de{form}").docs
        chosen = by_document(texts_for(name, texts, docs.ids), Choice(("de", "fr", "ko"), 1, shuffled=False), docs.ids)
        assert set(chosen) == set(docs.ids)
        assert {len(own) for own in chosen.values()} == {3}
    with pytest.raises(InvalidInput, match="generated texts for 231 unknown passages"):
        by_document(texts_for("file.jsonl", texts, docs.ids), Choice((), 1, shuffled=False), docs.ids)


def test_some_sentences_that_stand_in_for_adversaries_are_nearly_what_is_asked_for() -> None:
    """As the findings say among what they do not show."""

    def words(doc_id: str) -> set[str]:
        return set(texts[doc_id].lower().split())

    hard, clean = paws_x_sample.tasks("de")
    texts = {doc.doc_id: doc.text for doc in clean.docs}
    stand_ins = texts.keys() - {doc.doc_id for doc in hard.docs}
    relevant = Counter(
        query_id
        for query_id, doc_id, grade in clean.qrels
        if grade > 0
        if any(len(words(doc_id) & words(own)) >= 0.8 * len(words(doc_id) | words(own)) for own in stand_ins)
    )
    assert len(relevant) == 15
