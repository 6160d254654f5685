"""What lies in the cache, by kind: how large it is, when it was last used, and how it goes.

Nothing in the cache goes by itself: which version of a library, which model and which track is still asked for is known to the
operator alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from harness.errors import InvalidInput, WrongUsage
from harness.files.writing import busy, cache_home, taken

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

REVISIONS = Path("models", "revisions.json")
"""In the cache: at which commit of the hub a model is used whose card names none. Nothing else knows it, so it never goes."""

_LOCKS = ("lock", "in use")
"""Files by which those who work in a folder hold it; others have one of its name and ``.lock`` beside it."""

_REMOVED = re.compile(r"\..+\.removed", re.DOTALL)
"""Names of what was to be removed and could not be, whole."""


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
    return _entries(path for path in paths if not _is_lock(path) and path != home / REVISIONS)


def others() -> list[Entry]:
    """What lies in the cache's folder and is no kind that is known here."""
    home = cache_home()
    paths = home.iterdir() if home.is_dir() else ()
    return _entries(path for path in paths if path.name not in KINDS and not path.name.startswith("reproduce-"))


def check_readings_are_noted(kind: str) -> None:
    """Raises ``WrongUsage`` where the file system does not note when a file of the kind is read."""
    home = cache_home()
    folder = next((path for path in (home / kind, home) if path.exists()), None)
    if folder is not None and os.statvfs(folder).f_flag & getattr(os, "ST_NOATIME", 0):
        raise WrongUsage(
            f"the file system of {folder} is mounted with noatime: it does not note when a file is read, so that what is used "
            "each day looks as old as what nobody uses; leave --unused out"
        )


def check_nobody_at_work() -> None:
    """Raises ``InvalidInput`` where another process holds a lock file or folder anywhere in the cache, as each run does until
    it has ended: what it reads meanwhile has no lock of its own.
    """
    home = cache_home()
    # A kind may be a link to another disk, which a walk does not follow.
    for top in (home, *(path for path in home.glob("*") if path.is_symlink() and path.is_dir())):
        for folder, below, names in os.walk(top):
            files = (
                path for path in (Path(folder, name) for name in names) if _is_lock(path) or _is_being_written(path)
            )
            for path in (*(Path(folder, name) for name in below), *files):
                with taken(path) as is_free:
                    if not is_free:
                        raise busy(f"{path.relative_to(home)} in the cache, so nothing is removed")


def remove(entry: Entry) -> None:
    """Remove an entry, at once for all who look for it; of a link, the link alone.

    Raises ``InvalidInput`` where another process holds it or what is in it, or where not all of it can be removed.
    """
    path = entry.path
    with contextlib.ExitStack() as stack:
        for lock in _locks_of(path):
            if not stack.enter_context(taken(lock)):
                raise busy(path.name)
        if path.is_symlink() or not path.is_dir():
            with _explained(path):
                path.unlink(missing_ok=True)
            return
        # What was left the last time has that name already.
        gone = path if _REMOVED.fullmatch(path.name) else path.with_name(f".{path.name}.removed")
        if gone != path:
            _remove_folder(gone)
            with _explained(path):
                path.replace(gone)
        _remove_folder(gone)


def _remove_folder(folder: Path) -> None:
    """As much of it as can be. Raises ``InvalidInput`` that says what cannot."""
    shutil.rmtree(folder, ignore_errors=True)
    if os.path.lexists(folder):
        with _explained(folder):
            shutil.rmtree(folder)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:  # removed just now, by another
        return
    except OSError as error:
        at = f" at {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
        raise InvalidInput(f"cannot remove {path}{at}: {error.strerror}") from error


def _locks_of(path: Path) -> Iterator[Path]:
    """The lock files beside an entry and in it, and the entry itself where it is a folder."""
    beside = dict.fromkeys((path.with_suffix(".lock"), path.with_name(f"{path.name}.lock")))
    yield from (lock for lock in beside if _is_lock(lock))
    yield from (file for file in _files(path) if _is_lock(file))
    if path.is_dir():
        yield path


def _is_lock(path: Path) -> bool:
    return (path.name in _LOCKS or path.suffix == ".lock") and path.is_file() and not path.is_symlink()


def _is_being_written(path: Path) -> bool:
    """Whether it has the name of a file that takes another's place when it is whole; who writes it holds it."""
    return path.suffix == ".tmp" and path.is_file()


def _entries(paths: Iterable[Path]) -> list[Entry]:
    found = []
    for path in sorted(paths):
        with contextlib.suppress(FileNotFoundError):  # removed just now
            found.append(_entry(path))
    return found


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
