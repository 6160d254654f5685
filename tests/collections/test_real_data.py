"""Real questions and passages: the numbers that the README and the model cards stand on."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.adapters.card import load_card
from harness.adapters.contract import Context
from harness.runs.execute import run_system
from harness.runs.run_folder import RunFolder
from harness.runs.score import score_system
from harness.runs.track_runs import TrackRuns
from harness.tracks import load_track


@pytest.mark.usefixtures("imported_data")
def test_bm25_finds_the_english_paragraph_of_an_english_question(tmp_path: Path) -> None:
    track = load_track("xquad")
    english = track.model_copy(update={"parts": (track.part("en"),), "macro": (), "measures": ("Success@10",)})
    context = Context(cache=tmp_path / "cache", work=tmp_path / "work")
    outcome = run_system(TrackRuns(english, tmp_path / "runs"), load_card("bm25"), context)
    assert outcome.queries == 1190
    assert (score_system(RunFolder(english, outcome.folder)).mean("en", "Success@10") or 0) > 0.95


@pytest.mark.usefixtures("imported_data")
def test_the_small_encoders_find_english_paragraphs_across_languages(tmp_path: Path) -> None:
    # Nothing below rank 10 counts, and two million lines less are written and read.
    track = load_track("xquad").model_copy(update={"measures": ("Success@10",), "depth": 10})
    context = Context(cache=tmp_path / "cache", work=tmp_path / "work", workers=2)
    macro = {}
    for name in ("mini-zero-shot", "mini-xdr"):
        outcome = run_system(TrackRuns(track, tmp_path / "runs"), load_card(name), context)
        scores = score_system(RunFolder(track, outcome.folder))
        means = {part: scores.mean(part, "Success@10") or 0 for part in scores.parts}
        macro[name] = sum(means[part] for part in track.macro_parts) / len(track.macro_parts)
        assert means["en"] >= 0.88
    assert macro["mini-xdr"] > macro["mini-zero-shot"] >= 0.45
    # The passages are the same for all eight languages, and are encoded once.
    assert len(list((tmp_path / "cache" / "vectors").glob("*/store.json"))) == 2
