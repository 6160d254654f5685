"""Datasets of files that a person may edit at any time, ``folder:PATH`` and ``squad:PATH``: read again once they have changed.

Everything else that is loaded by name is pinned by a hash, and may be kept for as long as a process lives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.files.stamps import Look, look_at

_EDITABLE = re.compile(r"(?:folder|squad)[^:]*:(?P<path>.+)", re.DOTALL)
_kept: dict[str, tuple[Look, Any]] = {}


def is_editable(dataset_id: str) -> bool:
    return _EDITABLE.fullmatch(dataset_id) is not None


def current(dataset_id: str, make: Callable[[str], Any]) -> Any:
    """The dataset of what its files hold now; the same object as long as none of them has changed."""
    match = _EDITABLE.fullmatch(dataset_id)
    assert match is not None
    look = look_at(_files_of(Path(match["path"])))
    known = _kept.get(dataset_id)
    if known is None or not known[0].holds(look):
        known = _kept[dataset_id] = look, make(dataset_id)
    return known[1]


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


def _files_of(path: Path) -> Iterator[Path]:
    """A file, or the files of a folder and of the folders in it."""
    try:
        yield from filter(Path.is_file, [path] if path.is_file() else [*path.glob("*"), *path.glob("*/*")])
    except (OSError, ValueError):  # whoever reads it says what is the matter
        return
