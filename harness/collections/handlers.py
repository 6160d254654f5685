"""Handlers as ir_datasets has them, made without that library: docs in memory or on the disk, queries, qrels, answers.

Records are read at first use by the function that the handler is given, so registering a dataset costs nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from harness.errors import Finding
from harness.records import Answers, Doc, Passages, Query


class Dataset:
    """Handlers put together: each one's methods are the dataset's. None stands for a kind that it does not have."""

    def __init__(self, *handlers: Any) -> None:
        self.handlers = tuple(handler for handler in handlers if handler is not None)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name != "handlers":
            for handler in self.handlers:
                if hasattr(handler, name):
                    return getattr(handler, name)
        raise AttributeError(name)

    def has_docs(self) -> bool:
        return hasattr(self, "docs_handler")

    def has_queries(self) -> bool:
        return hasattr(self, "queries_handler")

    def has_qrels(self) -> bool:
        return hasattr(self, "qrels_handler")


class Qrel(NamedTuple):
    """A judgement in the order of ir_datasets' own record."""

    query_id: str
    doc_id: str
    relevance: int
    iteration: str = "0"


class Docs:
    def __init__(self, read: Callable[[], Iterable[Doc]], lang: str | None) -> None:
        self._read = read
        self._lang = lang

    @functools.cached_property
    def _docs(self) -> list[Doc]:
        return list(self._read())

    def docs_iter(self) -> _SliceableIterator:
        return _SliceableIterator(self._docs)

    def docs_handler(self) -> Any:
        return self

    def docs_store(self, field: str = "doc_id") -> Any:
        from harness.collections.by_id import MemoryDocstore

        return MemoryDocstore(self._docs, field)

    def docs_cls(self) -> type[Doc]:
        return Doc

    def docs_count(self) -> int:
        return len(self._docs)

    def docs_lang(self) -> str | None:
        return self._lang

    def docs_namespace(self) -> str | None:
        return None


class LargeDocs:
    """Docs that stay on the disk, in the order of their ids; ``open_passages`` is called at their first use."""

    def __init__(self, open_passages: Callable[[], Passages], lang: str | None) -> None:
        self._open = open_passages
        self._lang = lang

    @functools.cached_property
    def passages(self) -> Passages:
        return self._open()

    def docs_iter(self) -> _SliceableIterator:
        return _SliceableIterator(_Places(self.passages))

    def docs_handler(self) -> Any:
        return self

    def docs_store(self, field: str = "doc_id") -> Any:
        from harness.collections.by_id import PassagesDocstore

        return PassagesDocstore(self.passages, field)

    def docs_cls(self) -> type[Doc]:
        return Doc

    def docs_count(self) -> int:
        return len(self.passages)

    def docs_lang(self) -> str | None:
        return self._lang

    def docs_namespace(self) -> str | None:
        return None


class _Places:
    """Passages by place as well as by slice, as a list has them."""

    def __init__(self, passages: Passages) -> None:
        self._passages = passages

    def __iter__(self) -> Iterator[Doc]:
        return iter(self._passages)

    def __getitem__(self, key: int | slice) -> Any:
        if isinstance(key, slice):
            return self._passages[key]
        place = range(len(self._passages))[key]
        return self._passages[place : place + 1][0]


class _SliceableIterator:
    """Iterator over docs that can also be sliced, ``docs_iter()[10:20]``, as ir_datasets' own can."""

    def __init__(self, docs: list[Doc] | _Places) -> None:
        self._docs = docs
        self._position = iter(docs)

    def __iter__(self) -> Iterator[Doc]:
        return self._position

    def __next__(self) -> Doc:
        return next(self._position)

    def __getitem__(self, key: int | slice) -> Any:
        return iter(self._docs[key]) if isinstance(key, slice) else self._docs[key]


class Queries:
    def __init__(self, read: Callable[[], Iterable[Query]], lang: str | None) -> None:
        self._read = read
        self._lang = lang

    @functools.cached_property
    def _queries(self) -> list[Query]:
        return list(self._read())

    def queries_handler(self) -> Any:
        return self

    def queries_iter(self) -> Iterator[Query]:
        return iter(self._queries)

    def queries_cls(self) -> type[Query]:
        return Query

    def queries_count(self) -> int:
        return len(self._queries)

    def queries_lang(self) -> str | None:
        return self._lang


class Qrels:
    def __init__(self, read: Callable[[], Iterable[tuple[str, str, int]]], definitions: dict[int, str]) -> None:
        self._read = read
        self._definitions = definitions

    def qrels_handler(self) -> Any:
        return self

    def qrels_iter(self) -> Iterator[Any]:
        return (Qrel(*row) for row in self._read())

    def qrels_cls(self) -> Any:
        return Qrel

    def qrels_defs(self) -> dict[int, str]:
        return self._definitions


class Remarks:
    """What a reader has to say of the records, such as what it left out; a handler that only the harness asks for."""

    def __init__(self, read: Callable[[], Iterable[Finding]]) -> None:
        self._read = read

    def remarks_iter(self) -> Iterator[Finding]:
        return iter(self._read())

    def remarks_handler(self) -> Remarks:
        return self


class AnswerStrings:
    """Accepted answers, a handler of its own: only the scorer asks for it."""

    def __init__(self, read: Callable[[], Iterable[Answers]]) -> None:
        self._read = read

    def answers_iter(self) -> Iterator[Answers]:
        return iter(self._read())

    def answers_handler(self) -> AnswerStrings:
        return self
