"""Units of a track: shared topics and relevant passages, against SciPy's components; warnings that count them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scored_worlds import collection_in, track_of

from harness.tracks import load_track
from harness.tracks.units import _Components, unit_warnings, units_of

DOCS = {f"d{i}": "text" for i in range(12)}


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.lists(st.integers(0, 6), max_size=3)), min_size=1, max_size=12))
def test_components_are_scipys_whatever_the_order(queries: list[tuple[int, list[int]]]) -> None:
    topics, passages = [f"t{topic}" for topic, _ in queries], [[f"p{doc}" for doc in docs] for _, docs in queries]
    rows = [(topic, 7 + doc) for topic, docs in queries for doc in docs]
    graph = coo_array((np.ones(len(rows)), tuple(np.array(rows, dtype=int).reshape(-1, 2).T)), shape=(14, 14))
    labels = connected_components(graph, directed=False)[1]
    for order in (range(len(queries)), reversed(range(len(queries)))):
        components = _Components()
        for place in order:
            components.join(("topic", topics[place]), *(("passage", doc) for doc in passages[place]))
        names = components.names()
        own = [names["topic", topic] for topic in topics]
        for i, (first, _) in enumerate(queries):
            members = [
                doc for j, (topic, _) in enumerate(queries) if labels[topic] == labels[first] for doc in passages[j]
            ]
            assert own[i] == min(members, default=topics[i])
            for j, (second, _) in enumerate(queries):
                assert (own[i] == own[j]) == (labels[first] == labels[second])


def test_the_embedded_track_declares_the_units_that_it_has() -> None:
    track = load_track("mini")
    assert track.unit == "relevant passage"
    assert unit_warnings(track) == ()
    assert len({unit for _, unit in units_of(track).values()}) == 198
    (warning,) = unit_warnings(track.model_copy(update={"unit": "topic"}))
    assert warning.startswith("552 of 560 queries share relevant passages with queries of other topics (190 of 198")


@pytest.mark.parametrize(("shared", "warned"), [(1, False), (2, True)])
def test_few_shared_passages_are_no_matter(shared: int, warned: bool, tmp_path: Path) -> None:
    """43 queries, of which 2 share a passage, just below 5%, or 4, which is more."""
    queries = {f"fi-{i}": "fi" for i in range(42)} | {"ja-x": "ja"}
    docs = {f"d{i}": "text" for i in range(43)}
    qrels = {f"fi-{i}": {f"d{i - i % 2 if i < 2 * shared else i}": 1} for i in range(42)} | {"ja-x": {"d42": 1}}
    track = track_of(collection_in(tmp_path / "toy", docs=docs, queries=queries, qrels=qrels))
    assert bool(unit_warnings(track)) == warned


def test_one_unit_that_swallows_the_queries_is_named(tmp_path: Path) -> None:
    queries = {f"fi-{i}": "fi" for i in range(10)} | {"ja-x": "ja"}
    qrels = {f"fi-{i}": {f"d{i}": 1, f"d{i + 1}": 1} for i in range(10)} | {"ja-x": {"d11": 1}}
    folder = collection_in(tmp_path / "toy", docs=DOCS, queries=queries, qrels=qrels)
    few, warning = unit_warnings(track_of(folder, unit="relevant passage"))
    assert few.startswith("the track has 2 units that are independent")
    assert warning.startswith("one unit, 'd0', holds 10 of 11 queries")
