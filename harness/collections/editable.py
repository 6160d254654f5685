"""Datasets of files that a person may edit, ``folder:PATH``, ``squad:PATH``, recipes by path: read again once changed.

Everything else that is loaded by name is pinned by a hash, and may be kept for as long as a process lives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.files.dataset_paths import paths_in
from harness.files.stamps import Look, look_at

_kept: dict[str, tuple[Look, Any]] = {}


def is_editable(dataset_id: str) -> bool:
    return bool(paths_in(dataset_id))


def current(dataset_id: str, make: Callable[[str], Any]) -> Any:
    """The dataset of what its files hold now; the same object as long as none of them has changed."""
    look = look_at(file for path in paths_in(dataset_id) for file in files_of(Path(path)))
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


def files_of(path: Path) -> Iterator[Path]:
    """A file, or the files of a folder and of the folders in it."""
    try:
        yield from filter(Path.is_file, [path] if path.is_file() else [*path.glob("*"), *path.glob("*/*")])
    except (OSError, ValueError):  # whoever reads it says what is the matter
        return
