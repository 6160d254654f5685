"""Passages by their ids, as ir_datasets hands them out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ir_datasets.indices import Docstore

from harness.records import Doc, Passages


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
