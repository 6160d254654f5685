"""Rows of the speed table, and how they are printed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Row(NamedTuple):
    """What was measured, and how long we and a peer took."""

    what: str
    ours_seconds: float
    peer: str
    peer_seconds: float

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.peer_seconds / self.ours_seconds


def print_table(rows: Iterable[Row]) -> None:
    """Print the rows as a Markdown table."""
    print("| what | ours | peer | peer's time | ratio |")
    print("| --- | ---: | --- | ---: | ---: |")
    for row in rows:
        print(f"| {row.what} | {row.ours_seconds:.2f} s | {row.peer} | {row.peer_seconds:.2f} s | {row.ratio:.1f}x |")
