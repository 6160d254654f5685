"""The benchmarks of scale run, small, and their page is written from their figures alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
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
    on = {"date": "2030-01-02", "cpu": "processor", "instruction_sets": ["avx2", "fma"], "cores": 2}
    scaled = {"passages": 182_000, "queries": 9, "depth": 7, "stages": stages, "measured": on}
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
        "measured": on,
    }
    speed = {"rows": [row], "libraries": {"numpy": "2"}, "measured": on}
    parts = [scale_page.cost([chained], 0.5), scale_page.store(scaled), scale_page.chain([chained])]
    parts += [scale_page.full_size(full), scale_page.approximate(indexed), scale_page.speed(speed)]
    page = scale_page.written(parts)
    assert [part.partition("\n")[0] for part in page.split("\n## ")[1:]] == [
        heading.removeprefix("## ")
        for heading in scale_page.ORDER
        if "beside faiss" not in heading and "Recall" not in heading
    ]
    assert "Measured on 2030-01-02: processor (avx2), 2 cores." in page
    assert "| the first time | 1,200 | 2,000 | 1.0 |" in page
    assert "| `IVF2,Flat`, nprobe 2 | 100.0% |" in page
    assert "1.00% of its passages" in page
    assert "| store | 50.0 | 3,640 | 100 | 2.00 | 1.0 |" in page
    # 18.2 million passages at ten a second.
    assert "| 1 layers, 64 dimensions | passages | 506 | 253 |" in page
    assert "| searching | 2.00 s | another | 3.00 s | 1.50x | 0.2 |" in page
    # Made again one by one, in the order of the page; what is not given stays.
    again = scale_page.written([scale_page.search(speed)], page)
    assert again.replace(scale_page.search(speed) + "\n", "") == page
    faster = speed | {"rows": [row | {"ours_seconds": 1.0}]}
    assert scale_page.written([scale_page.speed(faster)], page) == page.replace(
        "| 2.00 s | another | 3.00 s | 1.50x", "| 1.00 s | another | 3.00 s | 3.00x"
    )
    assert scale_page.written([], page) == page


def test_recall_is_measured_on_both_sides_of_the_same_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import recall_curve
    import scale_page

    factories = {"IVF2,Flat": [{"nprobe": 1}, {"nprobe": 2}], "PQ4x4fs,RFlat": [{"k_factor": 1}, {"k_factor": 1_000}]}
    monkeypatch.setattr(recall_curve, "indexes", lambda sizes: factories)
    figures = recall_curve.run(recall_curve.Sizes(passages=700, dimensions=8, queries=12, depth=5), tmp_path)
    assert list(tmp_path.iterdir()) == []
    recalls = [(point["recall"], point["faiss_recall"]) for point in figures["points"]]
    assert recalls[1] == recalls[3] == (1, 1)
    assert recalls[0][0] < 1 > recalls[2][0]
    page = scale_page.written([scale_page.curve(json.loads(json.dumps(figures)))])
    assert "| `IVF2,Flat`, nprobe 2 | 100.0% |" in page
    assert "| `PQ4x4fs,RFlat`, k_factor 1000 | 100.0% |" in page


def test_made_up_vectors_have_neighbours() -> None:
    import recall_curve

    vectors = recall_curve.Clusters(recall_curve.Sizes(2_000, 64, 1, 1)).drawn(400)
    scores = np.sort(vectors @ vectors.T, axis=1)
    assert np.allclose(scores[:, -1], 1, atol=1e-5)
    # Those of a cluster: 1 / (1 + 0.7 ** 2); of others: about 0.
    assert np.median(scores[:, -10]) > 0.5
    assert abs(np.median(scores)) < 0.2
