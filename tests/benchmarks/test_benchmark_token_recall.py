"""The benchmark of R@<n>t runs, and finds the official procedure's values. How fast it is, no test says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_benchmark_prints_a_table_without_any_data_at_hand(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "XDR_TEST_DATA"}
    environment |= {"PYTHONPATH": str(ROOT), "XDR_HOME": str(tmp_path / "home")}
    command = [sys.executable, str(ROOT / "benchmarks" / "token_recall.py"), "--queries", "12"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    header, _, *rows = done.stdout.splitlines()
    assert header == "| what | ours | peer | peer's time | ratio |"
    assert len(rows) == 2
    assert all(float(row.split(" | ")[1].removesuffix(" s")) > 0 for row in rows)
    assert not (tmp_path / "home").exists(), "the benchmark has a cache folder of its own"
