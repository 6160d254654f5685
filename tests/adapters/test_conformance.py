"""Every shipped adapter passes the contract tests, and the contract tests catch adapters that break the contract."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_models
from model_servers import MODEL, started

from harness.adapters.card import LoadedCard, load_card
from harness.adapters.conformance import conformance_tests, toy_request
from harness.adapters.contract import Context, Request, System
from harness.records import Ranking
from harness.servers.access import Access
from systems.command import Command
from systems.dense import Dense
from systems.dummy import Dummy
from systems.server import Server
from systems.xqg import Xqg

HERE = tempfile.TemporaryDirectory(prefix="conformance-")

SEARCH = """
import json, sys
docs, queries = ([json.loads(line) for line in open(name)] for name in sys.argv[1:3])
for query in queries:
    words = set(query["text"].lower().split())
    scored = sorted(((len(words & set(d["text"].lower().split())), d["doc_id"]) for d in docs), reverse=True)
    for rank, (score, doc_id) in enumerate([pair for pair in scored if pair[0]][: int(sys.argv[3])], 1):
        print(query["query_id"], "Q0", doc_id, rank, score, "words")
"""


def command() -> System:
    Path(HERE.name, "search.py").write_text(SEARCH)
    words = {"command": ["python3", "search.py"]}
    return Command(Command.Parameters.model_validate(words, context={"folder": Path(HERE.name)}))


def dense(model: str, pooling: str, **parameters: object) -> System:
    path = getattr(tiny_models.shared(), model)
    return Dense(Dense.Parameters(model=str(path), pooling=pooling, token_budget=64, **parameters))


def xqg() -> System:
    generated = Path(HERE.name, "generated.jsonl")
    rows = [
        {"doc_id": doc_id, "lang": lang, "text": f"tea {doc_id}", "source": "test"}
        for doc_id in toy_request().docs.ids
        for lang in ("ja", "fi")
    ]
    generated.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    parameters = {"model": str(tiny_models.shared().static), "generated": str(generated), "fusion": {"alpha": 0.1}}
    return Xqg(Xqg.Parameters.model_validate({**parameters, "per_language": 1}))


TestBm25 = conformance_tests(lambda: load_card("bm25").system())
TestDummy = conformance_tests(lambda: load_card("dummy").system())
TestCommand = conformance_tests(command)
TestDenseCls = conformance_tests(lambda: dense("plain", "cls"))
TestDenseSentenceTransformer = conformance_tests(lambda: dense("sentence", "model", similarity="cosine"))
TestDenseStatic = conformance_tests(lambda: dense("static", "model", store_dtype="float32"))
TestXqg = conformance_tests(xqg)
TestServer = conformance_tests(
    lambda: Server(Server.Parameters(model=MODEL, batch_texts=2)), server=Access(started().url)
)


class Altered:
    """The dummy system with one thing wrong with it."""

    def __init__(self, fault: Callable[[Request, Context, list[Ranking]], list[Ranking]]) -> None:
        self._fault = fault

    def search(self, request: Request, context: Context) -> Iterator[Ranking]:
        rankings = list(Dummy(Dummy.Parameters()).search(request, context))
        yield from self._fault(request, context, rankings)


def first_altered(alter: Callable[[Ranking], Ranking]) -> Callable[..., list[Ranking]]:
    return lambda request, context, rankings: [alter(rankings[0]), *rankings[1:]]


def ranked_with(salt: str, request: Request, context: Context) -> list[Ranking]:
    return list(Dummy(Dummy.Parameters(salt=salt)).search(request, context))


def first_documents_of_a_tie(request: Request, context: Context, rankings: list[Ranking]) -> list[Ranking]:
    """All scores equal, and the documents whose ids come first are kept, where the rule keeps the last."""
    ids = sorted(request.docs.ids)[: request.depth]
    return [Ranking(ranking.query_id, ids, np.ones(len(ids), np.float32)) for ranking in rankings]


CALLS = iter(range(10_000))

FAULTS: dict[str, Callable[[Request, Context, list[Ranking]], list[Ranking]]] = {
    "a query without a ranking": lambda request, context, rankings: rankings[1:],
    "a query ranked twice": lambda request, context, rankings: [*rankings, rankings[0]],
    "a query of its own": lambda request, context, rankings: [*rankings, rankings[0]._replace(query_id="new")],
    "a query id without its part": first_altered(lambda r: r._replace(query_id=r.query_id.partition("/")[2])),
    "one document too many": lambda request, context, rankings: list(
        Dummy(Dummy.Parameters()).search(replace(request, depth=request.depth + 1), context)
    ),
    "a document twice": first_altered(lambda r: r._replace(doc_ids=[r.doc_ids[0], *list(r.doc_ids)[:-1]])),
    "an unknown document": first_altered(lambda r: r._replace(doc_ids=["stranger", *list(r.doc_ids)[1:]])),
    "a score too few": first_altered(lambda r: r._replace(scores=r.scores[1:])),
    "a score that is no number": first_altered(lambda r: r._replace(scores=[float("nan"), *list(r.scores)[1:]])),
    "an infinite score": first_altered(lambda r: r._replace(scores=[float("inf"), *list(r.scores)[1:]])),
    "a score beyond float32": first_altered(lambda r: r._replace(scores=[1e39, *list(r.scores)[1:]])),
    "another result each time": lambda request, context, rankings: ranked_with(str(next(CALLS)), request, context),
    "a result that depends on the workers": lambda request, context, rankings: ranked_with(
        str(context.workers), request, context
    ),
    "a result that depends on what is finished": lambda request, context, rankings: ranked_with(
        str(len(context.finished)), request, context
    ),
    "queries left out that are not finished": lambda request, context, rankings: (
        rankings[3:] if context.finished else rankings
    ),
    "a result that depends on the depth": lambda request, context, rankings: ranked_with(
        str(request.depth), request, context
    ),
    "ties cut otherwise than by the rule": first_documents_of_a_tie,
}


def failures(make_system: Callable[[], System]) -> list[str]:
    tests = conformance_tests(make_system)()
    failed = []
    for name in [name for name in dir(tests) if name.startswith("test_")]:
        try:
            getattr(tests, name)()
        except Exception:  # as pytest counts them
            failed.append(name)
    return failed


@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.parametrize("fault", FAULTS)
def test_the_kit_catches(fault: str) -> None:
    assert failures(lambda: Altered(FAULTS[fault])), f"{fault} is not noticed"


def test_the_kit_finds_no_fault_where_there_is_none() -> None:
    assert failures(lambda: Altered(lambda request, context, rankings: rankings)) == []


def test_rankings_in_any_order_are_no_fault() -> None:
    def turned(request: Request, context: Context, rankings: list[Ranking]) -> list[Ranking]:
        return [Ranking(r.query_id, list(r.doc_ids)[::-1], list(r.scores)[::-1]) for r in rankings[::-1]]

    assert failures(lambda: Altered(turned)) == []


def test_finished_queries_may_be_left_out() -> None:
    def rest(request: Request, context: Context, rankings: list[Ranking]) -> list[Ranking]:
        return [ranking for ranking in rankings if ranking.query_id not in context.finished]

    assert failures(lambda: Altered(rest)) == []


def test_prepare_is_called_before_the_search() -> None:
    class Prepared(Dummy):
        ready = False

        def prepare(self, docs: object, context: Context) -> None:
            self.ready = True

        def search(self, request: Request, context: Context) -> Iterator[Ranking]:
            assert self.ready
            yield from super().search(request, context)

    assert failures(lambda: Prepared(Dummy.Parameters())) == []


def test_cards_load_into_systems() -> None:
    assert isinstance(load_card("dummy"), LoadedCard)
    assert isinstance(load_card("dummy").system(), System)
