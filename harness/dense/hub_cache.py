"""Snapshots of the Hugging Face hub, carried from one machine's cache to another's as plain files."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from harness.files.writing import explained_write_errors

_SNAPSHOT = re.compile(r"models--[^/]+/snapshots/[0-9a-f]{40}")


def snapshot_place(repository: str, revision: str) -> Path:
    """A snapshot's place in a cache, as the hub's library lays it out."""
    return Path("models--" + repository.replace("/", "--")) / "snapshots" / revision


def carried_snapshots(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Snapshots that lie below a folder, each with its place in a cache."""
    for found in sorted(folder.rglob("models--*/snapshots/*")):
        place = Path(*found.parts[-3:])
        if found.is_dir() and _SNAPSHOT.fullmatch(place.as_posix()):
            yield found, place


def import_snapshots(folder: Path) -> list[str]:
    """Copy the snapshots below a folder into this machine's cache of the hub, where they are not there; their names."""
    from huggingface_hub.constants import HF_HUB_CACHE

    names = []
    for found, place in carried_snapshots(folder):
        if not (target := Path(HF_HUB_CACHE) / place).is_dir():
            copy_folder(found, target)
        names.append(f"{place.parts[0].removeprefix('models--').replace('--', '/')}@{place.name}")
    return names


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder, whole or not at all; files that are links are copied as files."""
    temporary = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with explained_write_errors(target):
            shutil.copytree(source, temporary)
            shutil.rmtree(target, ignore_errors=True)
            temporary.replace(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
