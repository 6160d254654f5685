"""Datasets of files that a person may edit at any time, ``folder:PATH`` and ``squad:PATH``: read again once they have changed.

Everything else that is loaded by name is pinned by a hash, and may be kept for as long as a process lives.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_EDITABLE = re.compile(r"(?:folder|squad)[^:]*:(?P<path>.+)", re.DOTALL)
_SETTLED_SECONDS = 2
"""What changed so shortly before it was looked at may change again without another time stamp; FAT's are the coarsest."""

Stamp = tuple[tuple[str, int, int, int, int], ...]
"""Name, size, times of change of content and of the entry (ns), and inode of each file."""


@dataclass(frozen=True)
class _Kept:
    stamp: Stamp
    looked_at: int
    dataset: Any

    def is_current(self, stamp: Stamp) -> bool:
        changed = max((max(row[2:4]) for row in self.stamp), default=0)
        return self.stamp == stamp and changed + _SETTLED_SECONDS * 1_000_000_000 < self.looked_at


_kept: dict[str, _Kept] = {}


def is_editable(dataset_id: str) -> bool:
    return _EDITABLE.fullmatch(dataset_id) is not None


def current(dataset_id: str, make: Callable[[str], Any]) -> Any:
    """The dataset of what its files hold now; the same object as long as none of them has changed."""
    match = _EDITABLE.fullmatch(dataset_id)
    assert match is not None
    looked_at, stamp = time.time_ns(), _stamp_of(Path(match["path"]))
    known = _kept.get(dataset_id)
    if known is None or not known.is_current(stamp):
        known = _kept[dataset_id] = _Kept(stamp, looked_at, make(dataset_id))
    return known.dataset


class Current:
    """Stands in ir_datasets' registry, which keeps what it made once, for what the files hold at each call."""

    def __init__(self, dataset_id: str, make: Callable[[str], Any], shown: Callable[[Any], Any]) -> None:
        """``shown`` makes of a dataset what the registry is to hand out."""
        self._dataset_id, self._make, self._shown = dataset_id, make, shown
        self._of = current(dataset_id, make)  # what is wrong with an id is said when it is loaded
        self._handed_out = shown(self._of)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if (now := current(self._dataset_id, self._make)) is not self._of:
            self._of, self._handed_out = now, self._shown(now)
        return getattr(self._handed_out, name)


def _stamp_of(path: Path) -> Stamp:
    return tuple(sorted(_rows(path)))


def _rows(path: Path) -> Iterator[tuple[str, int, int, int, int]]:
    """Of a file, or of the files of a folder and of the folders in it."""
    try:
        files = [path] if path.is_file() else [*path.glob("*"), *path.glob("*/*")]
        for file in files:
            if file.is_file():
                status = file.stat()
                yield (str(file), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    except (OSError, ValueError):  # whoever reads it says what is the matter
        return
