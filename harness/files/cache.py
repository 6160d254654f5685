"""What lies in the cache, by kind: how large it is, when it was last used, and how it goes.

Nothing in the cache goes by itself: which version of a library, which model and which track is still asked for is known to the
operator alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from harness.files.writing import cache_home, exclusive, explained_write_errors, folder_lock

KINDS: Mapping[str, str] = {
    "ablations": "runs of ablations; computed again",
    "bounds": "ceilings and random scores; computed again, in seconds to minutes",
    "data": "data files; downloaded or imported again (xdr data list)",
    "digests": "digests of large files; taken again",
    "generated": "texts that come with the package, unpacked; made again",
    "graphs": "models as ONNX graphs, one for each model and version of the libraries; exported again, in seconds to minutes",
    "indexes": "approximate indexes; built again from vectors",
    "ir_datasets": "collections of ir_datasets; downloaded again",
    "models": "pinned models, converted; converted again, from data",
    "passages": "passages unpacked and indexed; made again from data",
    "readings": "answers of readers; read again, in minutes to hours",
    "reproduce": "what xdr reproduce works in; goes by itself when it ends",
    "scores": "which score files were made on this machine; runs are scored again",
    "shipped": "files that other machines of a cluster sent; sent again",
    "study": "rankings of studies; computed again",
    "teachers": "vectors and scores of teachers; computed again, in minutes to hours",
    "tokens": "tokens of passages; tokenized again",
    "trained": "models trained from recipes; trained again (xdr train), in minutes to hours",
    "tuning": "runs of grids; computed again",
    "vectors": "vectors of passages and questions; encoded again, in minutes to hours",
    "work": "runs that have not ended; what they have done so far is done again",
}
"""Folders of the cache, and what it costs to be without them. Of "reproduce" each has a name that begins so."""

_LOCKS = ("lock", "in use")
"""Files by which those who work in a folder hold it; others have one of its name and ``.lock`` beside it."""


class Entry(NamedTuple):
    """A file or folder that is kept and goes as a whole. ``size``: bytes of its files.

    ``used``: when one of them was last read or changed, in seconds since 1970. File systems note reading once a day at the
    most, and some never.
    """

    path: Path
    size: int
    used: float


def entries_of(kind: str) -> list[Entry]:
    """All of a kind of ``KINDS``, by name."""
    home = cache_home()
    paths = home.glob("reproduce-*") if kind == "reproduce" else (home / kind).glob("*")
    return [_entry(path) for path in sorted(paths) if path.suffix != ".lock"]


def others() -> list[Entry]:
    """What lies in the cache's folder and is no kind that is known here."""
    home = cache_home()
    paths = sorted(home.iterdir()) if home.is_dir() else []
    return [_entry(path) for path in paths if path.name not in KINDS and not path.name.startswith("reproduce-")]


def remove(entry: Entry) -> None:
    """Remove an entry, at once for all who look for it. Raises ``InvalidInput`` where another process is at work on it."""
    with contextlib.ExitStack() as stack:
        for lock in _locks_of(entry.path):
            stack.enter_context(exclusive(lock))
        if not entry.path.is_dir():
            with explained_write_errors(entry.path):
                entry.path.unlink(missing_ok=True)
            return
        stack.enter_context(folder_lock(entry.path, wait=False))
        gone = entry.path.with_name(f".{entry.path.name}.removed")
        shutil.rmtree(gone, ignore_errors=True)
        with explained_write_errors(entry.path):
            entry.path.replace(gone)
        shutil.rmtree(gone, ignore_errors=True)


def _locks_of(path: Path) -> Iterator[Path]:
    beside = dict.fromkeys((path.with_suffix(".lock"), path.with_name(f"{path.name}.lock")))
    yield from (lock for lock in beside if lock.is_file())
    yield from (file for file in _files(path) if file.name in _LOCKS or file.suffix == ".lock")


def _entry(path: Path) -> Entry:
    size, used = 0, 0.0
    for file in _files(path):
        with contextlib.suppress(FileNotFoundError):  # removed just now
            found = file.lstat()
            size += found.st_size
            used = max(used, found.st_mtime, found.st_atime)
    return Entry(path, size, used or path.lstat().st_mtime)


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir() or path.is_symlink():
        yield path
        return
    for folder, _, names in os.walk(path):
        yield from (Path(folder, name) for name in names)
