"""The box in which bubblewrap puts a program: what is seen in it, and what the kernel itself refuses or counts there.

Inside, ``/card`` holds the files that it may read, ``/request`` is its current folder, its home and its only writable
place beside a small ``/tmp``, as large as its limit, and gone afterwards. There are the system's programs and libraries,
read-only, no network, no other process, and nothing else of the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from harness.adapters.box.seccomp import filter_here
from harness.files.package import package_root

CARD, REQUEST = Path("/card"), Path("/request")
_SMALL_BYTES = 64 << 20
_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"),
    *("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d"),
)
_OTHER_USER, _NOBODY = 1000, 65534
"""Whom a program is when root runs it: the first inside, the second outside. Limits on processes do not bind root."""


@dataclass(frozen=True)
class Box:
    """``card`` and ``request``: files by their names in the two folders. ``tasks``: processes and threads at once."""

    scratch_bytes: int
    tasks: int
    card: Mapping[str, Path] = field(default_factory=dict)
    request: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Confinement:
    """What bubblewrap is asked for on this machine: a filter of system calls, another user in place of root."""

    calls: bytes | None
    other_user: bool

    @property
    def counts_tasks(self) -> bool:
        """Whether the kernel's limit on processes binds the program: it counts a user, and root it does not count."""
        return self.other_user or os.getuid() != 0

    def in_words(self) -> str:
        parts = ["bwrap", *(["seccomp"] if self.calls else []), *(["process limit"] if self.counts_tasks else [])]
        return ", ".join(parts)


def environment() -> dict[str, str]:
    """Nothing of the operator's: no token, no name, no proxy. The Python of this harness comes first."""
    path = os.pathsep.join([str(Path(sys.prefix) / "bin"), "/usr/local/bin", "/usr/bin", "/bin"])
    return {"PATH": path, "LC_ALL": "C.UTF-8"}


def why_not() -> str:
    """Why programs cannot be put under bubblewrap on this machine; empty where they can."""
    found = confinement()
    return found if isinstance(found, str) else ""


def confinement(box: Box | None = None) -> Confinement | str:
    """The closest confinement that works on this machine, or why none does.

    Root's programs become another user only where that user can read all the files of the ``box``.
    """
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    reason = ""
    for asked in _wanted(box):
        try:
            with started(["true"], Box(1 << 20, 64), asked) as trial:
                said = trial.process.communicate()[1].decode("utf-8", "replace").strip().splitlines()
        except OSError as error:
            return f"bubblewrap cannot be started: {error.strerror}"
        if trial.process.returncode == 0:
            return asked
        reason = said[-1] if said else "no reason given"
    return f"bubblewrap (0.8 or later is needed) does not work here: {reason}"


def _wanted(box: Box | None) -> Iterator[Confinement]:
    calls = filter_here()
    if os.getuid() == 0 and calls and shutil.which("setpriv"):
        files = [] if box is None else [*box.card.values(), *box.request.values()]
        if all(map(_is_readable_by_all, files)):
            yield Confinement(calls, other_user=True)
    yield Confinement(calls, other_user=False)


def _is_readable_by_all(path: Path) -> bool:
    paths = [path.resolve(), *path.resolve().rglob("*")] if path.is_dir() else [path.resolve()]
    return all(found.stat().st_mode & (0o5 if found.is_dir() else 0o4) for found in paths if found.exists())


@dataclass(frozen=True)
class Started:
    """``init`` ends, and with it everything in the box, when it is killed; None where the box was never made."""

    process: subprocess.Popen[bytes]
    init: int | None


@contextlib.contextmanager
def started(command: Sequence[str], box: Box, asked: Confinement, before: Sequence[str] = ()) -> Iterator[Started]:
    """A command in its box, its output to be read from pipes; ``before`` are words that go before bubblewrap's.

    Raises ``OSError`` when bubblewrap cannot be started.
    """
    with contextlib.ExitStack() as stack:
        told, telling = _pipe(stack)
        words = [shutil.which("bwrap") or "bwrap", *_confined(asked), *_seen(box), "--info-fd", str(telling.fileno())]
        passed = [telling]
        if asked.calls:
            rules = stack.enter_context(tempfile.TemporaryFile())
            rules.write(asked.calls)
            rules.seek(0)
            words += ["--seccomp", str(rules.fileno())]
            passed.append(rules)
        if asked.other_user:
            waiting, begin = _pipe(stack)
            words += ["--userns-block-fd", str(waiting.fileno())]
            passed.append(waiting)
        process = subprocess.Popen(
            [*before, *words, *_limited(asked, box), *command],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=[file.fileno() for file in passed],
        )
        stack.enter_context(process)
        for file in passed:
            file.close()
        init = _init_in(told.read())
        if init is not None and asked.other_user:
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                for kind in ("uid", "gid"):
                    Path(f"/proc/{init}/{kind}_map").write_text(f"0 0 1\n{_OTHER_USER} {_NOBODY} 1\n")
                begin.write(b"1")
                begin.flush()
        yield Started(process, init)


def _pipe(stack: contextlib.ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    reader, writer = os.pipe()
    return stack.enter_context(os.fdopen(reader, "rb")), stack.enter_context(os.fdopen(writer, "wb"))


def _init_in(told: bytes) -> int | None:
    try:
        return int(json.loads(told)["child-pid"])
    except (ValueError, KeyError):
        return None


def _confined(asked: Confinement) -> list[str]:
    words = ["--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--hostname", "xdr"]
    words += ["--cap-drop", "ALL"]
    if asked.other_user:
        # Until the program is begun as that user. The filter refuses the namespaces that --disable-userns would, which
        # itself needs one with a single user.
        return words + [word for name in ("SETUID", "SETGID", "SETPCAP") for word in ("--cap-add", f"CAP_{name}")]
    return [*words, "--disable-userns"]


def _limited(asked: Confinement, box: Box) -> list[str]:
    """Words inside the box, before the command. Here a limit on processes counts those of the box alone (Linux 5.14)."""
    words = []
    if asked.other_user:
        words += ["setpriv", f"--reuid={_OTHER_USER}", f"--regid={_OTHER_USER}", "--clear-groups"]
        words += ["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
    # The option is called -u by bash and -p by dash.
    limit = f'ulimit -u {box.tasks} 2>/dev/null || ulimit -p {box.tasks} 2>/dev/null; exec "$@"'
    return [*words, "/bin/sh", "-c", limit, "sh"]


def _seen(box: Box) -> list[str]:
    """What there is in the box, and where it can be written."""
    writable = ["--perms", "1777", "--size"]
    # First, for the Python environment may lie below it.
    words = [*writable, str(_SMALL_BYTES), "--tmpfs", "/tmp"]
    shown = [*_SYSTEM, *sorted({sys.prefix, sys.base_prefix})]
    for name in shown:
        words += [*_folders_of(Path(name)), "--ro-bind-try", name, name]
    # An installed harness lies among those programs, and answers and judgements of the embedded collection in it; where
    # a path leads there by a link, it is found in the box by that path.
    own = package_root() / "harness"
    for name in shown:
        if own.is_relative_to(Path(name).resolve()):
            hidden = str(Path(name) / own.relative_to(Path(name).resolve()))
            words += ["--tmpfs", hidden, "--remount-ro", hidden]
    words += ["--proc", "/proc", "--dev", "/dev", *writable, str(_SMALL_BYTES), "--tmpfs", "/dev/shm"]
    words += [*_folders_of(CARD / "file"), *writable, str(box.scratch_bytes), "--tmpfs", str(REQUEST)]
    for place, files in ((CARD, box.card), (REQUEST, box.request)):
        for name, path in files.items():
            words += [*_folders_of(place / name), "--ro-bind", str(path.resolve()), str(place / name)]
    # Root inside is root outside as far as /proc/sys is concerned.
    words += ["--remount-ro", "/proc", "--remount-ro", "/dev", "--remount-ro", "/"]
    return [*words, "--chdir", str(REQUEST), "--setenv", "HOME", str(REQUEST), "--setenv", "TMPDIR", str(REQUEST)]


def _folders_of(path: Path) -> list[str]:
    """Words that make the folders above a path, for everybody: bubblewrap itself would make them for their owner alone."""
    return [word for folder in reversed(path.parents[:-1]) for word in ("--perms", "0755", "--dir", str(folder))]
