"""The contract of collections, for those whose files are here; and that it finds who breaks it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import ir_datasets
import pytest

from harness.adapters.bibtex import entries_of
from harness.collections import plugins
from harness.collections.conformance import conformance_tests
from harness.collections.handlers import Docs, Qrels, Queries
from harness.leaderboard.exports.bibtex import works_of
from harness.records import Doc, Query

TestMini = conformance_tests("xdr-mini/fi")
TestMiniDevelopment = conformance_tests("xdr-mini/ko/dev")


def contract_of(kind: type) -> Iterator[Any]:
    return (test for name, test in inspect.getmembers(kind) if name.startswith("test_"))


@pytest.mark.usefixtures("imported_data")
@pytest.mark.parametrize("test", contract_of(conformance_tests("xdr-mini/fi")), ids=lambda test: test.__name__[5:])
@pytest.mark.parametrize(
    "dataset_id",
    [
        "xquad/ar",
        "xquad/es/de",
        "xquad/zh/multilingual",
        "xquad-oracle/hi",
        "tydiqa-goldp/sw",
        "paws-x/de",
        "paws-x/ko/clean",
        "paws-x/sample/fr",
        "paws-x/sample/de/clean",
    ],
)
def test_published_collections_keep_the_contract(dataset_id: str, test: Any) -> None:
    getattr(conformance_tests(dataset_id)(), test.__name__)()


@pytest.mark.parametrize("test", contract_of(conformance_tests("xdr-mini/fi")), ids=lambda test: test.__name__[5:])
def test_an_exported_folder_keeps_the_contract(test: Any, tmp_path: Path) -> None:
    from harness.collections.export import export_collection

    export_collection("xdr-mini/fi", tmp_path / "fi")
    getattr(conformance_tests(f"folder:{tmp_path / 'fi'}", is_cited=False)(), test.__name__)()


@pytest.mark.parametrize("name", [name for name in plugins.OWN if name not in ("folder", "perturbed", "squad")])
def test_every_collection_says_what_to_cite(name: str) -> None:
    said = plugins.about(f"{name}/x")
    assert said.licence
    works = works_of(said.bibtex)
    assert len(works) == said.bibtex.count("\n@") + said.bibtex.startswith("@") > 0, (
        "an entry that no bibliography can hold"
    )
    assert [work.text for work in entries_of(said.bibtex)] == [work.text for work in works]
    assert all({"title", "author", "year"} <= work.fields.keys() for work in works)


def test_datasets_of_ir_datasets_are_cited_as_it_cites_them() -> None:
    found = works_of(plugins.about("beir/arguana").bibtex)
    assert {work.key for work in found} == {"Wachsmuth2018Arguana", "Thakur2021Beir"}
    assert plugins.about("no-such-collection/x") == plugins.About()


# -- who breaks it


def toy(**changed: Any) -> ModuleType:
    module = ModuleType("toy")
    lang = changed.get("lang", "fi")
    docs = changed.get("docs", [Doc("d1", "One", "one"), Doc("d2", "Two", "two")])
    queries = changed.get("queries", [Query("q1", "yksi?", lang, "q1")])
    qrels = changed.get("qrels", [("q1", "d1", 1)])
    made = {
        "PATTERN": r"^toy/(fi)$",
        "ids": lambda: ["toy/fi"],
        "BIBTEX": "@misc{toy, title = {Toy}}",
        "LICENCE": "CC0",
        "dataset": lambda dataset_id, groups: ir_datasets.Dataset(
            Docs(lambda: docs, "en"), Queries(lambda: queries, "fi"), Qrels(lambda: qrels, {1: "relevant"})
        ),
    }
    vars(module).update({**made, **{key: value for key, value in changed.items() if key in made}})
    return module


def outcome(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Which of the tests fail for a collection of this package that is this module."""
    from harness.collections import view

    monkeypatch.setitem(plugins.OWN, "toy", "toy")
    monkeypatch.setitem(sys.modules, "harness.collections.toy", module)
    view._load.cache_clear()
    registered = ir_datasets.registry._registered
    registered.pop("toy/fi", None)
    failed = set()
    try:
        ir_datasets.registry.register("toy/fi", plugins.make("toy/fi"))
        tests = conformance_tests("toy/fi")()
        for test in contract_of(type(tests)):
            try:
                getattr(tests, test.__name__)()
            except Exception:
                failed.add(test.__name__.removeprefix("test_"))
    finally:
        registered.pop("toy/fi", None)
        view._load.cache_clear()
    return failed


@pytest.mark.parametrize(
    ("changed", "noticed_by"),
    [
        ({}, set()),
        ({"LICENCE": ""}, {"it_says_what_to_cite_and_under_which_licence_it_is"}),
        ({"BIBTEX": "Toy et al., 2020"}, {"it_says_what_to_cite_and_under_which_licence_it_is"}),
        ({"ids": lambda: ["toy/fi", "toys/fi"]}, {"it_is_found_by_its_id"}),
        ({"lang": "suomi"}, {"languages_are_known"}),
        ({"lang": "sv"}, {"languages_are_known"}),
        ({"queries": [Query("q1", " ", "fi", "q1")]}, {"texts_are_texts"}),
        ({"docs": [Doc("d1", "", "a"), Doc("d1", "", "b"), Doc("d2", "", "c")]}, {"ids_are_unique_and_fit_into_run_files"}),
        ({"queries": [Query("q 1", "?", "fi", "q1")], "qrels": [("q 1", "d1", 1)]}, {"ids_are_unique_and_fit_into_run_files"}),
        ({"qrels": [("q1", "d1", 1), ("q1", "d9", 1)]}, {"judgements_and_answers_are_of_its_questions_and_passages"}),
        ({"qrels": [("q1", "d1", 7)]}, {"grades_are_whole_numbers_that_are_explained"}),
    ],
)  # fmt: skip
def test_who_breaks_the_contract_is_noticed(
    changed: dict[str, Any], noticed_by: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = outcome(toy(**changed), monkeypatch)
    assert noticed_by <= found
    assert bool(found) == bool(noticed_by)
