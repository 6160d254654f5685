"""The committed page of robustness is what the command makes of the recorded comparisons."""

from __future__ import annotations

import json
from pathlib import Path

import robustness

ROOT = Path(__file__).parents[2]


def test_the_page_is_made_of_the_recorded_comparisons() -> None:
    pairs = json.loads((ROOT / "runs/paws-x-drop/pairs.json").read_text("utf-8"))
    assert robustness.page(ROOT / "runs", pairs) == (ROOT / "docs/robustness.md").read_text("utf-8")


def test_what_is_not_recorded_is_not_answered(tmp_path: Path) -> None:
    pairs = json.loads((ROOT / "runs/paws-x-drop/pairs.json").read_text("utf-8"))
    text = robustness.page(tmp_path, pairs)
    assert text.count("Not answered: no comparison") == len(robustness.TRACKS)
