"""SHA-256 of files: of a large one remembered in the cache, and taken again where its stamp says that it may have changed."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from harness import progress
from harness.errors import InvalidInput, WrongUsage
from harness.files.derived import Derived, Made
from harness.files.stamps import Look, look_at
from harness.files.writing import cache_home, sha256_of_file
from harness.files.yaml_records import digest_of

REMEMBERED_BYTES = 16 << 20
"""A smaller file is hashed in a hundredth of a second, and so each time."""

_WAITED_FOR_BYTES = 1 << 30
"""Hashing so much again would take longer than the file takes to settle."""


def known_sha256(path: Path, title: str = "") -> str:
    """Digest of a file's bytes, shown as ``title`` while it is taken. Raises ``OSError`` where it cannot be read."""
    size = path.stat().st_size
    if size < REMEMBERED_BYTES:
        return sha256_of_file(path)
    look = _settled(path) if size >= _WAITED_FOR_BYTES else look_at([path])
    if (known := _note(path, look).kept()) is not None:
        return str(known["sha256"])
    with progress.task(title or f"digest of {path.name}", size, "bytes") as advance:
        digest = sha256_of_file(path, advance)
    _keep(path, look, digest)
    return digest


def remember_sha256(path: Path, digest: str) -> None:
    """Spare the next one who asks the hashing of a file that nobody else writes, and whose digest is known."""
    if path.stat().st_size >= REMEMBERED_BYTES:
        _keep(path, _settled(path), digest)


def _keep(path: Path, look: Look, digest: str) -> None:
    """Where the cache cannot be written, the digest is taken each time."""
    if look.is_settled:
        with contextlib.suppress(InvalidInput, WrongUsage, OSError):
            _note(path, look).keep(Made(value={"sha256": digest}))


def _note(path: Path, look: Look) -> Derived:
    name = digest_of(str(path.absolute()))[:32]
    return Derived(cache_home() / "digests" / name, [list(stamp) for stamp in look.stamps])


def _settled(path: Path) -> Look:
    """The file once it has not changed for a while; a clock that is wrong is not waited for."""
    look = look_at([path])
    if look.at <= look.settles_at:
        time.sleep(min(look.settles_at - look.at + 1_000_000, 2_000_000_000) / 1e9)
        look = look_at([path])
    return look
