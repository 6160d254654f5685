"""The benchmarks of scale run, small, and their page is written from their figures alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.delenv("XDR_TEST_DATA", raising=False)


def test_the_stages_leave_nothing_behind_and_find_what_they_stored(tmp_path: Path) -> None:
    import scale

    sizes = (300, 4, 7)
    results = [scale.STAGES[name](tmp_path, *sizes) for name in ("store", "reopen", "search")]
    assert [result.get("rows") for result in results] == [300, 300, None]
    assert results[0]["disk_bytes"] > 300 * 768 * 2
    assert results[2]["found"] == 4 * 7


def test_the_chain_counts_passages_and_the_page_shows_the_figures_it_is_given() -> None:
    import approximate
    import chain
    import scale_page

    figures = chain.run(12, 2, 1, 64, queries=3)
    assert figures["store_bytes"] == 12 * 64 * 2
    chained = json.loads(json.dumps(figures)) | {"passages": 1000, "seconds": {"passages": 100.0}, "load": 0.5}
    stages = [
        {
            "stage": "store",
            "appending_seconds": 50.0,
            "disk_bytes": 2e9,
            "seconds": 60.0,
            "peak_bytes": 1e8,
            "load": 1.0,
        },
        {"stage": "reopen", "seconds": 10.0, "peak_bytes": 1e8, "load": 1.0},
        {"stage": "search", "seconds": 90.0, "searching_seconds": 80.0, "peak_bytes": 3e8, "load": 1.0},
    ]
    machine = {"cpu": "processor", "cores": 2}
    scaled = {"passages": 182_000, "queries": 9, "depth": 7, "stages": stages, "machine": machine}
    row = {"what": "searching", "ours_seconds": 2.0, "peer": "another", "peer_seconds": 3.0, "load": 0.2}
    whole = {"factory": "Flat"}
    indexed = approximate.run(5, (whole, {"factory": "IVF2,Flat", "nprobe": 2}), most=90)
    assert [index["recall"] for index in indexed["indexes"]] == [1.0, 1.0]
    full = {
        "passages": 18_000_000,
        "corpus_bytes": 12e9,
        "index_bytes": 5e8,
        "first": {"seconds": 1200.0, "peak_bytes": 2e9, "load": 1.0},
        "again": {"seconds": 60.0, "peak_bytes": 1e9, "load": 1.0},
    }
    speed = {"rows": [row], "libraries": {"numpy": "2"}}
    page = scale_page.written(scaled, full, [chained], indexed, speed, 0.5)
    assert "| the first time | 1,200 | 2,000 | 1.0 |" in page
    assert "| `IVF2,Flat`, nprobe 2 | 100.0% |" in page
    assert "1.00% of its passages" in page
    assert "| store | 50.0 | 3,640 | 100 | 2.00 | 1.0 |" in page
    # 18.2 million passages at ten a second.
    assert "| 1 layers, 64 dimensions | passages | 506 | 253 |" in page
    assert "| searching | 2.00 s | another | 3.00 s | 1.50x | 0.2 |" in page
