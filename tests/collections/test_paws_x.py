"""PAWS-X as retrieval: an original among its adversaries, with and without them, and what is wrong with a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.collections import load
from harness.collections.paws_x import Row, make_task, read_rows, without_adversaries
from harness.errors import InvalidInput

ENGLISH = {
    "1": Row("The cat saw the dog .", "The dog saw the cat .", "0"),
    "2": Row("The cat saw the dog .", "The cat noticed the dog .", "1"),
    "3": Row("A b .", "B a .", "1"),
    "4": Row("X y .", "NS", "0"),
    "5": Row("M n .", "N m .", "0"),
}
GERMAN = {
    "1": Row("Die Katze sah den Hund.", "Der Hund sah die Katze.", "0"),
    "2": Row("Die Katze sah den Hund!", "Die Katze bemerkte den Hund.", "1"),
    "3": Row("A b.", "B a.", "1"),
    "4": Row("X y.", "Y x.", "0"),
    "5": Row("M n.", "N m.", "1"),
    "6": Row("Nur deutsch.", "Deutsch nur.", "0"),
}


def test_paws_x_asks_for_the_original_among_its_adversaries() -> None:
    task = make_task(GERMAN, ENGLISH, "de")
    assert [tuple(query) for query in task.queries] == [
        ("1", "Die Katze sah den Hund.", "de", "1"),
        ("2", "Die Katze sah den Hund!", "de", "2"),
    ], "3 has no adversary, 4 no second sentence, 5 two labels, 6 no English"
    judged = {"1.1": 1, "2.2": 1, "1.2": 0}
    assert {(query, doc): grade for query, doc, grade in task.qrels} == {
        (query, doc): grade for query in ("1", "2") for doc, grade in judged.items()
    }
    assert [doc.doc_id for doc in task.docs] == ["1.1", "1.2", "2.2", "3.1", "3.2", "4.1", "5.1", "5.2"]


SENTENCES = st.sampled_from(["a", "b", "c", "d", "NS", ""])
FILES = st.dictionaries(st.sampled_from("123456"), st.builds(Row, SENTENCES, SENTENCES, st.sampled_from("01")))


@given(FILES, FILES)
def test_every_query_has_its_original_and_an_adversary(asked: dict[str, Row], english: dict[str, Row]) -> None:
    task = make_task(asked, english, "de")
    text = {doc.doc_id: doc.text for doc in task.docs}
    assert len(set(text.values())) == len(text)
    assert "NS" not in text.values()
    for query in task.queries:
        grades = {text[doc]: grade for query_id, doc, grade in task.qrels if query_id == query.query_id}
        assert grades[english[query.query_id].first] == 1
        assert 0 in grades.values()
    assert len({(query, doc) for query, doc, _ in task.qrels}) == len(task.qrels)


@given(FILES, FILES)
def test_without_adversaries_the_queries_and_what_is_relevant_stay(
    asked: dict[str, Row], english: dict[str, Row]
) -> None:
    task = make_task(asked, english, "de")
    clean = without_adversaries(task, ["a", "v", "w", "x", "y", "z"])
    relevant = {row for row in task.qrels if row[2] == 1}
    names = {doc_id for _, doc_id, _ in relevant}
    assert (clean.queries, len(clean.docs)) == (task.queries, len(task.docs))
    assert set(clean.qrels) == relevant | {row for row in task.qrels if row[1] in names}
    ids = [doc.doc_id for doc in clean.docs]
    assert len(set(ids)) == len(ids)
    adversaries = {doc_id for _, doc_id, grade in task.qrels if grade == 0}
    gone, new = (set(one.docs) - set(other.docs) for one, other in ((task, clean), (clean, task)))
    assert {doc.doc_id for doc in gone} == adversaries - names
    assert {doc.text for doc in new} <= {"a", "v", "w", "x", "y", "z"} - {doc.text for doc in task.docs}


def test_too_few_sentences_for_the_adversaries_are_refused() -> None:
    with pytest.raises(InvalidInput, match="0 sentences cannot stand in for 1 adversaries"):
        without_adversaries(make_task(GERMAN, ENGLISH, "de"), [ENGLISH["1"].first])


@pytest.mark.usefixtures("imported_data")
def test_the_real_paws_x_without_adversaries() -> None:
    for lang, replaced, before, kept, total in (("de", 774, 1240, 541, 1302), ("ko", 782, 1259, 555, 1334)):
        full, clean = load(f"paws-x/{lang}"), load(f"paws-x/{lang}/clean")
        assert (len(clean.docs), clean.queries) == (3135, full.queries)
        assert len(set(clean.docs.ids) - set(full.docs.ids)) == replaced
        (remark,) = clean.remarks
        assert f"{replaced} of {before} adversaries are replaced" in remark.what
        assert f"{kept} of {total} questions keep one" in remark.what


@pytest.mark.parametrize("header", ["", "id\tsentence1\tsentence2\tlabel\n"])
def test_both_forms_of_the_file_are_read(header: str) -> None:
    lines = ['"""B"" a"\tb a\t0', "c\td\t1"]
    numbered = [f"{n}\t{line}" for n, line in enumerate(lines, 1)]
    data = header + "\n".join(numbered if header else lines) + "\n"
    assert read_rows(data.encode(), "f") == {"1": Row('"B" a', "b a", "0"), "2": Row("c", "d", "1")}


def test_all_faults_of_a_paws_x_file_are_in_one_report() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_rows(b"a\tb\t0\na\tb\na\tb\t2\n", "f")
    assert [finding.where for finding in caught.value.findings] == ["f: row 2", "f: row 3"]


@pytest.mark.usefixtures("imported_data")
def test_the_real_paws_x_has_these_sizes() -> None:
    sizes = {}
    for lang in ("de", "fr", "ko"):
        collection = load(f"paws-x/{lang}")
        grades = [grade for judged in (collection.qrels or {}).values() for grade in judged.values()]
        sizes[lang] = (len(collection.docs), len(collection.queries), grades.count(1), grades.count(0))
        assert collection.docs.digest == load("paws-x/de").docs.digest
    assert sizes == {"de": (3135, 1302, 1764, 1682), "fr": (3135, 1343, 1825, 1733), "ko": (3135, 1334, 1816, 1722)}
