"""Folders for work that leaves nothing: deleted at the end, and by the next one after a kill that let nobody clean up."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.errors import InvalidInput
from harness.files.writing import exclusive, explained_write_errors, folder_lock

_LOCK = "in use"


@contextlib.contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder below ``parent``, deleted with all that is in it when the block ends, however it ends.

    What processes that were killed left there under this prefix is deleted first; what others are at work in stays.
    """
    with explained_write_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        # A folder is seen by the others only when it is held.
        with folder_lock(parent):
            _remove_abandoned(parent, prefix)
            with explained_write_errors(parent):
                folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            stack.enter_context(exclusive(folder / _LOCK))
        work = folder / "work"
        work.mkdir()
        yield work


def _remove_abandoned(parent: Path, prefix: str) -> None:
    for left in parent.glob(f"{prefix}*"):
        with contextlib.suppress(InvalidInput, OSError):
            with exclusive(left / _LOCK):
                pass
            shutil.rmtree(left, ignore_errors=True)
