"""What files are known by without reading them: size, times of change and place on the disk, and when that was looked at."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

SETTLED_NS = 2_000_000_000
"""What changed so shortly before it was looked at may change again without another time stamp; FAT's are the coarsest."""


class Stamp(NamedTuple):
    """``modified`` and ``changed``: of the content and of the entry, in ns; nobody can set the second one back."""

    path: str
    size: int
    modified: int
    changed: int
    inode: int


class Look(NamedTuple):
    """Files as they stood at a time (ns)."""

    stamps: tuple[Stamp, ...]
    at: int

    @property
    def settles_at(self) -> int:
        """From when on a change of these files shows in their stamps."""
        return max((max(stamp.modified, stamp.changed) for stamp in self.stamps), default=0) + SETTLED_NS

    @property
    def is_settled(self) -> bool:
        return self.settles_at < self.at

    def holds(self, now: Look) -> bool:
        """Whether the files are still what they were at this look, by another one."""
        return self.is_settled and self.stamps == now.stamps


def look_at(paths: Iterable[Path]) -> Look:
    """A file that is gone has no stamp: whoever reads it says what is the matter."""
    at = time.time_ns()
    return Look(tuple(sorted(stamp for path in paths for stamp in _stamps(path))), at)


def _stamps(path: Path) -> list[Stamp]:
    with contextlib.suppress(OSError, ValueError):
        status = path.stat()
        return [Stamp(str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)]
    return []
