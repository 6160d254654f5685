"""The benchmarks run, small, and both sides do the work: nothing here looks at how long it takes."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from harness.runs.trec import Run, fixed_order

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of benchmarks/, without what would take long here: ranx compiles, garbage is collected before every round."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setitem(sys.modules, "ranx", None)
    monkeypatch.setattr("gc.collect", lambda: 0)
    __import__(request.param)
    module = sys.modules[request.param]
    if request.param in ("encoding", "ragged_speed"):
        # The tokenizer is trained on all texts that there are.
        module = sys.modules["encoding"]
        texts = {kind: module.texts_of(kind)[:40] for kind in ("passages", "questions")}
        monkeypatch.setattr(module, "texts_of", texts.__getitem__)
    return sys.modules[request.param]


@pytest.mark.parametrize(
    ("benchmark", "sizes", "peers"),
    [
        ("ranking_measures", {"queries": 5, "docs": 50}, ["ir_measures", "pytrec_eval"]),
        ("randomization", {"resamples": 200, "systems": 3, "languages": 2, "queries": 20, "flips": 1_000}, ["SciPy", "NumPy"]),
        ("run_reading", {"lines": 2_000}, ["pytrec_eval"]),
        ("exact_search", {"passages": 300, "queries": 5, "depth": 9}, ["the same, by float32", "faiss IndexFlatIP"]),
        ("store", {"passages": 200, "queries_each": 2}, ["the same bytes written alone", "the vectors read and the"]),
        ("encoding", {"passages": 4, "questions": 6, "layers": 1, "hidden": 64},
         ["SentenceTransformer.encode"] * 2 + ["padded"] * 2 + ["SentenceTransformer.encode"] * 2 + ["padded"] * 2),
        ("ragged_speed", {"passages": 12, "questions": 3, "layers": 1, "hidden": 64}, ["sentence-transformers"] * 4),
    ],
    indirect=["benchmark"],
)  # fmt: skip
def test_every_benchmark_gives_a_row_for_each_peer(
    benchmark: ModuleType, sizes: dict[str, int], peers: list[str]
) -> None:
    rows = benchmark.rows(**sizes)
    assert len(rows) == len(peers)
    for row, peer in zip(rows, peers, strict=True):
        assert peer in row.peer
        assert row.ratio == row.peer_seconds / row.ours_seconds > 0


def test_the_table_is_markdown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    from table import Row, print_table

    print_table([Row("scoring", 0.5, "peer 1.0", 4.0)])
    assert capsys.readouterr().out.splitlines()[-1] == "| scoring | 0.50 s | peer 1.0 | 4.00 s | 8.0x |"


def test_the_largest_change_is_that_of_a_passage_that_both_runs_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    import determinism

    def run(**rankings: tuple[list[str], list[float]]) -> SimpleNamespace:
        rows = {
            query: fixed_order(ids, np.array(scores, dtype=np.float32)) for query, (ids, scores) in rankings.items()
        }
        return SimpleNamespace(part=lambda name: Run(name, rows), manifest=SimpleNamespace(data=["fi"]))

    one = run(q1=(["a", "b", "c"], [3, 2, 1]), q2=(["a", "b"], [1, 1]))
    two = run(q1=(["b", "a", "d"], [2.25, 2.5, 9]), q2=(["a", "b"], [1, 1]))
    assert determinism.largest_change(one, two, "fi") == determinism.largest_change(two, one, "fi") == 0.5
    assert determinism.largest_change(one, one, "fi") == 0
    assert determinism.spread(one) == 1.0
