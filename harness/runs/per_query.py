"""Scores, topics and units of queries as arrays over ids that all systems share, with the manners of a mapping.

A leaderboard holds the scores of every system at once. Eight bytes for a score let millions of them fit in memory; as dicts
each took a hundred, and its query's id, topic and unit again for every system.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping, ValuesView
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray


class QueryIds:
    """Ids of queries in an order. ``query_ids`` makes them: the same ids in the same order are the same object."""

    __slots__ = ("__dict__", "__weakref__", "ids")

    def __init__(self, ids: tuple[str, ...]) -> None:
        self.ids = ids

    @functools.cached_property
    def places(self) -> dict[str, int]:
        return {query_id: place for place, query_id in enumerate(self.ids)}


def query_ids(ids: Iterable[str]) -> QueryIds:
    found = tuple(ids)
    return _shared(_known_ids, hash(found), QueryIds(found), lambda known: known.ids == found)


class PerQuery(Mapping[str, float]):
    """One measure on a part's queries: {query id: value}. ``array``: float64, shape (queries,), in the order of the ids."""

    __slots__ = ("array", "queries")

    def __init__(self, queries: QueryIds, array: NDArray[np.float64]) -> None:
        self.queries, self.array = queries, array

    def __getitem__(self, query_id: str) -> float:
        return float(self.array[self.queries.places[query_id]])

    def __iter__(self) -> Iterator[str]:
        return iter(self.queries.ids)

    def __len__(self) -> int:
        return len(self.queries.ids)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PerQuery) and self.queries is other.queries:
            return bool(np.array_equal(self.array, other.array))
        return isinstance(other, Mapping) and self._as_dict() == dict(other.items())

    __hash__ = None  # type: ignore[assignment]

    def items(self) -> ItemsView[str, float]:
        return self._as_dict().items()

    def values(self) -> ValuesView[float]:
        return self._as_dict().values()

    def of(self, queries: QueryIds) -> NDArray[np.float64]:
        """The values of these queries, in their order. Raises ``KeyError`` where one of them has none."""
        if queries is self.queries:
            return self.array
        places = self.queries.places
        return np.asarray(self.array[np.array([places[query_id] for query_id in queries.ids], dtype=np.int64)])

    def merged(self, other: PerQuery) -> PerQuery:
        """With the values of the other, which count where both have one."""
        return per_query({**self._as_dict(), **other._as_dict()})

    def _as_dict(self) -> dict[str, float]:
        return dict(zip(self.queries.ids, self.array.tolist(), strict=True))


def per_query(values: Mapping[str, float]) -> PerQuery:
    if isinstance(values, PerQuery):
        return values
    return PerQuery(query_ids(values), np.array(list(values.values()), dtype=np.float64))


class PartUnits:
    """Topic and unit of a part's queries, each in the order of ``queries``; equal ones are the same object."""

    __slots__ = ("__weakref__", "queries", "topics", "units")

    def __init__(self, queries: QueryIds, topics: tuple[str, ...], units: tuple[str, ...]) -> None:
        self.queries, self.topics, self.units = queries, topics, units

    def of(self, queries: QueryIds) -> PartUnits:
        """Those of these queries, in their order. Raises ``KeyError`` where one of them has none."""
        if queries is self.queries:
            return self
        places = [self.queries.places[query_id] for query_id in queries.ids]
        return part_units(queries, (self.topics[place] for place in places), (self.units[place] for place in places))

    def merged(self, other: PartUnits) -> PartUnits:
        """With those of the other, which count where both have a query."""
        if other is self:
            return self
        found = {**self._as_dict(), **other._as_dict()}
        return part_units(query_ids(found), *zip(*found.values(), strict=True))

    def _as_dict(self) -> dict[str, tuple[str, str]]:
        return dict(zip(self.queries.ids, zip(self.topics, self.units, strict=True), strict=True))


def part_units(queries: QueryIds, topics: Iterable[str], units: Iterable[str]) -> PartUnits:
    made = PartUnits(queries, tuple(topics), tuple(units))

    def is_it(known: PartUnits) -> bool:
        return known.queries is queries and known.topics == made.topics and known.units == made.units

    return _shared(_known_units, hash((id(queries), made.topics, made.units)), made, is_it)


class UnitsByQuery(Mapping[tuple[str, str], tuple[str, str]]):
    """Topic and unit of every (part, query id)."""

    __slots__ = ("parts",)

    def __init__(self, parts: Mapping[str, PartUnits]) -> None:
        self.parts = parts

    def __getitem__(self, key: tuple[str, str]) -> tuple[str, str]:
        own = self.parts[key[0]]
        place = own.queries.places[key[1]]
        return own.topics[place], own.units[place]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((part, query_id) for part, own in self.parts.items() for query_id in own.queries.ids)

    def __len__(self) -> int:
        return sum(len(own.queries.ids) for own in self.parts.values())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, UnitsByQuery) and self.parts == other.parts:
            return True
        return isinstance(other, Mapping) and dict(self.items()) == dict(other.items())

    __hash__ = None  # type: ignore[assignment]


def units_by_query(units: Mapping[tuple[str, str], tuple[str, str]]) -> UnitsByQuery:
    if isinstance(units, UnitsByQuery):
        return units
    rows: dict[str, list[tuple[str, str, str]]] = {}
    for (part, query_id), (topic, unit) in units.items():
        rows.setdefault(part, []).append((query_id, topic, unit))
    found = {}
    for part, own in rows.items():
        ids, topics, names = zip(*own, strict=True)
        found[part] = part_units(query_ids(ids), topics, names)
    return UnitsByQuery(found)


_Kept = TypeVar("_Kept", QueryIds, PartUnits)
_known_ids: weakref.WeakValueDictionary[int, QueryIds] = weakref.WeakValueDictionary()
_known_units: weakref.WeakValueDictionary[int, PartUnits] = weakref.WeakValueDictionary()


def _shared(
    known: weakref.WeakValueDictionary[int, _Kept], key: int, made: _Kept, is_it: Callable[[_Kept], bool]
) -> _Kept:
    """The one that is known, as long as anybody has it, or else the new one."""
    found = known.get(key)
    if found is not None and is_it(found):
        return found
    known[key] = made
    return made
