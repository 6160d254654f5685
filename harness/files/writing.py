"""Files: atomic writes, hashes, deterministic gzip, and where caches live."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import gzip
import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

from harness.errors import InvalidInput, WrongUsage
from harness.progress import Advance

_CHUNK = 1 << 20


def cache_home() -> Path:
    """Folder of downloads, vectors, tokens, bounds and journals: ``$XDR_HOME``, by default ``~/.cache/xdr-bench``.

    Raises ``WrongUsage`` for a user who has no home folder, as in many containers, and names none.
    """
    if home := os.environ.get("XDR_HOME"):
        return Path(home)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "xdr-bench"
    try:
        return Path.home() / ".cache" / "xdr-bench"
    except RuntimeError:
        raise WrongUsage(
            "this user has no home folder to keep downloads and caches in; set XDR_HOME to a folder that you may write"
        ) from None


def give_a_home() -> None:
    """Libraries that want a home folder as they are imported get the cache's, where the user has none.

    Raises ``WrongUsage`` as ``cache_home`` does.
    """
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(cache_home())


def made_below_cache_home(name: str) -> Path:
    """A folder of the cache, made if need be. Raises ``WrongUsage`` where it cannot be, and says what to set."""
    folder = cache_home() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WrongUsage(
            f"cannot make {folder}, for caches: {error.strerror}; set XDR_HOME to a folder that you may write"
        ) from error
    return folder


@contextlib.contextmanager
def atomic_write(path: Path, durable: bool = True) -> Iterator[IO[bytes]]:
    """Open a temporary file beside ``path`` that replaces it when, and only when, the block ends without an error.

    A reader sees the old bytes or the new ones, never a half. Raises ``InvalidInput`` when the disk is full or the
    folder cannot be written; the old file is intact then. Without ``durable`` nothing is promised for a machine that
    loses its power: for the many small files of a site, which is made again from what is durable.
    """
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        descriptor, temporary = _temporary_beside(path)
    try:
        with _explained(path), os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o666 & ~_umask())
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _temporary_beside(path: Path) -> tuple[int, Path]:
    """A temporary file that this process holds a lock on, so that others can tell it from one of a killed process."""
    while True:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, Path(name)
        # Before it was locked, another process took it for abandoned.
        os.close(descriptor)


def _remove_abandoned(path: Path) -> None:
    """Remove the temporary files that killed processes left beside ``path``."""
    for abandoned in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with contextlib.suppress(OSError), abandoned.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            abandoned.unlink()


def write_together(contents: Iterable[tuple[Path, bytes]]) -> None:
    """Write several files so that a full disk leaves all the old ones: the first is replaced when all are on the disk.

    They are replaced in their order, which matters for a process that is killed just then: what vouches for the others
    comes last.
    """
    with contextlib.ExitStack() as stack:
        for path, data in reversed(list(contents)):
            file = stack.enter_context(atomic_write(path))
            with _explained(path):
                file.write(data)
                file.flush()
                os.fsync(file.fileno())


def write_text(path: Path, text: str, durable: bool = True) -> None:
    with atomic_write(path, durable) as file:
        file.write(text.encode("utf-8"))


def write_new_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Make a folder with these files, whole or not at all. Raises ``InvalidInput`` where one of that name has files."""
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"))
    try:
        for name, content in files.items():
            with atomic_write(temporary / name) as file:
                file.write(content)
        with _explained(path):
            temporary.chmod(0o777 & ~_umask())
            temporary.replace(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def gzip_bytes(data: bytes) -> bytes:
    """Compress without a time stamp or file name, so that equal input gives equal bytes."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=buffer, mode="wb", compresslevel=6, mtime=0) as stream:
        stream.write(data)
    return buffer.getvalue()


def sha256_of_file(path: Path, advance: Advance | None = None) -> str:
    """Digest of a file's bytes; how many have been read is said to ``advance`` on the way."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            if advance is not None:
                advance(len(chunk))
    return digest.hexdigest()


def sha256_of_tree(path: Path, but: Collection[str] = ()) -> str:
    """Digest of a file, or of a folder's relative names and contents, independent of time stamps and order.

    Markdown files, byte code and files of the relative names ``but`` do not count: no result depends on them. Raises
    ``WrongUsage`` when there is nothing.
    """
    if path.is_file():
        return sha256_of_file(path)
    if not path.is_dir():
        raise WrongUsage(f"no file or folder {path}")
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        name = file.relative_to(path).as_posix()
        if file.suffix == ".md" or "__pycache__" in file.parts or name in but:
            continue
        digest.update(f"{name}\0{sha256_of_file(file)}\n".encode())
    return digest.hexdigest()


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write into errors that say what to do."""
    try:
        yield
    except OSError as error:
        reasons = {
            errno.ENOSPC: "the disk is full; free some space and run the same command again",
            errno.EDQUOT: "the disk quota is used up; free some space and run the same command again",
            errno.EACCES: "permission denied; choose a folder that you may write",
            errno.EPERM: "not permitted; choose a folder that you may write, or ask who protected this one",
            errno.ENAMETOOLONG: "the name is too long for this file system",
            errno.EIO: "the device fails; check the disk",
            errno.EROFS: "the file system is read-only; choose a folder that you may write",
            errno.ENOTDIR: "a part of the path is a file, not a folder",
            errno.EEXIST: "a part of the path is a file, not a folder",
            errno.EISDIR: "there is a folder of that name",
            errno.ENOTEMPTY: "there is a folder of that name",
            errno.EFBIG: "the file would exceed the size limit set for this process",
        }
        reason = reasons.get(error.errno or 0)
        if reason is None:
            raise
        if path.is_relative_to(cache_home()):
            reason += " (caches and downloads are kept where XDR_HOME says)"
        raise InvalidInput(f"cannot write {path}: {reason}") from error


explained_write_errors = _explained


@contextlib.contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """An empty folder that takes the place of ``folder`` when the block ends without an error; what a killed one left goes.

    The caller holds the folder above, so that nobody else is at it.
    """
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    with explained_write_errors(temporary):
        temporary.mkdir()
    try:
        yield temporary
        shutil.rmtree(folder, ignore_errors=True)
        with explained_write_errors(folder):
            temporary.replace(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file for the block. Raises ``InvalidInput`` at once when another process, or this one, holds it.

    The file stays: who unlinks a lock file lets two in, one by the old file and one by the new.
    """
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=0)
    try:
        with _explained(path):
            lock.acquire()
    except Timeout:
        raise busy(path.parent.name) from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def folder_lock(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a folder for the block, which makes it where it is not there. What is held is the path, not what lay there.

    Waits until no other process holds it, or without ``wait`` raises ``InvalidInput`` as ``exclusive`` does. No file is left:
    the lock is the folder's own, which the lock library has not, and processes with different caches see it, too.
    """
    descriptor = -1
    while descriptor < 0:
        with _explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # removed just now
            descriptor = _locked_folder(folder, wait)
    try:
        yield
    finally:
        os.close(descriptor)


def _locked_folder(folder: Path, wait: bool) -> int:
    """A descriptor that holds the folder; -1 where what was locked is no more the folder of this path."""
    with _explained(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), folder.stat()):
            return descriptor
    except BlockingIOError:
        os.close(descriptor)
        raise busy(folder.name) from None
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return -1


@contextlib.contextmanager
def taken(path: Path) -> Iterator[bool]:
    """Whether nobody holds a lock file or folder that lies there, by ``exclusive`` or ``folder_lock``; if so it is held for the
    block. Nothing is made, emptied or waited for. What is gone by now, or is a link, nobody holds.
    """
    kind = os.O_RDONLY | os.O_DIRECTORY if path.is_dir() else os.O_RDWR | os.O_NONBLOCK
    descriptor = -1
    if not path.is_symlink():
        with contextlib.suppress(FileNotFoundError), _explained(path):
            descriptor = os.open(path, kind | os.O_NOFOLLOW)
    try:
        yield descriptor < 0 or _has_locked(descriptor)
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _has_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def busy(what: str) -> InvalidInput:
    """What to raise where another process holds a lock."""
    return InvalidInput(f"another process is at work on {what}; wait until it has ended, then run this again")
