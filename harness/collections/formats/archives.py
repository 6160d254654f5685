"""Files inside pinned archives, read where they lie; which one is meant is said by the end of its path."""

from __future__ import annotations

import contextlib
import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from harness.collections.storage.pinned import verified_path
from harness.errors import InvalidInput


@contextlib.contextmanager
def open_member(archive: str, ending: str) -> Iterator[IO[bytes]]:
    """Open the one file of a pinned zip or tar archive whose path ends in ``ending``.

    Raises ``InvalidInput`` when there is none, or more than one, or the archive is damaged.
    """
    path = verified_path(archive)
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as zipped:
                name = _the_one([info.filename for info in zipped.infolist() if not info.is_dir()], ending, path)
                with zipped.open(name) as file:
                    yield file
        else:
            with tarfile.open(path) as tar:
                name = _the_one([member.name for member in tar if member.isfile()], ending, path)
                file_or_none = tar.extractfile(name)
                assert file_or_none is not None  # it is a file
                with file_or_none as file:
                    yield file
    except (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InvalidInput(f"{path} is no archive or damaged: {error}") from error


def read_member(archive: str, ending: str) -> bytes:
    with open_member(archive, ending) as file:
        return file.read()


def _the_one(names: list[str], ending: str, path: Path) -> str:
    # Archives made on a Mac hold a second entry, `._name`, for each file.
    found = [name for name in names if f"/{name}".endswith(f"/{ending}")]
    if len(found) != 1:
        raise InvalidInput(f"{path} holds {len(found)} files {ending!r}; expected one: it may be another version")
    return found[0]
