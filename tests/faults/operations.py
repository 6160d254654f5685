"""The file operations of a process, which Python's audit hooks (PEP 578) announce just before they are done."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "os.link", "os.symlink")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def announce(folder: Path, pipe: int, last: int) -> None:
    """Write a byte into ``pipe`` before every operation of this process that makes or changes something in ``folder``.

    Before the operation of number ``last`` the process kills itself; 0: before none. Locks and the command's own messages
    do not count.
    """
    count = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event == "open":
            path, _, flags = arguments
            changes = isinstance(flags, int) and bool(flags & _WRITING)
        else:
            path, changes = (arguments[0], True) if event in _CHANGES else (None, False)
        if not changes or not isinstance(path, str | bytes | os.PathLike):
            return
        place = Path.cwd() / os.fsdecode(path)
        if place.is_relative_to(folder) and place.name not in ("lock", "stderr"):
            count += 1
            os.write(pipe, b".")
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
