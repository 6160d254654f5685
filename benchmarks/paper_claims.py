"""Writes the table of docs/paper-claims.md from the claims and the recorded leaderboards: python benchmarks/paper_claims.py"""

from __future__ import annotations

from pathlib import Path

from harness.files.writing import write_text
from harness.leaderboard.claims import as_markdown, load_claims

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/paper-claims.md"
BEGIN, END = "<!-- written by benchmarks/paper_claims.py -->\n", "<!-- end -->"


def written(page: str, table: str) -> str:
    """The page with the table between its two marks."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}{table}{END}{rest.split(END, 1)[1]}"


if __name__ == "__main__":
    write_text(PAGE, written(PAGE.read_text("utf-8"), as_markdown(load_claims(), ROOT / "runs")))
