"""Commands that only read what is recorded load nothing that takes longer than their work."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "ir_datasets",
    "pandas",
    "pyarrow.compute",
    "torch",
    "transformers",
    "sentence_transformers",
    "scipy.stats",
    "statsmodels",
)
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("command", ["report RUNS/mini/mini-xdr", "leaderboard mini --runs RUNS --reports REPORTS"])
def test_what_is_recorded_is_shown_without_heavy_libraries(command: str, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(ROOT / "runs" / "mini", runs / "mini")
    words = command.replace("RUNS", str(runs)).replace("REPORTS", str(tmp_path / "reports")).split()
    script = f"""
import contextlib, sys
from harness.cli import main
sys.argv = ["xdr", *{words!r}]
with contextlib.suppress(SystemExit):
    main()
print("loaded:", *(name for name in {HEAVY!r} if name in sys.modules))
"""
    run = [sys.executable, "-c", script]
    subprocess.run(run, check=True, capture_output=True, cwd=ROOT)  # scores of another machine are made again, once
    shown = subprocess.run(run, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    assert shown.splitlines()[-1] == "loaded:"
