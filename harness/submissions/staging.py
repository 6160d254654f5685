"""Where a row is made before it takes its place among the runs of record, and how it does that: whole, or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import Finding, InvalidInput
from harness.files.writing import explained_write_errors, folder_lock
from harness.runs.run_folder import REPRODUCTIONS, RunFolder
from harness.runs.withdrawal import FILE_NAME as WITHDRAWN

_STAGING = ".staging"
_ASIDE = "old"
_AT_THE_CURRENT_FOLDER, _EXCHANGE = -100, 2


@dataclass(frozen=True)
class Staged:
    """``row``: where the new row is made; ``folder``: where it belongs; ``aside``: for the old one, where it must move."""

    row: Path
    folder: Path
    aside: Path


@contextlib.contextmanager
def staged_row(present: RunFolder) -> Iterator[Staged]:
    """An empty place for a new row beside the present one, cleared away afterwards. Raises ``InvalidInput`` when it is taken.

    A row that a killed submission had moved aside comes back first.
    """
    folder, track, system = present.path, present.track.name, present.name
    place = folder.parent.parent / _STAGING / f"{track}+{system}"
    staged = Staged(place / track / system, folder, place / _ASIDE)
    with folder_lock(place, wait=False):
        if staged.aside.is_dir() and not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            staged.aside.rename(folder)
        _clear(place)
        try:
            yield staged
        finally:
            _clear(place)
            _remove(place)


def _clear(place: Path) -> None:
    for path in place.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _remove(place: Path) -> None:
    for folder in (place, place.parent):
        with contextlib.suppress(OSError):  # another submission may be at work beside
            folder.rmdir()


def put_in_place(staged: Staged) -> None:
    """Move the new row where it belongs. What others said of the row stays: that it was withdrawn, or made again.

    Where the operating system can exchange two folders in one step, no moment is without a row; elsewhere the old one
    is moved aside first, and ``check_whole`` tells whoever comes between.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(explained_write_errors(staged.folder))
        if not staged.folder.exists():
            staged.folder.parent.mkdir(parents=True, exist_ok=True)
            staged.row.rename(staged.folder)
            return
        stack.enter_context(folder_lock(staged.folder))  # whoever scores the old row has ended then
        if (staged.folder / REPRODUCTIONS).is_dir():
            shutil.copytree(staged.folder / REPRODUCTIONS, staged.row / REPRODUCTIONS)
        if (staged.folder / WITHDRAWN).is_file():
            shutil.copyfile(staged.folder / WITHDRAWN, staged.row / WITHDRAWN)
        if not exchanged(staged.row, staged.folder):
            staged.folder.rename(staged.aside)
            staged.row.rename(staged.folder)


def exchanged(one: Path, two: Path) -> bool:
    """Exchange two paths in one step (Linux, renameat2); False where this system or file system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    here = _AT_THE_CURRENT_FOLDER
    if rename(here, os.fsencode(one), here, os.fsencode(two), _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP):
        return False
    raise OSError(code, os.strerror(code), str(two))


def check_whole(runs: Path) -> None:
    """Raise ``InvalidInput`` where a killed submission has moved a row aside and not put the new one in its place."""
    findings = []
    for aside in sorted((runs / _STAGING).glob(f"*/{_ASIDE}")):
        track, _, system = aside.parent.name.partition("+")
        folder = runs / track / system
        if not folder.exists():
            hint = f"`mv {aside} {folder}` brings the old row back, and so does the next `xdr submit` of {system}"
            findings.append(Finding("error", str(folder), "a replacement was ended half way", "", hint))
    if findings:
        raise InvalidInput(f"{runs} lacks rows that it had", findings)
