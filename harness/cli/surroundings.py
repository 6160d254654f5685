"""The process around a command: its streams, the signals that end it, and how every end becomes an exit status.

Standard output may be closed, full, a pipe whose reader has gone, or of an encoding that lacks most letters; standard
error, too. What a command found must not depend on that: a text is replaced where it cannot be encoded, what goes to
standard error never fails, and what cannot be written to standard output is a failure with its reason.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import typer

from harness.cli.console import note, print_error
from harness.errors import WrongUsage, XdrError

# Newer versions of typer carry their own copy of click; this is the base of the usage errors of either.
ClickException: type[Exception] = next(b for b in typer.BadParameter.__mro__ if b.__name__ == "ClickException")

GOES_ON = "the same command goes on from what it has kept"
INTERRUPTED = 128 + signal.SIGINT
_ENDING = ("SIGTERM", "SIGHUP")
# How libraries in C and C++ say that there is no memory for them, where they raise something else than MemoryError.
_NO_MEMORY = ("cannot allocate memory", "can't allocate memory", "bad_alloc", "out of memory", "can't start new thread")


class Terminated(BaseException):
    """A signal asks the process to end; raised where the main thread is, so that what it opened is tidied up.

    No ``SystemExit``, which an adapter may raise by itself.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Output(io.FileIO):
    """Standard output that names itself in errors; one that was closed from the start fails when it is written to."""

    missing = False

    def write(self, data: Any) -> int:
        if self.missing:
            raise OSError(errno.EBADF, "it is closed", "standard output")
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OSError(error.errno, error.strerror, "standard output") from None


class _Errors(io.FileIO):
    """Standard error: whoever closed it, filled it or went away does not want to know."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


def prepare() -> None:
    """Make the process ready for a command. Streams that a caller put in place of the process's own stay."""
    missing = sys.stdout is None
    # A descriptor that is closed would be given to the next file that is opened, and a message written into that.
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    if sys.stdout is sys.__stdout__:
        output = _Output(1, "wb", closefd=False)
        output.missing = missing
        sys.stdout = _text(output, sys.__stdout__)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(_Errors(2, "wb", closefd=False), sys.__stderr__)
    if threading.current_thread() is not threading.main_thread():
        return
    for name in _ENDING:
        # Whoever starts it with nohup wants it to go on.
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) == signal.SIG_DFL:
            signal.signal(getattr(signal, name), _terminate)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_as_by_default)


def check_platform() -> None:
    """Raise ``WrongUsage`` where nothing of this was ever tried: better one line first than an error hours later."""
    if sys.platform == "win32":
        raise WrongUsage(
            "this needs Linux or macOS; on Windows, install it in the Windows Subsystem for Linux (`wsl --install`)"
        )


def ended(command: Callable[[], object]) -> int:
    """Run it; the exit status. Every failure that is not a defect ends with a message, without a traceback."""
    try:
        status = command()
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except Terminated as error:
        note(f"terminated ({signal.Signals(error.number).name}); {GOES_ON}")
        return 128 + error.number
    except Exception as error:
        return _ended_badly(error)
    if status == INTERRUPTED:
        # Typer turns Ctrl-C into this status, without a word.
        note(f"interrupted; {GOES_ON}")
    return status if isinstance(status, int) else 0


def _ended_badly(error: Exception) -> int:
    if isinstance(error, XdrError):
        print_error(error)
        return error.exit_code
    if isinstance(error, ClickException):
        error.show()  # type: ignore[attr-defined]
        return 2
    if isinstance(error, BrokenPipeError):
        # The reader went away (`xdr ... | head`): nothing to say, and nobody to say it to.
        _abandon_output()
        return 0
    if lacks_memory(error):
        note(
            "xdr: not enough memory; raise the limit that was set for this process (ulimit -v, a container's or a batch "
            "system's), or use a machine with more; where the command has --memory or --workers, smaller values take less"
        )
    elif isinstance(error, OSError):
        # What the operating system refuses is no defect of ours: an unreadable folder, a device that fails.
        where = f"{error.filename}: " if error.filename else ""
        note(f"xdr: {where}{error.strerror or error}")
        if error.filename == "standard output":
            _abandon_output()
    else:
        raise error
    return 1


def lacks_memory(error: BaseException) -> bool:
    """Whether it, or what it came from, is that memory (or room for one more thread) is not to be had."""
    links: BaseException | None = error
    while links is not None:
        if isinstance(links, MemoryError) or (isinstance(links, OSError) and links.errno == errno.ENOMEM):
            return True
        if isinstance(links, RuntimeError | ImportError) and any(sign in str(links).lower() for sign in _NO_MEMORY):
            return True
        links = links.__cause__ or links.__context__
    return False


def _text(raw: io.FileIO, like: Any) -> io.TextIOWrapper:
    encoding = getattr(like, "encoding", None) or "utf-8"
    lines = raw.fileno() == 2 or raw.isatty()
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors="backslashreplace", line_buffering=lines)


def _abandon_output() -> None:
    """What is still in the buffers goes nowhere, instead of failing once more when the process ends."""
    with contextlib.suppress(OSError, ValueError):
        raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
        if isinstance(raw, _Output):
            raw.missing = False
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _terminate(number: int, frame: FrameType | None) -> None:
    # Once is enough: a second signal must not end the tidying up.
    for name in _ENDING:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    raise Terminated(number)


def _as_by_default() -> None:
    """In a process forked off, which has nothing of ours to tidy up."""
    for name in _ENDING:
        if signal.getsignal(getattr(signal, name)) in (_terminate, signal.SIG_IGN):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
