"""Our datasets as those of ir_datasets, for whoever asks that library for one of their ids.

The only module beside ``from_ir_datasets`` that needs the library: to import it takes longer than to read a small collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import ir_datasets
from ir_datasets.formats import BaseDocs, BaseQrels, BaseQueries, TrecQrel
from ir_datasets.indices import Docstore

from harness.collections import handlers
from harness.records import Doc, Passages


def as_ir_dataset(dataset: Any) -> Any:
    """An ``ir_datasets.Dataset`` of the same handlers; what either has read, both have. One that is none of ours stays."""
    if not isinstance(dataset, handlers.Dataset):
        return dataset
    return ir_datasets.Dataset(*map(_as_theirs, dataset.handlers))


def _as_theirs(handler: Any) -> Any:
    kind = _THEIRS.get(type(handler))
    if kind is None:
        return handler
    theirs = kind.__new__(kind)
    theirs.__dict__ = handler.__dict__
    return theirs


class _Docs(handlers.Docs, BaseDocs):  # type: ignore[misc]
    def docs_store(self, field: str = "doc_id") -> MemoryDocstore:
        return MemoryDocstore(self._docs, field)


class _LargeDocs(handlers.LargeDocs, BaseDocs):  # type: ignore[misc]
    def docs_store(self, field: str = "doc_id") -> PassagesDocstore:
        return PassagesDocstore(self.passages, field)


class _Queries(handlers.Queries, BaseQueries):  # type: ignore[misc]
    pass


class _Qrels(handlers.Qrels, BaseQrels):  # type: ignore[misc]
    def qrels_iter(self) -> Iterator[Any]:
        return (TrecQrel(*qrel) for qrel in super().qrels_iter())

    def qrels_cls(self) -> Any:
        return TrecQrel


_THEIRS: dict[type, Any] = {
    handlers.Docs: _Docs,
    handlers.LargeDocs: _LargeDocs,
    handlers.Queries: _Queries,
    handlers.Qrels: _Qrels,
}


class MemoryDocstore(Docstore):  # type: ignore[misc]
    def __init__(self, docs: list[Doc], field: str) -> None:
        super().__init__(Doc, field)
        self._docs = docs
        self._by_id = {doc.doc_id: doc for doc in docs}

    def get_many_iter(self, doc_ids: Iterable[str]) -> Iterator[Doc]:
        return (self._by_id[doc_id] for doc_id in doc_ids if doc_id in self._by_id)

    def file_name(self) -> None:
        return None

    def __iter__(self) -> Iterator[Doc]:
        return iter(self._docs)

    def count(self) -> int:
        return len(self._docs)


class PassagesDocstore(Docstore):  # type: ignore[misc]
    def __init__(self, passages: Passages, field: str) -> None:
        super().__init__(Doc, field)
        self._passages = passages

    def get_many_iter(self, doc_ids: Iterable[str]) -> Iterator[Doc]:
        return (self._passages.get(doc_id) for doc_id in doc_ids if doc_id in self._passages)

    def file_name(self) -> None:
        return None

    def __iter__(self) -> Iterator[Doc]:
        return iter(self._passages)

    def count(self) -> int:
        return len(self._passages)
