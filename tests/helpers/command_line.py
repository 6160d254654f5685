"""``xdr`` as it is typed, in this process: starting Python and importing all libraries anew takes most of a command's time."""

from __future__ import annotations

import contextlib
import io
import subprocess
from pathlib import Path
from unittest import mock


def xdr(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command's status and what it wrote, as of a process in the folder ``cwd``."""
    from harness.cli import main

    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch("sys.argv", ["xdr", *arguments]),
    ):
        try:
            main()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
    return subprocess.CompletedProcess(["xdr", *arguments], status, out.getvalue(), err.getvalue())
