"""The benchmark of encoders says the ratios that its figures give, says how a side ended, and goes on where it was ended."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import tiny_models
from encoding_engines import Benchmark, Failed, Line, Processes, how_it_ended, table
from engine_sides import TORCH, Place

OURS = "ours, kernel torch"
SIDES = (OURS, TORCH, "ONNX Runtime")
TEXTS = {"passages": ["the river is long", "green tea", "from the sea"], "questions": ["how high?", "tea"]}


def line(side: str, seconds: float, processor_seconds: float) -> Line:
    return Line("passages", side, 10, 1000, seconds, processor_seconds, 10**9, 0.5, 0.99)


def test_ours_stands_beside_the_fastest_of_the_same_precision() -> None:
    found = table(
        [
            line("ours, kernel torch-fused", 3.0, 6.0),
            line("ours, kernel onnx", 2.0, 4.0),
            line("ours, kernel onnx, int8", 1.0, 2.0),
            line(TORCH, 4.0, 8.0),
            line("OpenVINO", 2.5, 3.0),
            line("ONNX Runtime, int8", 0.5, 1.0),
        ]
    ).splitlines()
    assert found[-2] == (
        "passages, float32: ours, kernel onnx beside the fastest, OpenVINO: 1.25x; in processor seconds 0.75x"
    )
    assert found[-1].endswith("ONNX Runtime, int8: 0.50x; in processor seconds 0.50x")
    assert "| 10 passages of 100 tokens | ours, kernel onnx | 2.00 | 5.0 | 4.00 | 1,000 | 50% | 0.9900 |" in found


def test_a_precision_that_nobody_else_has_is_compared_with_nobody() -> None:
    found = table([line("ours, kernel onnx, int8", 1.0, 2.0), line(TORCH, 4.0, 8.0)])
    assert "beside" not in found


def test_what_is_done_stays_done_vectors_are_compared_and_an_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `fast` is not installed")
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    first = Benchmark(tiny_models.shared().sentence, TEXTS, tmp_path, 1, SIDES)
    try:
        assert first.measured(1) == []
        (process, _) = first._processes._running[OURS]
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join(30)
        with pytest.raises(Failed, match="ended with signal SIGKILL, as the system does where memory runs out"):
            first._processes.turn(OURS)
    finally:
        first.close()
    lines, far = first.lines()
    assert far == []
    assert [(one.kind, one.side, one.texts) for one in lines] == [
        (kind, side, len(texts)) for kind, texts in TEXTS.items() for side in SIDES
    ]
    assert all(one.cosine == pytest.approx(1, abs=1e-5) and one.peak_bytes > 10**7 for one in lines)
    # Nothing is begun that was done: no process of the second could be.
    monkeypatch.setattr(Processes, "turn", lambda *_: pytest.fail("a turn was made twice"))
    second = Benchmark(tiny_models.shared().sentence, TEXTS, tmp_path, 1, SIDES)
    assert second.measured(1) == []
    assert second.turns == first.turns


def test_a_side_that_cannot_begin_says_what_it_printed(tmp_path: Path) -> None:
    processes = Processes(Place(tmp_path / "nowhere", tmp_path, 1))
    with pytest.raises(Failed, match=r"(?s)ended with status 1 instead of vectors:.*texts\.json"):
        processes.turn(OURS)
    assert "(it printed nothing)" in how_it_ended(OURS, -signal.SIGTERM, " ")
