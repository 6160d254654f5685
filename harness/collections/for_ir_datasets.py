"""Our datasets as those of ir_datasets, for whoever asks that library for one of their ids.

To import that library takes longer than to read a small collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ir_datasets
from ir_datasets.formats import BaseDocs, BaseQrels, BaseQueries, TrecQrel

from harness.collections import handlers


def as_ir_dataset(dataset: Any) -> Any:
    """An ``ir_datasets.Dataset`` of the same handlers; what either has read, both have.

    A collection of another distribution may give one already, which may be of our handlers all the same.
    """
    own = dataset.handlers if isinstance(dataset, handlers.Dataset) else getattr(dataset, "_constituents", ())
    if not any(type(handler) in _THEIRS for handler in own):
        return dataset
    return ir_datasets.Dataset(*map(_as_theirs, own))


def _as_theirs(handler: Any) -> Any:
    kind = _THEIRS.get(type(handler))
    if kind is None:
        return handler
    theirs = kind.__new__(kind)
    theirs.__dict__ = handler.__dict__
    return theirs


class _Docs(handlers.Docs, BaseDocs):  # type: ignore[misc]
    pass


class _LargeDocs(handlers.LargeDocs, BaseDocs):  # type: ignore[misc]
    pass


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
