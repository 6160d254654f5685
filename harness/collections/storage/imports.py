"""``xdr data import``: pinned files out of a folder on this machine, recognised by their hashes, whatever their names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness import progress
from harness.collections.storage import pinned
from harness.collections.storage.package_index import unpack
from harness.collections.storage.pinned import PinnedFile, accept, state
from harness.errors import Finding, InvalidInput, WrongUsage
from harness.files.writing import atomic_write, sha256_of_file

_CHUNK = 1 << 20
_MEND = "download it again: this one is damaged or another version"


@dataclass(frozen=True)
class Imported:
    copied: tuple[str, ...]
    others: int
    findings: tuple[Finding, ...]


def import_folder(folder: Path) -> Imported:
    """Copy every file below ``folder`` whose hash is pinned into the cache, whatever its name or place there; of a wheel that
    is pinned, the file that is taken out of it.

    A file that bears a pinned file's name but another content is reported, not copied; the files without a published
    hash are taken by name, and their hash is recorded. Raises ``WrongUsage`` where there is no such folder.
    """
    if not folder.is_dir():
        raise WrongUsage(f"{folder} is not a folder")
    known = _Known(pinned.pinned_files().values())
    copied: list[str] = []
    findings: list[Finding] = []
    others = 0
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    with progress.task(f"look through {folder}", sum(path.stat().st_size for path in paths), "bytes") as advance:
        digests = {path: sha256_of_file(path, advance) for path in paths}
    for path, digest in digests.items():
        file = known.file(path, digest, folder)
        if file is not None:
            try:
                _take(file, path, digest)
            except InvalidInput as error:
                if not error.findings:
                    raise
                findings.extend(error.findings)
            else:
                copied.append(file.name)
        elif expected := known.expected_of_namesake(path, folder):
            findings.append(Finding("error", str(path), f"sha256 is {digest}", expected, _MEND))
        else:
            others += 1
    return Imported(tuple(sorted(set(copied))), others, tuple(findings))


class _Known:
    """The pinned files, by all that a file in a folder can be recognised by."""

    def __init__(self, files: Iterable[PinnedFile]) -> None:
        files = list(files)
        self._by_hash = {file.sha256: file for file in files if file.sha256}
        self._by_wheel = {file.package.sha256: file for file in files if file.package}
        self._without_hash = {file.name: file for file in files if not file.sha256}
        self._named = {file.name: file for file in self._by_hash.values()}
        self._wheels = {file.package.wheel: f"{file.package.sha256} ({file.name})" for file in files if file.package}

    def file(self, path: Path, digest: str, folder: Path) -> PinnedFile | None:
        """The pinned file that this is, or is to become: by its hash, or by its name where no hash was published."""
        found = self._by_hash.get(digest) or self._by_wheel.get(digest)
        return found or _namesake(path, folder, self._without_hash)

    def expected_of_namesake(self, path: Path, folder: Path) -> str:
        """The hash that a file of this name should have; empty where no pinned one is called so."""
        if expected := self._wheels.get(path.name):
            return expected
        namesake = _namesake(path, folder, self._named)
        return f"{namesake.sha256} ({namesake.name})" if namesake else ""


def _namesake(path: Path, folder: Path, files: dict[str, PinnedFile]) -> PinnedFile | None:
    relative = path.relative_to(folder).as_posix()
    matching = [file for name, file in files.items() if name == relative or name.endswith(f"/{relative}")]
    return matching[0] if len(matching) == 1 else None


def _take(file: PinnedFile, path: Path, digest: str) -> None:
    """Copy or unpack it into the cache. Raises ``InvalidInput`` with a finding where it is not the one known."""
    if file.sha256 and state(file) == "present":
        return
    part = file.path.with_name(f".{file.path.name}.import")
    if file.package and digest == file.package.sha256:
        unpack(file.package, path, part)
    else:
        _copy(path, part)
    accept(file, part, str(path))


def _copy(source: Path, target: Path) -> None:
    size = source.stat().st_size
    with (
        source.open("rb") as reader,
        atomic_write(target) as writer,
        progress.task(f"copy {source.name}", size, "bytes") as advance,
    ):
        while chunk := reader.read(_CHUNK):
            writer.write(chunk)
            advance(len(chunk))
