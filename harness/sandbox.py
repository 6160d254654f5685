"""Run a program that nobody here wrote: under bubblewrap where that works, and within limits everywhere.

Inside, ``/card`` holds the files that it may read, ``/request`` is its current folder, its home and its only writable
place beside a small ``/tmp``, as large as its limit, and gone afterwards. There are the system's programs and libraries,
read-only, no network, no other process, and nothing else of the machine.
"""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from harness.sources import package_root

CARD, REQUEST = Path("/card"), Path("/request")
MAX_PROCESSES = 512
_SMALL_BYTES = 64 << 20
_STDERR_KEPT = 2000
_TICK_SECONDS = 0.1
_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"),
    *("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d"),
)
Limit = Literal["seconds", "memory", "output", "processes"]


@dataclass(frozen=True)
class Limits:
    """``memory_bytes`` of all processes together, and of the data of each; ``scratch_bytes`` of all that it writes."""

    seconds: float
    memory_bytes: int
    scratch_bytes: int
    output_bytes: int


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit status, the end of what it wrote to standard error, the limit that ended it."""

    status: int
    said: bytes
    limit: Limit | None


def why_not() -> str:
    """Why programs cannot be put under bubblewrap on this machine; empty where they can."""
    program = shutil.which("bwrap")
    if program is None:
        return "bubblewrap is not installed"
    try:
        done = subprocess.run([*wrapper({}, {}, 1 << 20), "true"], capture_output=True, check=False, env=_environment())
    except OSError as error:
        return f"bubblewrap cannot be started: {error.strerror}"
    if done.returncode == 0:
        return ""
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return f"bubblewrap (0.8 or later is needed) does not work here: {said[-1] if said else 'no reason given'}"


def wrapper(card: Mapping[str, Path], request: Mapping[str, Path], scratch_bytes: int) -> list[str]:
    """The words before a command that put it under bubblewrap; the files are given by their names inside."""
    words = [
        shutil.which("bwrap") or "bwrap",
        "--unshare-all",
        "--unshare-user",
        "--disable-userns",
        "--cap-drop",
        "ALL",
    ]
    words += ["--die-with-parent", "--new-session", "--hostname", "xdr"]
    # First, for the Python environment may lie below it.
    words += ["--size", str(_SMALL_BYTES), "--tmpfs", "/tmp"]
    shown = [*_SYSTEM, *sorted({sys.prefix, sys.base_prefix})]
    for name in shown:
        words += ["--ro-bind-try", name, name]
    # An installed harness lies among those programs, and answers and judgements of the embedded collection in it; where
    # a path leads there by a link, it is found in the box by that path.
    own = package_root() / "harness"
    for name in shown:
        if own.is_relative_to(Path(name).resolve()):
            hidden = str(Path(name) / own.relative_to(Path(name).resolve()))
            words += ["--tmpfs", hidden, "--remount-ro", hidden]
    words += ["--proc", "/proc", "--dev", "/dev", "--size", str(_SMALL_BYTES), "--tmpfs", "/dev/shm"]
    words += ["--dir", str(CARD), "--size", str(scratch_bytes), "--tmpfs", str(REQUEST)]
    for place, files in ((CARD, card), (REQUEST, request)):
        for name, path in files.items():
            words += ["--ro-bind", str(path.resolve()), str(place / name)]
    # Root inside is root outside as far as /proc/sys is concerned.
    words += ["--remount-ro", "/proc", "--remount-ro", "/dev", "--remount-ro", "/"]
    return [*words, "--chdir", str(REQUEST), "--setenv", "HOME", str(REQUEST), "--setenv", "TMPDIR", str(REQUEST)]


def run(command: Sequence[str], folder: Path, limits: Limits, output: IO[bytes]) -> Ended:
    """Run a command in ``folder`` with a clean environment; what it writes to standard output goes into ``output``.

    It ends at its limits, and with it all that it started. Raises ``OSError`` when it cannot be started or ``output``
    cannot be written.
    """
    environment = _environment() | {"HOME": str(folder), "TMPDIR": str(folder)}
    process = subprocess.Popen(
        [*_limited(limits), *command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        try:
            said, limit = _attend(process, limits, output)
        finally:
            _end(process)
    return Ended(process.returncode, said, limit)


def _environment() -> dict[str, str]:
    """Nothing of the operator's: no token, no name, no proxy. The Python of this harness comes first."""
    path = os.pathsep.join([str(Path(sys.prefix) / "bin"), "/usr/local/bin", "/usr/bin", "/bin"])
    return {"PATH": path, "LC_ALL": "C.UTF-8"}


def _limited(limits: Limits) -> list[str]:
    """The words before a command that set its resource limits: a shell's, since ours would be set between threads."""
    data = _at_most(limits.memory_bytes, resource.RLIMIT_DATA) >> 10
    written = _at_most(limits.scratch_bytes, resource.RLIMIT_FSIZE) >> 9
    return ["/bin/sh", "-c", f'ulimit -c 0 && ulimit -d {data} && ulimit -f {written} && exec "$@"', "sh"]


def _at_most(size: int, kind: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return size if hard == resource.RLIM_INFINITY else min(size, hard)


def _attend(process: subprocess.Popen[bytes], limits: Limits, output: IO[bytes]) -> tuple[bytes, Limit | None]:
    """Take what the process writes, until it has ended or reaches a limit."""
    said, written, deadline = b"", 0, time.monotonic() + limits.seconds
    next_look, gone = time.monotonic() + _TICK_SECONDS, False
    with selectors.DefaultSelector() as pipes:
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipes.register(pipe, selectors.EVENT_READ)
        while pipes.get_map() or process.poll() is None:
            ready = pipes.select(_TICK_SECONDS)
            for key, _ in ready:
                chunk = os.read(key.fd, 1 << 16)
                if not chunk:
                    pipes.unregister(key.fileobj)
                elif key.fileobj is process.stderr:
                    said = (said + chunk)[-_STDERR_KEPT:]
                else:
                    written += len(chunk)
                    if written > limits.output_bytes:
                        return said, "output"
                    output.write(chunk)
            now = time.monotonic()
            if now > deadline:
                return said, "seconds"
            if gone and not ready:
                break  # Something that it left behind holds the pipes open.
            gone = process.poll() is not None
            if now >= next_look:
                next_look = now + _TICK_SECONDS
                if (limit := _excess(process.pid, limits)) is not None:
                    return said, limit
    return said, None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and all that it started and that can be found: under bubblewrap, everything."""
    for pid in (*_descendants(process.pid), process.pid):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if pid != process.pid or process.poll() is None:
                os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _excess(pid: int, limits: Limits) -> Limit | None:
    processes = [pid, *_descendants(pid)]
    if len(processes) > MAX_PROCESSES:
        return "processes"
    page = resource.getpagesize()
    resident = sum(int((_read(one, "statm").split() or ["0", "0"])[1]) * page for one in processes)
    # Shared pages count in each process: look closer only where that can matter.
    if resident > limits.memory_bytes and sum(map(_proportional_bytes, processes)) > limits.memory_bytes:
        return "memory"
    return None


def _descendants(pid: int) -> list[int]:
    """All processes below one; empty on systems without /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        # The name in parentheses may hold spaces and parentheses itself.
        fields = _read(int(entry.name), "stat").rpartition(")")[2].split()
        if len(fields) > 1:
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        own = children.get(waiting.pop(), [])
        found += own
        waiting += own
    return found


def _proportional_bytes(pid: int) -> int:
    """Memory of a process, with what it shares divided among those that share it."""
    for line in _read(pid, "smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) << 10
    return 0


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text("utf-8", "replace")
    except OSError:
        return ""
