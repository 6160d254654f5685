"""Tables do not depend on how an interpreter adds floats: since Python 3.12 the builtin sum compensates for rounding."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from recorded import copy_recorded_runs

from harness.leaderboard.exports import FORMATS, WRITTEN
from harness.leaderboard.pipeline import comparison_of, leaderboard_of
from harness.runs.score_file import read_scores
from harness.runs.track_runs import TrackRuns
from harness.tracks import load_track

TRACK = load_track("mini")
_sum = builtins.sum


def one_by_one(values: Iterable[Any], start: Any = 0) -> Any:
    """The builtin sum before Python 3.12."""
    for value in values:
        start = start + value
    return start


def compensated(values: Iterable[Any], start: Any = 0) -> Any:
    """The builtin sum since Python 3.12: floats by Neumaier's algorithm."""
    listed = list(values)
    if not any(isinstance(value, float) for value in listed):
        return one_by_one(listed, start)
    total, lost = float(start), 0.0
    for value in map(float, listed):
        both = total + value
        lost += (total - both) + value if abs(total) >= abs(value) else (value - both) + total
        total = both
    return total + lost


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_recorded_runs(tmp_path_factory.mktemp("recorded"))


def tables(runs: Path) -> dict[str, str]:
    scores = [read_scores(runs / TRACK.name / name / "scores.parquet") for name in TRACK.systems]
    board = leaderboard_of(TrackRuns(TRACK, runs), scores, comparison_of(TrackRuns(TRACK, runs), scores))
    return {name: FORMATS[name].text_of(board) for name in WRITTEN}


def test_the_two_ways_to_add_differ() -> None:
    values = [0.1, 0.2, 0.3]
    assert one_by_one(values) != compensated(values)
    assert _sum([0.1] * 10) in (one_by_one([0.1] * 10), compensated([0.1] * 10))


def test_leaderboards_have_the_same_bytes_however_floats_are_added(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for way in (one_by_one, compensated):
        monkeypatch.setattr(builtins, "sum", way)
        found.append(tables(runs))
    assert found[0] == found[1]
    assert len(found[0]) >= 3
