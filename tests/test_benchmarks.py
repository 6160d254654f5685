"""The benchmarks run, small, and both sides do the work: nothing here looks at how long it takes."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def benchmark(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of benchmarks/, without ranx, which compiles for longer than all of this takes."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setitem(sys.modules, "ranx", None)
    __import__(request.param)
    return sys.modules[request.param]


@pytest.mark.parametrize(
    ("benchmark", "sizes", "peers"),
    [
        ("ranking_measures", {"queries": 5, "docs": 50}, ["ir_measures", "pytrec_eval"]),
        ("randomization", {"resamples": 200, "systems": 3, "languages": 2, "queries": 20, "tukey": 1_000}, ["SciPy", "NumPy"]),
        ("run_reading", {"lines": 2_000}, ["pytrec_eval"]),
        ("exact_search", {"passages": 300, "queries": 5, "depth": 9}, ["faiss IndexFlatIP"]),
        ("store", {"passages": 200, "queries_each": 2}, ["the same bytes written alone"] * 2),
        ("encoding", {"passages": 4, "questions": 6, "layers": 1, "hidden": 64},
         ["SentenceTransformer.encode"] * 2 + ["padded"] * 2 + ["SentenceTransformer.encode"] * 2 + ["padded"] * 2),
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
