"""A folder in which the commands are run, and what each of them makes of it undisturbed."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .operations import announce

TRACK = """
schema_version = 1
name = "faults"
version = 1
title = "Two languages of xdr-mini"
description = "A track for disturbing commands."
measures = ["RR@10", "Success@1"]
primary = "RR@10"
depth = 30
baseline = "dummy"
systems = ["dummy", "bm25"]

[[parts]]
name = "ar"
dataset = "xdr-mini/ar"
lang = "ar"

[[parts]]
name = "fi"
dataset = "xdr-mini/fi"
lang = "fi"

[families]
resamples = 1000
all_pairs_resamples = 1000
"""
CARD = """
schema_version = 1
name = "mine"
title = "A system to submit"
adapter = "dummy"
"""
IMPORTED = "xquad.el.json"


@dataclass(frozen=True)
class Command:
    """A command that is disturbed.

    ``start`` names the command whose result it starts from, "" for nothing; ``outputs`` are the folders that it writes;
    ``makes_runs``: manifests of its own making are among them, which say how long it took.
    """

    name: str
    arguments: tuple[str, ...]
    outputs: tuple[str, ...]
    start: str = ""
    makes_runs: bool = False


COMMANDS = (
    Command("run", ("run", "track.toml", "dummy", "bm25", "--runs", "disk/runs"), ("disk/runs",), makes_runs=True),
    Command("score", ("score", "track.toml", "--runs", "disk/runs"), ("disk/runs",), "run"),
    Command(
        "leaderboard",
        ("leaderboard", "track.toml", "--runs", "disk/runs", "--reports", "disk/reports"),
        ("disk/runs", "disk/reports"),
        "run",
    ),
    Command("submit", ("submit", "track.toml", "mine.toml", "--runs", "disk/runs"), ("disk/runs",), "run", True),
    # The finished runs of another system take the place of the row that is there.
    Command(
        "submit --replace",
        ("submit", "track.toml", "mine.toml", "disk/runs/faults/bm25", "--replace", "--runs", "disk/runs"),
        ("disk/runs",),
        "submit",
        True,
    ),
    Command("data import", ("data", "import", "copies"), ("home/data",)),
)


class Undisturbed(NamedTuple):
    """How long a command took, the part of it after its first file operation, and how many of those it made."""

    seconds: float
    writing_seconds: float
    operations: int


class Place:
    """The state before and after the commands, each in a folder of its own."""

    def __init__(self, folder: Path, commands: Sequence[Command]) -> None:
        self.folder = folder
        self.undisturbed: dict[str, Undisturbed] = {}
        origin = self.state("")
        for name in ("copies", "disk", "home"):
            (origin / name).mkdir(parents=True)
        (origin / "track.toml").write_text(TRACK)
        (origin / "mine.toml").write_text(CARD)
        # A file without a published hash is imported by its name.
        (origin / "copies" / IMPORTED).write_bytes(b'{"data": []}\n' * 100_000)
        for command in _with_starts(commands):
            # Twice: the first time everything is cold.
            for _ in range(2):
                target = self.copy(command.start, f"state-{command.name}")
                begun = time.monotonic()
                attempt = Attempt(command, target)
                attempt.wait_for_writing()
                writing = time.monotonic()
                status = attempt.wait()
                ended = time.monotonic()
                if status:
                    raise SystemExit(f"xdr {command.name} fails undisturbed:\n{said(target)}")
                self.undisturbed[command.name] = Undisturbed(ended - begun, ended - writing, attempt.operations())

    def state(self, name: str) -> Path:
        return self.folder / f"state-{name}"

    def copy(self, state: str, name: str) -> Path:
        target = self.folder / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.state(state), target)
        return target

    def differences(self, command: Command, folder: Path) -> list[str]:
        """Names of the files that are not what the undisturbed command wrote, those that are too many among them."""
        expected, found = outputs(command, self.state(command.name)), outputs(command, folder)
        return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


def _with_starts(commands: Sequence[Command]) -> list[Command]:
    """The commands and those whose results they start from, these first."""
    needed = {command.name for command in commands}
    for command in reversed(COMMANDS):
        if command.name in needed:
            needed.add(command.start)
    return [command for command in COMMANDS if command.name in needed]


def outputs(command: Command, folder: Path) -> Mapping[str, bytes]:
    """All files that the command writes, hidden ones too.

    What a run says of its own duration and memory is left out where the command makes runs: no two runs agree in it.
    """
    files = {}
    for name in command.outputs:
        for path in sorted(p for p in (folder / name).rglob("*") if p.is_file()):
            data = path.read_bytes()
            if command.makes_runs and path.name == "manifest.yaml":
                data = re.sub(rb"\nexecution:\n(?:[ -].*\n)+", b"\n", data)
            files[path.relative_to(folder).as_posix()] = data
    return files


def said(folder: Path) -> str:
    return (folder / "stderr").read_text(errors="replace")


class Attempt:
    """The command as a process of its own, forked from this one, which has loaded the libraries: a kill meets its work.

    With ``last`` it is killed just before the file operation of that number, counted from 1.
    """

    def __init__(self, command: Command, folder: Path, file_limit: int = 0, last: int = 0) -> None:
        self._announced, announces = os.pipe()
        os.set_blocking(self._announced, False)
        self.process = os.fork()
        if self.process == 0:
            os.close(self._announced)
            self._be(command, folder, file_limit, last, announces)
        os.close(announces)

    def _be(self, command: Command, folder: Path, file_limit: int, last: int, announces: int) -> None:
        status = 70
        try:
            os.chdir(folder)
            os.environ["XDR_HOME"] = str(folder / "home")
            output = os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            if file_limit:
                import resource

                resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
            from harness import cli

            sys.argv = ["xdr", *command.arguments]
            announce(folder, announces, last)
            cli.main()
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def wait_for_writing(self) -> None:
        """Return when the first file operation begins, or the command has ended without any."""
        select.select([self._announced], [], [])

    def operations(self) -> int:
        """How many file operations were begun; to be asked once, when the process has ended."""
        with os.fdopen(self._announced, "rb") as announced:
            return len(announced.read() or b"")

    def kill(self) -> bool:
        """kill -9; whether it was still at work."""
        os.kill(self.process, signal.SIGKILL)
        _, status = os.waitpid(self.process, 0)
        return os.WIFSIGNALED(status)

    def wait(self) -> int:
        """Its exit status; negative, the signal that ended it."""
        _, status = os.waitpid(self.process, 0)
        return os.waitstatus_to_exitcode(status)
