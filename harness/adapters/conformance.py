"""Contract tests for adapters. One line in a test file gives a new adapter all of them:

TestMySystem = conformance_tests(lambda: load_card("my-system/card.toml").system(Consent(code=True)))
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.adapters.contract import Context, Request, System, rows_of
from harness.collections.view import Docs
from harness.records import Doc, Query, Ranking
from harness.servers.access import Access

_TEXTS = {
    "tea": "Tea is made from the leaves of Camellia sinensis. Green tea is not oxidised.",
    "coffee": "Coffee is brewed from roasted seeds. It reached Venice in 1615.",
    "volga": "The Volga is 3,530 kilometres long and flows into the Caspian Sea.",
    "nile": "The Nile flows north through Egypt for 6,650 kilometres.",
    "fuji": "Mount Fuji is 3,776 metres high and last erupted in 1707.",
    "hangul": "Hangul was made public in 1446 by King Sejong.",
    "same-1": "Two passages with the same text.",
    "same-2": "Two passages with the same text.",
    "ünïcödé": "Ids may hold any letters. Ääkköset, ёж, 東京, नमस्ते, 한글.",
}
_QUESTIONS = {
    "fi": "Kuinka pitkä on Volga?",
    "ja": "富士山の高さは？ Fuji",
    "ru": "Когда кофе попал в Венецию в 1615 году?",
    "ko": "훈민정음은 1446년 누가 만들었나?",
    "en": "same text",
    "symbols": "?!",
}


def toy_request(depth: int = 4) -> Request:
    """A small request with equal texts, ids that are not ASCII, many scripts, and a question without any word."""
    docs = Docs(Doc(name, name.title(), text) for name, text in _TEXTS.items())
    queries = tuple(Query(f"part/{name}", text, name[:2], name) for name, text in _QUESTIONS.items())
    return Request(docs, queries, depth)


def toy_rows(request: Request, names: Sequence[str]) -> Request:
    """The request with recorded runs of rows of these names: each has half of the passages, in an order of its own."""
    ids = sorted(request.docs.ids)
    rows = {}
    for place, name in enumerate(names):
        own = np.random.default_rng(place)
        rankings = {}
        for query in request.queries:
            found = own.permutation(len(ids))[: (len(ids) + 1) // 2]
            scores = np.sort(own.integers(1, 9, len(found)).astype(np.float32))[::-1]
            pairs = sorted(zip(scores.tolist(), (ids[i] for i in found), strict=True), reverse=True)
            rankings[query.query_id] = Ranking(
                query.query_id, [doc for _, doc in pairs], np.array([score for score, _ in pairs], np.float32)
            )
        rows[name] = rankings
    return replace(request, rows=rows)


def conformance_tests(make_system: Callable[[], System], server: Access | None = None) -> type:
    """A class of pytest tests that hold a system against the contract; ``make_system`` is called for each search.

    ``server``: where a system may send texts that needs one.
    """

    def search(request: Request, finished: frozenset[str] = frozenset(), workers: int = 1) -> dict[str, Ranking]:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            context = Context(
                cache=home / "cache",
                work=home / "work",
                finished=finished,
                workers=workers,
                shard_bytes=64,
                server=server,
            )
            system = make_system()
            request = toy_rows(request, rows_of(system))
            prepare = getattr(system, "prepare", None)
            if prepare is not None:
                prepare(request.docs, context)
            rankings = list(system.search(request, context))
        ids = [ranking.query_id for ranking in rankings]
        assert len(set(ids)) == len(ids), "a query is ranked twice"
        return {ranking.query_id: ranking for ranking in rankings}

    class ConformanceTests:
        def test_every_query_is_ranked(self) -> None:
            request = toy_request()
            assert search(request).keys() == {query.query_id for query in request.queries}

        def test_rankings_keep_to_the_contract(self) -> None:
            request = toy_request()
            for ranking in search(request).values():
                assert len(ranking.doc_ids) == len(ranking.scores) <= request.depth
                assert len(set(ranking.doc_ids)) == len(ranking.doc_ids), "a document is a duplicate"
                assert all(doc_id in request.docs for doc_id in ranking.doc_ids), "a document of no collection"
                assert np.isfinite(np.asarray(ranking.scores, dtype=np.float32)).all(), "a score that is not finite"

        def test_a_depth_beyond_the_collection_is_fine(self) -> None:
            request = toy_request(depth=100)
            assert all(len(ranking.doc_ids) <= len(request.docs) for ranking in search(request).values())

        def test_two_searches_agree_whatever_the_workers(self) -> None:
            _assert_same(search(toy_request()), search(toy_request(), workers=3))

        def test_finished_queries_do_not_alter_the_others(self) -> None:
            request = toy_request()
            done = frozenset(query.query_id for query in request.queries[:2])
            resumed = search(request, finished=done)
            undisturbed = {query_id: ranking for query_id, ranking in search(request).items() if query_id not in done}
            _assert_same(undisturbed, {query_id: r for query_id, r in resumed.items() if query_id not in done})

        def test_a_shallower_search_is_the_top_of_a_deeper_one(self) -> None:
            deep, shallow = search(toy_request(depth=6)), search(toy_request(depth=3))
            for query_id, ranking in shallow.items():
                assert _ordered(ranking) == _ordered(deep[query_id])[: len(ranking.doc_ids)], (
                    f"query {query_id}: the first passages change with the depth. Where scores are equal as 32-bit numbers, "
                    "those passages must be kept whose ids come last in the order of their UTF-8 bytes"
                )

    return ConformanceTests


def _ordered(ranking: Ranking) -> list[tuple[float, str]]:
    scores = np.asarray(ranking.scores, dtype=np.float32).tolist()
    return sorted(zip(scores, ranking.doc_ids, strict=True), key=lambda pair: (pair[0], pair[1].encode()), reverse=True)


def _assert_same(one: dict[str, Ranking], two: dict[str, Ranking]) -> None:
    assert one.keys() == two.keys()
    for query_id, ranking in one.items():
        assert _ordered(ranking) == _ordered(two[query_id]), f"query {query_id} got another ranking"
