"""Measured times beside those of peers, as a Markdown table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Row(NamedTuple):
    what: str
    ours_seconds: float
    peer: str
    peer_seconds: float

    @property
    def ratio(self) -> float:
        """How many times as long the peer takes."""
        return self.peer_seconds / self.ours_seconds


def print_table(rows: Iterable[Row]) -> None:
    print("| what | ours, s | peer | peer, s | ratio |")
    print("|---|---:|---|---:|---:|")
    for row in rows:
        print(
            f"| {row.what} | {row.ours_seconds:.2f} | {row.peer} | {row.peer_seconds:.2f} | {row.ratio:.1f} |",
            flush=True,
        )
