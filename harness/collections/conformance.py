"""Contract tests for collections. One line in a test file gives a new collection all of them:

TestRivers = conformance_tests("rivers/fi")

They need pytest, and the collection's files. That it holds what its publisher says no such test can know: pin counts and the
first records besides.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

from harness.collections import plugins
from harness.collections.view import Collection, load
from harness.languages import canonical_language


def conformance_tests(dataset_id: str, *, is_cited: bool = True) -> type:
    """A class of pytest tests that hold a dataset against what ``harness.collections.plugins`` asks of a collection.

    ``is_cited``: False for files of whoever has them, of which nobody here knows whose work they are.
    """
    name = plugins.name_of(dataset_id)

    def fresh() -> Any:
        from harness.collections.for_ir_datasets import as_ir_dataset

        return as_ir_dataset(plugins.make(dataset_id))

    class ConformanceTests:
        def test_it_is_found_by_its_id(self) -> None:
            import ir_datasets

            module = plugins.find(name)
            assert module is not None, f"no collection is called {name}: see the group xdr.collections of entry points"
            listed = list(module.ids())
            assert len(set(listed)) == len(listed)
            for listed_id in listed:
                assert re.match(module.PATTERN, listed_id), f"{listed_id} is listed, but is none of its ids"
                assert plugins.name_of(listed_id) in plugins.names()
            assert ir_datasets.load(dataset_id).has_queries()
            assert len(load(dataset_id).queries) == ir_datasets.load(dataset_id).queries_count()

        def test_ids_are_unique_and_fit_into_run_files(self) -> None:
            dataset = fresh()
            records = {"question": [query.query_id for query in dataset.queries_iter()]}
            if dataset.has_docs():
                records["passage"] = [doc.doc_id for doc in dataset.docs_iter()]
            for kind, ids in records.items():
                assert ids, f"no {kind}"
                assert len(set(ids)) == len(ids), f"a {kind}'s id is there twice"
                assert all(isinstance(own, str) and own.split() == [own] for own in ids), f"a {kind}'s id has blanks"

        def test_passages_are_found_by_id_and_by_place(self) -> None:
            if not fresh().has_docs():
                return
            docs = load(dataset_id).docs
            assert list(docs.ids) == sorted(docs.ids, key=str.encode), "passages are in the order of their ids' bytes"
            assert len(docs) == len(docs.ids)
            for place in {0, len(docs) // 2, len(docs) - 1}:
                (doc,) = docs[place : place + 1]
                assert doc == docs.get(docs.ids[place])
                assert doc.doc_id in docs
            store = fresh().docs_store()
            assert store.get(docs.ids[0]).doc_id == docs.ids[0]

        def test_texts_are_texts(self) -> None:
            collection = load(dataset_id)
            for query in collection.queries:
                assert query.text.strip(), f"question {query.query_id} is empty"
                "".join(query).encode("utf-8")
            if fresh().has_docs():
                for doc in itertools.islice(collection.docs, 10_000):
                    "".join(doc).encode("utf-8")

        def test_judgements_and_answers_are_of_its_questions_and_passages(self) -> None:
            if not fresh().has_docs():
                return
            findings = [str(finding) for finding in load(dataset_id).references.findings(dataset_id)]
            assert not findings, "\n".join(findings)

        def test_grades_are_whole_numbers_that_are_explained(self) -> None:
            dataset = fresh()
            if dataset.has_qrels():
                grades = {qrel.relevance for qrel in dataset.qrels_iter()}
                assert all(type(grade) is int for grade in grades)
                assert grades <= dataset.qrels_defs().keys(), "a grade without a word on what it means"

        def test_languages_are_known(self) -> None:
            collection = load(dataset_id)
            declared = fresh().queries_lang()
            for lang in {query.lang for query in collection.queries}:
                assert lang, "a question without a language"
                assert canonical_language(lang) == lang, f"{lang!r} is not how BCP 47 writes it"
                assert declared in (None, lang), f"its questions are declared to be in {declared}"

        def test_digests_are_the_same_each_time(self) -> None:
            assert Collection(dataset_id, fresh()).digests == Collection(dataset_id, fresh()).digests

        def test_it_says_what_to_cite_and_under_which_licence_it_is(self) -> None:
            about = plugins.about(dataset_id)
            if not is_cited:
                return
            assert about.licence.strip(), "no licence"
            assert "\n" not in about.licence
            assert about.bibtex.strip().startswith("@"), "no BibTeX of what to cite"
            assert about.bibtex.count("{") == about.bibtex.count("}")
            assert re.search(r"\btitle\s*=", about.bibtex, re.IGNORECASE), "an entry without a title"

    return ConformanceTests
