from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.collections import dataset_ids, load
from harness.collections.export import export_collection
from harness.collections.formats.qrels import read_qrels
from harness.collections.formats.squad import read_squad
from harness.collections.view import Docs
from harness.errors import InvalidInput, WrongUsage
from harness.files.record_digest import digest_of_records
from harness.languages import canonical_language
from harness.measures import Judged, parse
from harness.records import Doc

XOR_DENOMINATORS = {"ar": 309, "bn": 304, "fi": 314, "ja": 241, "ko": 285, "ru": 237, "te": 238}


def jsonl(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def folder(path: Path, **changed: object) -> Path:
    """A small folder collection; ``changed`` replaces the text of single records."""
    path.mkdir()
    docs = [
        {"doc_id": "d10", "title": "Tea", "text": "Leaves"},
        {"doc_id": "d2", "text": changed.get("doc", "Beans")},
        {"doc_id": "ёж", "title": "", "text": "Hedgehog"},
    ]
    queries = [
        {"query_id": "q1", "text": changed.get("query", "Чай?"), "lang": "ru", "topic": "tea"},
        {"query_id": "q2", "text": "Kahvi?", "lang": "fi"},
    ]
    answers = [
        {"query_id": "q1", "answers": ["Leaves"]},
        {"query_id": "q2", "answers": [changed.get("answer", "Beans"), "beans"]},
    ]
    jsonl(path / "docs.jsonl", docs)
    jsonl(path / "queries.jsonl", queries)
    jsonl(path / "answers.jsonl", answers)
    (path / "qrels.txt").write_text(f"q1 0 d10 1\nq2\t0\td2\t{changed.get('grade', 1)}\n")
    return path


def digests(path: Path) -> dict[str, str]:
    return load(f"folder:{path}").digests.as_dict()


# Folders


def test_a_folder_gives_docs_sorted_by_id_queries_qrels_and_answers(tmp_path: Path) -> None:
    collection = load(f"folder:{folder(tmp_path / 'data')}")
    assert collection.docs.ids == ("d10", "d2", "ёж")
    assert collection.docs.get("d10") == Doc("d10", "Tea", "Leaves")
    assert [tuple(query) for query in collection.queries] == [
        ("q1", "Чай?", "ru", "tea"),
        ("q2", "Kahvi?", "fi", "q2"),
    ]
    assert collection.qrels == {"q1": {"d10": 1}, "q2": {"d2": 1}}
    assert collection.answers == {"q1": ("Leaves",), "q2": ("Beans", "beans")}


def test_a_folder_of_one_language_keeps_the_docs_and_leaves_the_other_queries_out(tmp_path: Path) -> None:
    path = folder(tmp_path / "data")
    both, finnish = load(f"folder:{path}"), load(f"folder(fi):{path}")
    assert finnish.docs.digest == both.docs.digest
    assert [query.query_id for query in finnish.queries] == ["q2"]
    assert finnish.qrels == {"q2": {"d2": 1}}
    assert finnish.answers == {"q2": ("Beans", "beans")}


def test_a_folder_without_qrels_and_answers_has_none(tmp_path: Path) -> None:
    path = folder(tmp_path / "data")
    (path / "qrels.txt").unlink()
    (path / "answers.jsonl").unlink()
    collection = load(f"folder:{path}")
    assert collection.qrels is None
    assert collection.answers is None
    assert (collection.digests.qrels, collection.digests.answers) == ("", "")


def test_all_faults_of_a_file_of_a_folder_are_in_one_report(tmp_path: Path) -> None:
    path = folder(tmp_path / "data")
    lines = [
        '{"doc_id": "d1", "text": "good"}',
        '{"doc_id": "d2", "text": 1}',
        '{"text": "no id"}',
        "not json",
        "",
        '["a list"]',
        '{"doc_id": "d1", "text": "again"}',
        '{"doc_id": "d 3", "text": "blank"}',
        '{"doc_id": "", "text": "empty"}',
        '{"doc_id": "d4", "title": 4, "text": "t"}',
    ]
    (path / "docs.jsonl").write_text("\n".join(lines))
    with pytest.raises(InvalidInput) as caught:
        _ = load(f"folder:{path}").docs
    where = [finding.where.rpartition(":")[2] for finding in caught.value.findings]
    assert where == ["2", "3", "4", "6", "7", "8", "9", "10"]
    told = str(caught.value)
    assert "docs.jsonl:2: 'text' is a number; expected a text" in told
    assert "docs.jsonl:7: id 'd1' stands in line 1 too; expected unique ids" in told
    assert "docs.jsonl:8: id 'd 3'; expected an id without white space" in told


def test_faults_of_queries_and_answers_are_named_by_their_lines(tmp_path: Path) -> None:
    path = folder(tmp_path / "data")
    (path / "queries.jsonl").write_text('{"query_id": "q1"}\n{"query_id": "q1", "text": "x", "lang": 5}\n')
    (path / "answers.jsonl").write_text('{"query_id": "q1", "answers": "one"}\n{"query_id": "q1", "answers": [1]}\n')
    collection = load(f"folder:{path}")
    with pytest.raises(InvalidInput) as caught:
        _ = collection.queries
    assert [finding.where for finding in caught.value.findings] == [f"{path / 'queries.jsonl'}:{n}" for n in (1, 2)]

    jsonl(path / "queries.jsonl", [{"query_id": "q1", "text": "x"}])
    with pytest.raises(InvalidInput) as caught:
        _ = collection.answers
    assert [finding.where for finding in caught.value.findings] == [f"{path / 'answers.jsonl'}:{n}" for n in (1, 2)]


def test_all_faults_of_qrels_are_in_one_report(tmp_path: Path) -> None:
    path = tmp_path / "qrels.txt"
    path.write_text("q1 0 d1 1\nq1 d1 1\nq1 0 d2 yes\nq1 0 d1 0\n\nq2 0 d1 -1\n")
    with pytest.raises(InvalidInput) as caught:
        read_qrels(path)
    assert [str(finding).removeprefix(f"{path}:") for finding in caught.value.findings] == [
        "2: 3 columns; expected 4: query iteration document relevance",
        "3: relevance 'yes'; expected an integer",
        "4: a second judgement of q1 d1; expected one",
    ]


def test_a_folder_or_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="is not a folder"):
        load(f"folder:{tmp_path / 'none'}")
    with pytest.raises(WrongUsage, match="no file"):
        load(f"squad:{tmp_path / 'none.json'}")


# SQuAD files


def squad(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def article(title: str, *paragraphs: tuple[str, list[str]]) -> dict[str, object]:
    return {
        "title": title,
        "paragraphs": [
            {
                "context": context,
                "qas": [{"id": i, "question": i + "?", "answers": [{"text": i}, {"text": i}]} for i in ids],
            }
            for context, ids in paragraphs
        ],
    }


def test_a_squad_file_gives_paragraphs_named_by_their_article(tmp_path: Path) -> None:
    content = {"data": [article("Super_Bowl 50", ("One.", ["a", "b"]), ("Two.", ["c"])), article("", ("Three.", []))]}
    collection = load(f"squad(en):{squad(tmp_path / 'f.json', content)}")
    assert list(collection.docs) == [
        Doc("Super_Bowl_50-0", "Super Bowl 50", "One."),
        Doc("Super_Bowl_50-1", "Super Bowl 50", "Two."),
        Doc("article1-0", "", "Three."),
    ]
    assert [query.query_id for query in collection.queries] == ["a", "b", "c"]
    assert {query.lang for query in collection.queries} == {"en"}
    assert collection.qrels == {i: {f"Super_Bowl_50-{p}": 1} for i, p in (("a", 0), ("b", 0), ("c", 1))}
    assert collection.answers == {"a": ("a",), "b": ("b",), "c": ("c",)}


def test_all_faults_of_a_squad_file_are_in_one_report(tmp_path: Path) -> None:
    faulty = article("T", ("One.", ["a", "a"]), ("", ["b c"]))
    faulty["paragraphs"] += [{"qas": [{"id": "d", "question": "", "answers": [{}, {"text": 1}]}, 5]}]  # type: ignore[operator]
    with pytest.raises(InvalidInput) as caught:
        read_squad(squad(tmp_path / "f.json", {"data": [faulty, {"title": 7}, article("T", ("Again.", []))]}), "en")
    prefix = f"{tmp_path / 'f.json'}:"
    found = {(f.where.removeprefix(prefix), f.what) for f in caught.value.findings}
    third = "data[0].paragraphs[2]"
    assert found == {
        ("data[0].paragraphs[0].qas[1]", "a second question a"),
        ("data[0].paragraphs[1]", "no text 'context'"),
        ("data[0].paragraphs[1].qas[0]", "question id 'b c' holds white space"),
        (third, "no text 'context'"),
        (f"{third}.qas[0]", "no text 'question'"),
        (f"{third}.qas[0].answers[0]", "no text 'text'"),
        (f"{third}.qas[0].answers[1]", "no text 'text'"),
        (f"{third}.qas[1]", "no text 'id'"),
        (f"{third}.qas[1]", "no text 'question'"),
        (f"{third}.qas[1]", "no list 'answers'"),
        ("data[1]", "no text 'title'"),
        ("data[1]", "no list 'paragraphs'"),
        ("data[2].paragraphs[0]", "a second passage T-0"),
    }


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, '"\\ud800'])
def test_a_file_that_is_no_json_says_so(tmp_path: Path, content: str) -> None:
    (tmp_path / "f.json").write_text(content)
    with pytest.raises(InvalidInput, match="is not a JSON file"):
        read_squad(tmp_path / "f.json", "en")


@pytest.mark.parametrize("content", [[], {}, {"data": {}}, 5, None])
def test_json_of_another_shape_says_so(tmp_path: Path, content: object) -> None:
    with pytest.raises(InvalidInput, match="top level: no list 'data'"):
        read_squad(squad(tmp_path / "f.json", content), "en")


# Digests


@given(st.permutations([("a", "é"), ("a", "b"), ("b", "a"), ("", "ab")]))
def test_the_digest_of_records_is_blind_to_their_order(records: list[tuple[str, str]]) -> None:
    assert digest_of_records(records) == digest_of_records(sorted(records))


RECORDS = st.lists(st.tuples(st.text(max_size=2), st.text(max_size=2)), max_size=4)


@given(RECORDS, RECORDS)
def test_the_digests_of_different_records_differ(one: list[tuple[str, str]], two: list[tuple[str, str]]) -> None:
    assert (digest_of_records(one) == digest_of_records(two)) == (sorted(one) == sorted(two))


def test_the_order_and_the_layout_of_the_files_leave_the_digests_alone(tmp_path: Path) -> None:
    one, two = folder(tmp_path / "one"), folder(tmp_path / "two")
    for path in two.iterdir():
        lines = path.read_text().splitlines()
        random.Random(1).shuffle(lines)
        if path.suffix == ".jsonl":
            reordered = (dict(reversed(json.loads(line).items())) for line in lines)
            lines = [json.dumps({**row, "ignored": 1}, ensure_ascii=True, indent=None) for row in reordered]
        path.write_text("\n\n".join(reversed(lines)))
    assert digests(one) == digests(two)


@pytest.mark.parametrize(
    ("changed", "kind"),
    [({"doc": "beans"}, "docs"), ({"query": "Чай"}, "queries"), ({"grade": 2}, "qrels"), ({"answer": "x"}, "answers")],
)
def test_any_content_changes_its_own_digest_and_no_other(tmp_path: Path, changed: dict[str, str], kind: str) -> None:
    one, two = digests(folder(tmp_path / "one")), digests(folder(tmp_path / "two", **changed))
    assert {name for name in one if one[name] != two[name]} == {kind}


@given(st.lists(st.text("aé東𝔸～", min_size=1, max_size=3), unique=True))
def test_docs_are_sorted_by_the_bytes_of_their_ids(ids: list[str]) -> None:
    docs = Docs(Doc(doc_id, "", doc_id) for doc_id in ids)
    assert list(docs.ids) == sorted(ids, key=lambda doc_id: doc_id.encode())
    assert [doc.doc_id for doc in docs] == list(docs.ids)
    assert docs[1:3] == list(docs)[1:3]
    assert all(docs.get(doc_id).text == doc_id and doc_id in docs for doc_id in ids)
    assert "none" not in docs


# Export


@pytest.mark.parametrize("dataset_id", ["xdr-mini/ja", "xdr-mini/ar/dev"])
def test_an_exported_collection_read_as_a_folder_is_the_same(tmp_path: Path, dataset_id: str) -> None:
    counts = export_collection(dataset_id, tmp_path / "out")
    source = load(dataset_id)
    assert counts["docs.jsonl"] == len(source.docs)
    assert counts["queries.jsonl"] == counts["answers.jsonl"] == counts["qrels.txt"] == len(source.queries)
    assert digests(tmp_path / "out") == source.digests.as_dict()


def test_what_a_collection_lacks_is_not_exported(tmp_path: Path) -> None:
    path = folder(tmp_path / "data")
    (path / "qrels.txt").unlink()
    assert export_collection(f"folder:{path}", tmp_path / "out").keys() == {
        "docs.jsonl",
        "queries.jsonl",
        "answers.jsonl",
    }


# Names


def test_an_unknown_collection_suggests_known_ones() -> None:
    with pytest.raises(WrongUsage, match=r"unknown collection 'xqaud/ar'; did you mean .*'xquad/ar'"):
        load("xqaud/ar")
    with pytest.raises(WrongUsage, match="unknown collection 'xdr-mini/xx'"):
        load("xdr-mini/xx")


def test_every_listed_collection_can_be_made_and_tells_its_language() -> None:
    import ir_datasets

    for dataset_id in dataset_ids():
        dataset = ir_datasets.load(dataset_id)
        assert dataset.has_queries()
        language = [
            canonical_language(step) for step in dataset_id.split("/")[1:] if re.fullmatch("[a-z]{2}(-[a-z]{2})?", step)
        ]
        assert [dataset.queries_lang()] == (language or [None])


# Real data


@pytest.mark.usefixtures("imported_data")
@pytest.mark.parametrize("lang", ["ar", "de", "en", "es", "hi", "ru", "tr", "zh"])
def test_xquad_asks_1190_parallel_questions_of_240_paragraphs(lang: str) -> None:
    collection, english = load(f"xquad/{lang}"), load("xquad/en")
    assert len(collection.docs) == 240
    assert len(collection.queries) == 1190
    assert collection.docs.digest == english.docs.digest
    assert collection.answers == english.answers
    assert {query.topic for query in collection.queries} == {query.topic for query in english.queries}
    assert (collection.digests.queries == english.digests.queries) == (lang == "en")
    assert collection.qrels == english.qrels
    assert {query.lang for query in collection.queries} == {lang}
    for query_id, grades in (collection.qrels or {}).items():
        (doc_id,) = grades
        assert all(answer in collection.docs.get(doc_id).text for answer in (collection.answers or {})[query_id])


@pytest.mark.usefixtures("imported_data")
def test_xquad_over_paragraphs_of_another_language_has_their_answers() -> None:
    collection, german = load("xquad/ar/de"), load("xquad/de/de")
    assert collection.docs.digest == german.docs.digest != load("xquad/ar").docs.digest
    assert collection.answers == german.answers
    assert [query.lang for query in collection.queries[:1]] == ["ar"]


@pytest.mark.usefixtures("imported_data")
@pytest.mark.parametrize("lang", ["ar", "en"])
def test_the_pool_of_all_languages_has_eight_relevant_versions_of_a_paragraph(lang: str) -> None:
    from harness.collections.xquad import MULTILINGUAL, language_of

    collection, own = load(f"xquad/{lang}/multilingual"), load(f"xquad/{lang}")
    assert len(collection.docs) == 1920
    assert collection.docs.digest == load("xquad/de/multilingual").docs.digest
    assert collection.queries == own.queries
    for query_id, grades in (collection.qrels or {}).items():
        (doc_id,) = (own.qrels or {})[query_id]
        assert grades == {f"{doc_id}.{other}": 1 for other in MULTILINGUAL}
    for other in MULTILINGUAL:
        texts = {doc.doc_id: doc.text for doc in load(f"xquad/en/{other}").docs}
        mine = {doc.doc_id: doc.text for doc in collection.docs if language_of(doc.doc_id) == other}
        assert mine == {f"{doc_id}.{other}": text for doc_id, text in texts.items()}
        accepted = load(f"xquad/en/{other}").answers or {}
        assert all(set(texts) <= set((collection.answers or {})[query_id]) for query_id, texts in accepted.items())


@pytest.mark.usefixtures("imported_data")
def test_an_exported_xquad_is_the_same(tmp_path: Path) -> None:
    export_collection("xquad/ar", tmp_path / "out")
    assert digests(tmp_path / "out") == load("xquad/ar").digests.as_dict()


@pytest.mark.usefixtures("imported_data")
@pytest.mark.parametrize(("lang", "denominator"), XOR_DENOMINATORS.items())
def test_xor_tydi_scores_the_official_number_of_questions(lang: str, denominator: int) -> None:
    collection = load(f"xor-tydi/dev/{lang}")
    assert len(parse("R@2kt").scored_queries(Judged(collection))) == denominator
    assert {query.lang for query in collection.queries} == {lang}


@pytest.mark.usefixtures("imported_data")
def test_the_languages_of_xor_tydi_make_up_the_whole() -> None:
    for split in ("dev", "train"):
        whole = {query.query_id: query for query in load(f"xor-tydi/{split}").queries}
        by_language = [query for lang in XOR_DENOMINATORS for query in load(f"xor-tydi/{split}/{lang}").queries]
        assert {query.query_id: query for query in by_language} == whole
        assert len(by_language) == len(whole)


def test_the_arabic_training_rows_of_xor_tydi_have_their_language_fixed(imported_data: Path) -> None:
    source = imported_data / "xor-tydi" / "xor_train_retrieve_eng_span.jsonl"
    languages = [json.loads(line)["lang"] for line in source.open(encoding="utf-8")]
    assert " ar" in languages, "the quirk that is fixed"
    assert "ar" not in languages
    assert len(load("xor-tydi/train/ar").queries) == languages.count(" ar")


@pytest.mark.usefixtures("imported_data")
def test_blanks_around_answers_of_xor_tydi_are_kept() -> None:
    answers = [answer for found in (load("xor-tydi/dev").answers or {}).values() for answer in found]
    assert sum(answer != answer.strip() for answer in answers) == 24
