"""Which queries of a track are one unit, which a test flips and resamples as a whole, since they are not independent."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from harness.collections.view import Collection
from harness.tracks import Track

Units = dict[tuple[str, str], tuple[str, str]]

SHARE_WORTH_A_WARNING = 0.05
_LARGE_UNIT = 0.25
_FEW_UNITS = 30


def units_of(track: Track) -> Units:
    """Topic and unit of every (part, query id).

    The unit ``topic`` is the query's topic, the same in all parts. The unit ``relevant passage`` is the connected component of
    queries that share a topic or a relevant passage, directly or through others, in any part; it is named by the first of its
    passages (by its topic, where nothing is relevant to any of its queries). Ids mean the same in all parts.
    """
    collections = {part.name: part.collection for part in track.parts}
    topics = {(name, query.query_id): query.topic for name, found in collections.items() for query in found.queries}
    if track.unit == "topic":
        return {key: (topic, topic) for key, topic in topics.items()}
    components = _Components()
    for (part, query_id), topic in topics.items():
        components.join(("topic", topic), *(("passage", doc) for doc in _relevant(collections[part], query_id)))
    names = components.names()
    return {key: (topic, names["topic", topic]) for key, topic in topics.items()}


def unit_warnings(track: Track) -> tuple[str, ...]:
    """What speaks against the track's unit, with counts: passages that units share, or one unit that swallows many queries."""
    units = {key: unit for key, (_, unit) in units_of(track).items()}
    if not units:
        return ()
    found = []
    if track.unit == "topic":
        collections = {part.name: part.collection for part in track.parts}
        found += _shared_passages(units, collections)
    if (count := len(set(units.values()))) < _FEW_UNITS:
        found.append(
            f"the track has {count} units that are independent of each other; with fewer than {_FEW_UNITS}, tests find "
            "only large differences, and 95% intervals of measures that are not hit or miss cover about 90%"
        )
    name, size = Counter(units.values()).most_common(1)[0]
    if size > _LARGE_UNIT * len(units) and len(track.parts) < size:
        found.append(
            f"one unit, {name!r}, holds {size:,} of {len(units):,} queries, linked by shared relevant passages; "
            "tests have little power with so few independent units"
        )
    return tuple(found)


def _shared_passages(units: Mapping[tuple[str, str], str], collections: Mapping[str, Collection]) -> list[str]:
    asking: dict[str, set[str]] = defaultdict(set)
    passages = {(part, query_id): _relevant(collections[part], query_id) for part, query_id in units}
    for key, own in passages.items():
        for doc in own:
            asking[doc].add(units[key])
    shared = {doc for doc, askers in asking.items() if len(askers) > 1}
    queries = sum(bool(shared.intersection(own)) for own in passages.values())
    if queries <= SHARE_WORTH_A_WARNING * len(units):
        return []
    return [
        f"{queries:,} of {len(units):,} queries share relevant passages with queries of other topics ({len(shared):,} of "
        f"{len(asking):,} passages are asked for by several), but the unit is 'topic', as if they were independent; "
        'unit = "relevant passage" in the track\'s file takes them as one'
    ]


def _relevant(collection: Collection, query_id: str) -> Sequence[str]:
    return [doc for doc, grade in (collection.qrels or {}).get(query_id, {}).items() if grade > 0]


Node = tuple[str, str]


class _Components:
    """Connected components by union-find (Tarjan 1975, path halving), of nodes that are topics or passages."""

    def __init__(self) -> None:
        self._parent: dict[Node, Node] = {}

    def join(self, first: Node, *others: Node) -> None:
        for other in (first, *others):
            self._parent.setdefault(other, other)
            # The root is the least node, whatever the order of joins; passages come before topics.
            one, two = sorted((self._root(first), self._root(other)))
            self._parent[two] = one

    def _root(self, node: Node) -> Node:
        while (parent := self._parent[node]) != node:
            self._parent[node] = self._parent[parent]
            node = self._parent[node]
        return node

    def names(self) -> Mapping[Node, str]:
        nodes: Iterable[Node] = list(self._parent)
        return {node: self._root(node)[1] for node in nodes}
