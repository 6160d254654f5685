"""The embedded collection is what its description says, record by record, read here without the harness' own readers."""

from __future__ import annotations

import functools
import json
import unicodedata
from collections import Counter
from typing import Any

import pytest

from harness.collections import load
from harness.collections.mini import HOME, LANGUAGES
from harness.collections.text_similarity import similar_pairs
from harness.measures.tokens import word_tokenize

SPLITS = {"dev": 10, "test": 80}
GENERATED_LANGUAGES = {*LANGUAGES, "en"}


@functools.cache
def rows(name: str) -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(line) for line in (HOME / name).read_text("utf-8").splitlines())


@functools.cache
def gold() -> dict[str, str]:
    lines = [line.split() for split in SPLITS for line in (HOME / split / "qrels.txt").read_text().splitlines()]
    assert all(len(line) == 4 and line[1] == "0" and line[3] == "1" for line in lines)
    assert len({line[0] for line in lines}) == len(lines), "one relevant passage for each question"
    return {line[0]: line[2] for line in lines}


def questions() -> list[dict[str, Any]]:
    return [row for split in SPLITS for row in rows(f"{split}/queries.jsonl")]


def answers() -> dict[str, list[str]]:
    return {row["query_id"]: row["answers"] for split in SPLITS for row in rows(f"{split}/answers.jsonl")}


def test_there_are_200_passages_of_60_to_110_words_eight_in_each_of_25_topics() -> None:
    docs = rows("docs.jsonl")
    assert len(docs) == 200
    assert sorted(Counter(doc["topic"] for doc in docs).values()) == [8] * 25
    lengths = {doc["doc_id"]: len(doc["text"].split()) for doc in docs}
    assert {name: length for name, length in lengths.items() if not 60 <= length <= 110} == {}


def test_passages_have_ids_titles_and_texts_of_their_own_in_latin_letters() -> None:
    docs = rows("docs.jsonl")
    for key in ("doc_id", "title", "text"):
        assert len({doc[key] for doc in docs}) == len(docs), key
    letters = {letter for doc in docs for letter in doc["title"] + doc["text"] if letter.isalpha()}
    assert [letter for letter in letters if not unicodedata.name(letter).startswith("LATIN ")] == []
    assert all(doc["doc_id"].isascii() for doc in docs)
    assert all(doc["doc_id"].rpartition("-")[0] == doc["topic"] for doc in docs)
    assert all(doc[key] == " ".join(doc[key].split()) for doc in docs for key in ("title", "text"))


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_language_has_its_questions(split: str, lang: str) -> None:
    asked = [row for row in rows(f"{split}/queries.jsonl") if row["lang"] == lang]
    assert len(asked) == SPLITS[split]
    assert all(row["query_id"].startswith(f"{lang}-") for row in asked)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_questions_of_every_language_cover_all_topics(lang: str) -> None:
    topic = {doc["doc_id"]: doc["topic"] for doc in rows("docs.jsonl")}
    covered = {topic[gold()[row["query_id"]]] for row in questions() if row["lang"] == lang}
    assert covered == set(topic.values())


def test_questions_have_ids_and_texts_of_their_own_and_are_all_judged_and_answered() -> None:
    assert len(questions()) == 630
    for key in ("query_id", "text"):
        assert len({row[key] for row in questions()}) == 630, key
    assert gold().keys() == answers().keys() == {row["query_id"] for row in questions()}
    for split in SPLITS:
        ids = [row["query_id"] for row in rows(f"{split}/queries.jsonl")]
        assert ids == [row["query_id"] for row in rows(f"{split}/answers.jsonl")]


def test_answers_stand_verbatim_in_the_gold_passage_and_survive_tokenization() -> None:
    texts = {doc["doc_id"]: doc["text"] for doc in rows("docs.jsonl")}
    joined = {doc_id: " ".join(word_tokenize(text)) for doc_id, text in texts.items()}
    for query_id, found in answers().items():
        assert 1 <= len(found) <= 3, query_id
        assert len(set(found)) == len(found), query_id
        for answer in found:
            assert answer == answer.strip() != "", query_id
            assert answer not in ("yes", "no"), query_id
            assert answer in texts[gold()[query_id]], (query_id, answer)
            assert answer in joined[gold()[query_id]], (query_id, answer)


def test_no_answer_stands_in_more_than_five_passages() -> None:
    texts = [doc["text"] for doc in rows("docs.jsonl")]
    common = {
        (query_id, answer): count
        for query_id, found in answers().items()
        for answer in found
        if (count := sum(answer in text for text in texts)) > 5
    }
    assert common == {}


def test_there_are_three_generated_queries_for_every_passage_and_language() -> None:
    generated = rows("generated.jsonl")
    assert len(generated) == 4800
    counts = Counter((row["doc_id"], row["lang"]) for row in generated)
    assert counts == {(doc["doc_id"], lang): 3 for doc in rows("docs.jsonl") for lang in GENERATED_LANGUAGES}
    assert all(row["text"] == row["text"].strip() != "" and row["source"] for row in generated)


def test_generated_queries_of_a_passage_and_language_differ() -> None:
    seen = Counter((row["doc_id"], row["lang"], row["text"]) for row in rows("generated.jsonl"))
    assert [key for key, count in seen.items() if count > 1] == []


SCRIPTS = {
    "ar": ("؀", "ۿ"),
    "bn": ("ঀ", "৿"),
    "ja": ("぀", "鿿"),
    "ko": ("가", "힣"),
    "ru": ("Ѐ", "ӿ"),
    "te": ("ఀ", "౿"),
    "fi": ("a", "z"),
    "en": ("a", "z"),
}


@pytest.mark.parametrize("lang", SCRIPTS)
def test_questions_and_generated_queries_are_written_in_the_script_of_their_language(lang: str) -> None:
    first, last = SCRIPTS[lang]
    texts = [row["text"] for row in (*questions(), *rows("generated.jsonl")) if row["lang"] == lang]
    assert [text for text in texts if not any(first <= letter <= last for letter in text)] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_generated_query_is_nearly_a_question(lang: str) -> None:
    generated = [row["text"] for row in rows("generated.jsonl") if row["lang"] == lang]
    asked = [row["text"] for row in questions() if row["lang"] == lang]
    assert len(generated) == 600
    assert len(asked) == 90
    assert list(similar_pairs(generated, asked, n=3, threshold=0.7)) == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_registered_collection_holds_what_the_files_hold(lang: str) -> None:
    for split, dataset_id in (("test", f"xdr-mini/{lang}"), ("dev", f"xdr-mini/{lang}/dev")):
        collection = load(dataset_id)
        asked = {row["query_id"]: row["text"] for row in rows(f"{split}/queries.jsonl") if row["lang"] == lang}
        assert {query.query_id: query.text for query in collection.queries} == asked
        assert collection.qrels == {query_id: {gold()[query_id]: 1} for query_id in asked}
        assert collection.answers == {query_id: tuple(answers()[query_id]) for query_id in asked}
        assert {doc.doc_id: doc.text for doc in collection.docs} == {d["doc_id"]: d["text"] for d in rows("docs.jsonl")}
