"""This project's view of any ir_datasets dataset: sorted docs, queries with topics, qrels, answers, four digests."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from harness import progress
from harness.collections import editable, from_ir_datasets
from harness.collections.references import References, look_through
from harness.errors import Finding, InvalidInput, unknown_name
from harness.files.record_digest import digest_of_records
from harness.languages import same_language
from harness.records import Digests, Doc, Passages, Query

Kept = TypeVar("Kept")


class Docs:
    """Passages in memory, in the order of their ids' UTF-8 bytes, whatever the order of the source."""

    def __init__(self, docs: Iterable[Doc]) -> None:
        self._docs = sorted(docs, key=lambda doc: doc.doc_id.encode())
        self._place = {doc.doc_id: i for i, doc in enumerate(self._docs)}

    def __len__(self) -> int:
        return len(self._docs)

    def __iter__(self) -> Iterator[Doc]:
        return iter(self._docs)

    def __getitem__(self, places: slice) -> list[Doc]:
        return self._docs[places]

    def __contains__(self, doc_id: object) -> bool:
        return doc_id in self._place

    def get(self, doc_id: str) -> Doc:
        """The passage of that id. Raises ``KeyError`` when there is none."""
        return self._docs[self._place[doc_id]]

    @functools.cached_property
    def ids(self) -> tuple[str, ...]:
        return tuple(doc.doc_id for doc in self._docs)

    @functools.cached_property
    def digest(self) -> str:
        with progress.task("digest of the passages", len(self._docs), "passages") as advance:
            return digest_of_records(progress.counted(self._docs, advance))


class Collection:
    """One dataset as the harness sees it. Everything is read when first asked for, and then kept."""

    def __init__(self, dataset_id: str, dataset: Any) -> None:
        self.dataset_id = dataset_id
        self.dataset = self._dataset = dataset

    @functools.cached_property
    def docs(self) -> Passages:
        """Raises ``InvalidInput`` when the dataset has no passages, or they are not on this machine and cannot be fetched."""
        if not self._dataset.has_docs():
            raise InvalidInput(f"{self.dataset_id} has questions but no passages; choose a collection with passages")
        with from_ir_datasets.reading(self.dataset_id):
            handler = self._dataset.docs_handler()
        known = _shared_docs.get(handler)
        if known is None:
            known = _shared_docs[handler] = self._passages(handler)
        return known

    def _passages(self, handler: Any) -> Passages:
        from harness.collections import handlers

        if isinstance(handler, handlers.LargeDocs):
            return handler.passages
        if isinstance(handler, handlers.Docs):
            return Docs(handler.docs_iter())
        return from_ir_datasets.docs(self.dataset_id, handler, lambda: map(_as_doc, self._dataset.docs_iter()))

    @functools.cached_property
    def queries(self) -> tuple[Query, ...]:
        if not self._dataset.has_queries():
            return ()
        with from_ir_datasets.reading(self.dataset_id):
            lang = same_language(self._dataset.queries_lang() or "")
            return tuple(_as_query(query, lang) for query in self._dataset.queries_iter())

    def query(self, query_id: str) -> Query:
        """The query of that id. Raises ``KeyError`` when there is none."""
        return self._query_of[query_id]

    @functools.cached_property
    def _query_of(self) -> dict[str, Query]:
        return {query.query_id: query for query in self.queries}

    @functools.cached_property
    def qrels(self) -> Mapping[str, Mapping[str, int]] | None:
        """Relevance by query and document, or None when the collection has no judgements.

        Those of unknown queries are left out. Documents may be unknown: whoever looks one up has to ask first.
        """
        return None if self._all_qrels is None else self._of_known_queries(self._all_qrels)

    @functools.cached_property
    def answers(self) -> Mapping[str, tuple[str, ...]] | None:
        """Accepted answers by query, or None when the collection has none. Only scoring may ask for them."""
        return None if self._all_answers is None else self._of_known_queries(self._all_answers)

    @functools.cached_property
    def references(self) -> References:
        """How far judgements and answers name queries and passages that there are."""
        return look_through(self.queries, self.docs, self._all_qrels, self._all_answers)

    @property
    def remarks(self) -> tuple[Finding, ...]:
        """What the collection's reader has to say of the records, such as questions that it left out."""
        return tuple(self._dataset.remarks_iter()) if hasattr(self._dataset, "remarks_iter") else ()

    @functools.cached_property
    def _all_qrels(self) -> dict[str, dict[str, int]] | None:
        """A document that is judged several times, as by subtopics or passages, has the highest of its grades."""
        if not self._dataset.has_qrels():
            return None
        by_query: dict[str, dict[str, int]] = {}
        with from_ir_datasets.reading(self.dataset_id):
            for qrel in self._dataset.qrels_iter():
                grades, grade = by_query.setdefault(str(qrel.query_id), {}), int(qrel.relevance)
                doc_id = str(qrel.doc_id)
                grades[doc_id] = max(grade, grades.get(doc_id, grade))
        return by_query

    @functools.cached_property
    def _all_answers(self) -> dict[str, tuple[str, ...]] | None:
        if not hasattr(self._dataset, "answers_iter"):
            return None
        return {row.query_id: row.answers for row in self._dataset.answers_iter()}

    def _of_known_queries(self, by_query: Mapping[str, Kept]) -> dict[str, Kept]:
        return {query_id: kept for query_id, kept in by_query.items() if query_id in self._query_of}

    @functools.cached_property
    def digests(self) -> Digests:
        qrels = [(q, d, r) for q, docs in (self.qrels or {}).items() for d, r in docs.items()]
        return Digests(
            docs=self.docs.digest if self._dataset.has_docs() else "",
            queries=digest_of_records(self.queries),
            qrels=digest_of_records(qrels) if self.qrels is not None else "",
            answers=digest_of_records((self.answers or {}).items()) if self.answers is not None else "",
        )


# Collections of one handler share its passages in memory, as long as anybody has the handler.
_shared_docs: weakref.WeakKeyDictionary[Any, Passages] = weakref.WeakKeyDictionary()


def load(dataset_id: str) -> Collection:
    """Load any dataset that ir_datasets knows, ours included. Raises ``WrongUsage`` for an unknown id.

    The same object each time, as long as the files that it is of are the same: a folder may be edited between two loads.
    """
    if not editable.is_editable(dataset_id):
        return _load(dataset_id)
    from harness.collections import make

    with from_ir_datasets.reading(dataset_id):
        dataset = _of_its_id(dataset_id, lambda: editable.current(dataset_id, make))
    known = _of_editable.get(dataset_id)
    if known is None or known.dataset is not dataset:
        known = _of_editable[dataset_id] = Collection(dataset_id, dataset)
    return known


_of_editable: dict[str, Collection] = {}


@functools.cache
def _load(dataset_id: str) -> Collection:
    with from_ir_datasets.reading(dataset_id):
        return Collection(dataset_id, _of_its_id(dataset_id, lambda: _dataset(dataset_id)))


def _dataset(dataset_id: str) -> Any:
    """Ours without ir_datasets, which takes longer to import than a small collection to read."""
    from harness.collections import plugins

    if plugins.name_of(dataset_id) in plugins.OWN:
        return plugins.make(dataset_id)
    import ir_datasets

    return ir_datasets.load(dataset_id)


def _of_its_id(dataset_id: str, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except KeyError:
        import ir_datasets

        from harness.collections import dataset_ids

        known = {*ir_datasets.registry, *dataset_ids()}
        raise unknown_name(
            "collection",
            dataset_id,
            known,
            "or folder:PATH, squad:PATH, perturbed(NAME,seed=N):ID; see `xdr list collections`",
        ) from None


def _as_doc(record: Any) -> Doc:
    if isinstance(record, Doc):
        return record
    text, title = getattr(record, "text", None), getattr(record, "title", None) or ""
    if text is None and hasattr(record, "default_text"):
        # What ir_datasets puts together of several fields begins with the title, which is a field of its own here.
        text = record.default_text().removeprefix(title).lstrip() if isinstance(title, str) else None
    if not (isinstance(text, str) and isinstance(title, str)):
        fields = ", ".join(getattr(record, "_fields", ()))
        raise InvalidInput(
            f"passage {record.doc_id!r:.80} has no text that could be searched; ir_datasets has of it: {fields}"
        )
    return Doc(str(record.doc_id), title, text)


def _as_query(record: Any, lang: str) -> Query:
    """Raises ``InvalidInput`` for a text with a lone surrogate; our own readers take none, those of ir_datasets may."""
    if isinstance(record, Query):
        return record if record.lang else record._replace(lang=lang)
    text = getattr(record, "text", None)
    if text is None and hasattr(record, "default_text"):
        text = record.default_text()
    if not isinstance(text, str):
        fields = ", ".join(getattr(record, "_fields", ()))
        raise InvalidInput(f"question {record.query_id!r:.80} has no text; ir_datasets has of it: {fields}")
    query = Query(str(record.query_id), text, lang, str(record.query_id))
    try:
        "".join(query).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"question {query.query_id!a} holds a lone surrogate (half of a UTF-16 pair), which is no text"
        ) from error
    return query
