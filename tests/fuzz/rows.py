"""A recorded track of two rows, and all commands that read what one of its rows says of itself."""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import os
import shutil
import sys
import tempfile
from pathlib import Path
from unittest import mock

sys.path.append(str(Path(__file__).parents[1] / "helpers"))

from small_track import write_track

ROW = Path("runs/rivers/dummy")
COMMANDS = (
    ("report", str(ROW)),
    ("validate", str(ROW)),
    ("diff", "runs/rivers/bm25", str(ROW)),
    ("leaderboard", "track.toml"),
)
"""Each reads the row; ``leaderboard`` scores, compares and renders all pages. None runs code of the row."""


def ended(folder: Path, *command: str) -> tuple[int, str]:
    """Exit status, and what was said; in this process. Whatever is no failure with a message passes through."""
    from harness.cli import main

    if command[0] != "leaderboard":
        command = (*command, "--track", "track.toml")
    said = io.StringIO()
    before = Path.cwd()
    os.chdir(folder)
    try:
        with (
            mock.patch.object(sys, "argv", ["xdr", *command]),
            mock.patch.dict(os.environ, {"XDR_HOME": str(folder / "home")}),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
            contextlib.suppress(SystemExit),
        ):
            try:
                main()
            except SystemExit as end:
                return int(end.code or 0), said.getvalue()
    finally:
        os.chdir(before)
    raise AssertionError("a command ends with a status")


@functools.cache
def world() -> Path:
    """The folder of the track, made once for a process."""
    folder = Path(tempfile.mkdtemp(prefix="xdr-rows-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_track(folder)
    for command in (("leaderboard", "track.toml"), ("reproduce", str(ROW))):
        status, said = ended(folder, *command)
        assert status == 0, said
    (folder / ROW / "withdrawn.toml").write_text('date = 2026-11-25\nreason = "for a test"\n')
    shutil.copytree(folder / "runs", folder / "recorded")
    return folder


def seed(pattern: str) -> Path:
    """The recorded file of the row that the pattern names."""
    (found,) = (world() / "recorded" / ROW.relative_to("runs")).glob(pattern)
    return found


def use(pattern: str, data: bytes) -> None:
    """Put the bytes in the place of a file of the row, and give it to all commands."""
    folder, recorded = world(), world() / "recorded"
    name = seed(pattern).relative_to(recorded)
    for command in COMMANDS:
        shutil.rmtree(folder / "runs")
        shutil.copytree(recorded, folder / "runs")
        (folder / "runs" / name).write_bytes(data)
        ended(folder, *command)
