"""Run a program that nobody here wrote: in bubblewrap's box where that works, and within limits everywhere.

What the kernel can count or refuse, it does: processes, files, data of each process, sizes of file systems, and, where a
cgroup is ours, all memory. A watcher looks ten times a second for what is left, and ends everything at the first excess.
"""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import psutil

from harness.adapters.box import bubblewrap, cgroups
from harness.adapters.box.bubblewrap import CARD, REQUEST, Box, Started
from harness.errors import InvalidInput

__all__ = ["CARD", "MAX_PROCESSES", "REQUEST", "Ended", "Files", "Limit", "Limits", "run", "why_not"]

MAX_PROCESSES = 512
MAX_FILES = 1024
"""Open at once, of each process."""

_STDERR_KEPT = 2000
_TICK_SECONDS = 0.1
_SOCKET_BYTES = 2 * 212_992
"""What the kernel keeps of what was sent by one and read by nobody, at most: twice its usual net.core.wmem_max."""

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
    """How a program ended: its exit status, the end of what it wrote to standard error, the limit that ended it.

    ``isolation``: what was in force.
    """

    status: int
    said: bytes
    limit: Limit | None
    isolation: str


def why_not() -> str:
    """Why programs cannot be put under bubblewrap on this machine; empty where they can."""
    return bubblewrap.why_not()


@dataclass(frozen=True)
class Files:
    """What a program in the box can read, by the names in its folders ``/card`` and ``/request``."""

    card: Mapping[str, Path]
    request: Mapping[str, Path]


def run(command: Sequence[str], folder: Path, limits: Limits, output: IO[bytes], files: Files | None) -> Ended:
    """Run a command with a clean environment: in the box, which shows ``files``; or, where there are none, in ``folder``.

    What it writes to standard output goes into ``output``. It ends at its limits, and with it all that it started. Raises
    ``OSError`` when it cannot be started or ``output`` cannot be written; ``InvalidInput`` when the box cannot be made.
    """
    with contextlib.ExitStack() as stack:
        group = stack.enter_context(cgroups.group(limits.memory_bytes, _tasks()))
        before = [*group.entering, *_limited(limits)]
        if files is None:
            isolation = ", ".join(["none", *group.in_words])
            started = stack.enter_context(_bare(command, folder, before))
        else:
            box = Box(limits.scratch_bytes, _tasks(), files.card, files.request)
            asked = bubblewrap.confinement(box)
            if isinstance(asked, str):
                raise InvalidInput(f"the program cannot be isolated: {asked}")
            isolation = ", ".join([asked.in_words(), *group.in_words])
            started = stack.enter_context(bubblewrap.started(command, box, asked, before))
        stack.callback(_end, started)
        stack.callback(group.end)
        deadline = _Deadline(started, limits.seconds)
        stack.enter_context(deadline)
        said, limit = _attend(started.process, limits, output)
        if limit is None and deadline.reached:
            limit = "seconds"
        if limit is None and group.ran_out_of_memory():
            limit = "memory"
    return Ended(started.process.returncode, said, limit, isolation)


def _tasks() -> int:
    """Processes and threads that the kernel allows: libraries start a few threads for each processor."""
    return max(2 * MAX_PROCESSES, 16 * (os.cpu_count() or 1))


@contextlib.contextmanager
def _bare(command: Sequence[str], folder: Path, before: Sequence[str]) -> Iterator[Started]:
    with subprocess.Popen(
        [*before, *command],
        cwd=folder,
        env=bubblewrap.environment() | {"HOME": str(folder), "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        yield Started(process, None)


class _Deadline:
    """Ends a program at its time, however busy the machine is with it: the box's first process takes all others along."""

    def __init__(self, started: Started, seconds: float) -> None:
        self.reached = False
        self._started = started
        self._timer = threading.Timer(seconds, self._reach)
        self._timer.daemon = True

    def _reach(self) -> None:
        self.reached = True
        _kill_box(self._started)

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()


def _limited(limits: Limits) -> list[str]:
    """The words before a command that set its resource limits: a shell's, since ours would be set between threads."""
    data = _at_most(limits.memory_bytes, resource.RLIMIT_DATA) >> 10
    written = _at_most(limits.scratch_bytes, resource.RLIMIT_FSIZE) >> 9
    files = _at_most(MAX_FILES, resource.RLIMIT_NOFILE)
    settings = f"ulimit -c 0 && ulimit -d {data} && ulimit -f {written} && ulimit -n {files}"
    return ["/bin/sh", "-c", f'{settings} && exec "$@"', "sh"]


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


def _kill_box(started: Started) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if started.init is not None:
            os.kill(started.init, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(started.process.pid, signal.SIGKILL)


def _end(started: Started) -> None:
    """End the process and all that it started and that can be found: under bubblewrap, everything."""
    below = _descendants(started.process.pid)
    _kill_box(started)
    for found in below:
        with contextlib.suppress(psutil.Error):
            found.kill()


def _excess(pid: int, limits: Limits) -> Limit | None:
    processes = _descendants(pid)
    if len(processes) > MAX_PROCESSES:
        return "processes"
    # Shared pages count in each process: look closer only where that can matter.
    if sum(map(_most_bytes, processes)) > limits.memory_bytes and sum(map(_own_bytes, processes)) > limits.memory_bytes:
        return "memory"
    return None


def _descendants(pid: int) -> list[psutil.Process]:
    """A process and all below it, as far as they live."""
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.Error:
        return []


def _most_bytes(process: psutil.Process) -> int:
    """At most this much memory is used for a process: its pages, the tables of them, what lies in its sockets."""
    try:
        return process.memory_info().rss + _unmapped_bytes(process.pid) + process.num_fds() * _SOCKET_BYTES
    except psutil.Error:
        return 0


def _own_bytes(process: psutil.Process) -> int:
    """The same, with what it shares divided among those that share it, and only the sockets among its open files."""
    try:
        return _proportional_bytes(process) + _unmapped_bytes(process.pid) + _sockets(process.pid) * _SOCKET_BYTES
    except psutil.Error:
        return 0


def _proportional_bytes(process: psutil.Process) -> int:
    found = process.memory_full_info()
    return int(getattr(found, "pss", found.uss))


def _unmapped_bytes(pid: int) -> int:
    """Tables of pages, and pages that were swapped out: neither is resident."""
    lines = dict(line.partition(":")[::2] for line in _read(pid, "status").splitlines())
    return sum(int(lines.get(name, "0 kB").split()[0]) << 10 for name in ("VmPTE", "VmSwap"))


def _sockets(pid: int) -> int:
    count = 0
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                count += str(entry.readlink()).startswith("socket:")
    return count


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text("utf-8", "replace")
    except OSError:
        return ""
