"""A control group for a program, where one can be had: then the kernel counts all its memory, mapped or not, and its tasks.

That is where a hierarchy of version 2 is delegated to us (Linux, Documentation/admin-guide/cgroup-v2.rst): as to root
outside of containers, or to a user by systemd. Elsewhere nothing is done, and nothing is promised.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

MOUNTS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
_NEEDED = {"memory", "pids"}
_SECONDS_TO_EMPTY = 5.0


@dataclass(frozen=True)
class Group:
    """``place``: the group's folder; None where there is none. ``entering``: words before a command that put it there."""

    place: Path | None = None
    entering: list[str] = field(default_factory=list)
    in_words: list[str] = field(default_factory=list)

    def ran_out_of_memory(self) -> bool:
        if self.place is None:
            return False
        with contextlib.suppress(OSError):
            events = dict(line.split() for line in (self.place / "memory.events").read_text().splitlines())
            return int(events.get("oom_kill", 0)) > 0
        return False

    def end(self) -> None:
        """End all that is in the group, at once."""
        if self.place is not None:
            with contextlib.suppress(OSError):
                (self.place / "cgroup.kill").write_text("1")


@contextlib.contextmanager
def group(memory_bytes: int, tasks: int) -> Iterator[Group]:
    """A new group with these limits, gone afterwards; one without a place where this process may not make any."""
    place = _made(memory_bytes, tasks)
    if place is None:
        yield Group()
        return
    entering = ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(place / "cgroup.procs")]
    made = Group(place, entering, ["memory limit", "cgroup"])
    try:
        yield made
    finally:
        made.end()
        _remove(place)


def _made(memory_bytes: int, tasks: int) -> Path | None:
    for parent in _parents():
        place = parent / f"xdr-{uuid.uuid4().hex[:12]}"
        with contextlib.suppress(OSError):
            place.mkdir()
            try:
                (place / "memory.max").write_text(str(memory_bytes))
                (place / "pids.max").write_text(str(tasks))
                if (place / "memory.swap.max").exists():
                    (place / "memory.swap.max").write_text("0")
                # The kernel ends all of it, and not one process after the other.
                (place / "memory.oom.group").write_text("1")
            except OSError:
                _remove(place)
                raise
            return place
    return None


def _parents() -> Iterator[Path]:
    """Groups above our own, nearest first, below which groups have the limits that are needed and which we may write."""
    own = _own_group()
    for mount in MOUNTS:
        here = mount / own.lstrip("/")
        for place in (here, *here.parents):
            if not place.is_relative_to(mount):
                break
            with contextlib.suppress(OSError):
                given = set((place / "cgroup.subtree_control").read_text().split())
                # To move a process from our own group, that which both are in must be ours, too.
                if given >= _NEEDED and os.access(place, os.W_OK) and os.access(place / "cgroup.procs", os.W_OK):
                    yield place


def _own_group() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                return line[3:]
    return "/"


def _remove(place: Path) -> None:
    """What was ended takes a moment to be gone."""
    deadline = time.monotonic() + _SECONDS_TO_EMPTY
    while place.exists():
        with contextlib.suppress(OSError):
            place.rmdir()
            return
        if time.monotonic() > deadline:
            return
        time.sleep(0.02)
