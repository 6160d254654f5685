"""A job's files on the machines of a cluster: in place where the run was started, elsewhere in the machine's own cache.

A machine that lacks them fetches them once, in pieces, from a process beside the run, and keeps them under their digest.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from harness.errors import InvalidInput
from harness.files.writing import cache_home, explained_write_errors, folder_lock, sha256_of_tree

PIECE_BYTES = 16 << 20


class Sent(NamedTuple):
    """A file, or a folder's files by their relative names, with ``sha256_of_tree``; ``node`` has it at ``path``."""

    path: Path
    digest: str
    members: Sequence[str]
    node: str
    server: Any


class FileServer:
    """An actor on the machine where the run was started, which reads out the files of one job."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def piece(self, member: str, offset: int) -> bytes:
        """Up to ``PIECE_BYTES`` from an offset on; empty at the end."""
        with (self._path / member).open("rb") as file:
            file.seek(offset)
            return file.read(PIECE_BYTES)


def members_of(path: Path) -> list[str]:
    """What ``sha256_of_tree`` counts, by relative name; one empty name for a single file."""
    if path.is_file():
        return [""]
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.suffix != ".md")
    return [file.relative_to(path).as_posix() for file in files if "__pycache__" not in file.parts]


def placed(sent: Sent) -> Path:
    """Where the files lie on this machine, fetched if need be. Raises ``InvalidInput`` when something else arrives."""
    import ray

    if ray.get_runtime_context().get_node_id() == sent.node:
        return sent.path
    home = cache_home() / "shipped" / sent.digest
    target = home / sent.path.name
    with explained_write_errors(home):
        home.mkdir(parents=True, exist_ok=True)
    with folder_lock(home), explained_write_errors(home):
        if target.exists() and sha256_of_tree(target) == sent.digest:
            return target
        for left in home.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        arriving = Path(tempfile.mkdtemp(dir=home)) / sent.path.name
        for member in sent.members:
            _fetch(sent, member, arriving)
        if sha256_of_tree(arriving) != sent.digest:
            raise InvalidInput(f"{sent.path.name} changed while it was sent to the cluster; run the same command again")
        arriving.replace(target)
        arriving.parent.rmdir()
    return target


def _fetch(sent: Sent, member: str, folder: Path) -> None:
    import ray

    if PurePosixPath(member).is_absolute() or ".." in PurePosixPath(member).parts:
        raise InvalidInput(f"a file of the job has a name that leads out of its folder: {member!r}")
    path = folder / member
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        while piece := ray.get(sent.server.piece.remote(member, file.tell())):
            file.write(piece)
