"""Datasets of ir_datasets in all shapes that it has: their passages load, or one line says why not. Nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import ir_datasets
import pytest
from ir_datasets.formats import BaseDocs, BaseQrels, BaseQueries

from harness.collections import load
from harness.errors import InvalidInput
from harness.records import Doc


class TextDoc(NamedTuple):
    doc_id: str
    text: str


class FieldsDoc(NamedTuple):
    """As msmarco-document and nfcorpus: no field ``text``, and a default text that begins with the title."""

    doc_id: str
    title: str
    body: str

    def default_text(self) -> str:
        return f"{self.title} {self.body}"


class ImageDoc(NamedTuple):
    """As touche-image and codesearchnet: nothing that could be searched as text."""

    doc_id: str
    png: bytes


class NumberedDoc(NamedTuple):
    doc_id: int
    title: None
    text: str


class AnyQuery(NamedTuple):
    query_id: str
    text: str


class LinkedQuery(NamedTuple):
    """As wapo's background linking: neither a text nor a default text."""

    query_id: str
    doc_id: str


class SubtopicQrel(NamedTuple):
    query_id: str
    doc_id: str
    relevance: int
    subtopic_id: str


class NoteQrel(NamedTuple):
    """As codesearchnet/challenge: grades that are texts."""

    query_id: str
    doc_id: str
    relevance: str


def raising(error: Exception) -> Callable[..., Any]:
    def method(*_: object) -> Any:
        raise error

    return method


def without_self() -> str:
    return "never reached"


NAMESPACES = {
    "vaswani, cranfield": without_self,
    "argsme": raising(AssertionError()),
    "trec-tot": raising(ValueError("ToDo: Implement this")),
    "none": lambda _: None,
}


def docs_of(records: list[Any], **methods: Any) -> Any:
    plain = {
        "docs_iter": lambda _: iter(records),
        "docs_cls": lambda _: type(records[0]),
        "docs_namespace": lambda _: None,
        "docs_lang": lambda _: "en",
        "docs_count": lambda _: len(records),
        "docs_store": raising(NotImplementedError()),
    }
    return type("StandInDocs", (BaseDocs,), plain | methods)()


def queries_of(records: list[Any], **methods: Any) -> Any:
    plain = {
        "queries_iter": lambda _: iter(records),
        "queries_cls": lambda _: type(records[0]),
        "queries_lang": lambda _: "en",
    }
    return type("StandInQueries", (BaseQueries,), plain | methods)()


def qrels_of(records: list[Any]) -> Any:
    plain = {"qrels_iter": lambda _: iter(records), "qrels_cls": lambda _: type(records[0]), "qrels_defs": lambda _: {}}
    return type("StandInQrels", (BaseQrels,), plain)()


@pytest.fixture
def registered(fresh_registry: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Registers handlers as a dataset and gives our view of it."""
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))

    def register(*handlers: Any) -> Any:
        ir_datasets.registry.register("stand-in/test", ir_datasets.Dataset(*handlers))
        return load("stand-in/test")

    return register


@pytest.mark.parametrize("namespace", NAMESPACES.values(), ids=list(NAMESPACES))
def test_passages_load_whatever_the_handler_says_of_their_name(namespace: Any, registered: Callable[..., Any]) -> None:
    docs = docs_of([TextDoc("b", "two"), TextDoc("a", "one")], docs_namespace=namespace)
    assert list(registered(docs).docs) == [Doc("a", "", "one"), Doc("b", "", "two")]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (FieldsDoc("d1", "Volga", "is long"), Doc("d1", "Volga", "is long")),
        (FieldsDoc("d1", "", "is long"), Doc("d1", "", "is long")),
        (NumberedDoc(7, None, "is long"), Doc("7", "", "is long")),
    ],
)
def test_a_passage_is_made_of_what_there_is(record: Any, expected: Doc, registered: Callable[..., Any]) -> None:
    assert list(registered(docs_of([record])).docs) == [expected]


@pytest.mark.parametrize(
    ("handlers", "said"),
    [
        (
            [docs_of([ImageDoc("d1", b"x")])],
            "passage 'd1' has no text that could be searched; ir_datasets has of it: doc_id, png",
        ),
        (
            [docs_of([TextDoc("d1", "x")], docs_iter=raising(KeyError("docs")))],
            "ir_datasets cannot read stand-in/test (KeyError",
        ),
        (
            [docs_of([TextDoc("d1", "x")], docs_path=raising(FileNotFoundError("no file")))],
            "cannot read stand-in/test (no file)",
        ),
        ([docs_of([TextDoc("d1", "x")], docs_iter=raising(NotImplementedError()))], "(NotImplementedError)"),
    ],
    ids=["images", "a key", "no file", "not implemented"],
)
def test_passages_that_cannot_be_had_say_why_in_one_line(
    handlers: Any, said: str, registered: Callable[..., Any]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        _ = registered(*handlers).docs
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_questions_without_a_text_say_so(registered: Callable[..., Any]) -> None:
    collection = registered(docs_of([TextDoc("d1", "x")]), queries_of([LinkedQuery("q1", "d1")]))
    with pytest.raises(InvalidInput, match="question 'q1' has no text; ir_datasets has of it: query_id, doc_id"):
        _ = collection.queries


def test_languages_of_a_dataset_are_taken_in_any_form(registered: Callable[..., Any]) -> None:
    queries = queries_of([AnyQuery("q1", "x")], queries_lang=lambda _: "zho_Hans")
    assert [query.lang for query in registered(docs_of([TextDoc("d1", "x")]), queries).queries] == ["zh-Hans"]


def test_a_document_that_is_judged_by_subtopics_has_its_highest_grade(registered: Callable[..., Any]) -> None:
    judged = [("q1", "d1", 0, "1"), ("q1", "d1", 2, "2"), ("q1", "d1", 1, "3"), ("q1", "d2", -2, "1")]
    handlers = [docs_of([TextDoc("d1", "x")]), queries_of([AnyQuery("q1", "x")])]
    collection = registered(*handlers, qrels_of([SubtopicQrel(*row) for row in judged]))
    assert collection.qrels == {"q1": {"d1": 2, "d2": -2}}


def test_grades_that_are_texts_are_numbers_or_an_error(registered: Callable[..., Any]) -> None:
    handlers = [docs_of([TextDoc("d1", "x")]), queries_of([AnyQuery("q1", "x")])]
    assert registered(*handlers, qrels_of([NoteQrel("q1", "d1", "3")])).qrels == {"q1": {"d1": 3}}


def test_every_dataset_with_passages_can_be_asked_for_the_name_of_its_passages() -> None:
    """Of the registered ones too, as far as that needs no file: whatever they raise, the passages have a name."""
    from harness.collections.from_ir_datasets import namespace

    faulty = 0
    for dataset_id in (
        "vaswani",
        "cranfield",
        "argsme/2020-04-01",
        "trec-tot/2025",
        "antique",
        "nfcorpus",
        "msmarco-document",
    ):
        handler = ir_datasets.load(dataset_id).docs_handler()
        name = namespace(dataset_id, handler)
        assert isinstance(name, str)
        assert name
        faulty += name == dataset_id
    assert faulty >= 4
