"""What is done to the commands, and what is found afterwards."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from .place import Attempt, Command, Place, outputs, said


class Result(NamedTuple):
    """One fault, tried some times. ``begun``: in how many the outputs had already changed when it struck."""

    command: str
    fault: str
    tried: int
    begun: int
    good: int
    promise: str
    failures: tuple[str, ...]


AGAIN = "the next run completes; its files equal those of an undisturbed one byte for byte, no other file is left"
REFUSED = (
    "exit 1 with a message, no traceback; old files intact, nothing half-written; afterwards the command completes"
)


RANDOM, WRITING, OPERATION = (
    "kill -9 at a random moment",
    "kill -9 at a random moment after its first file operation",
    "kill -9 just before a random file operation",
)


def kills(place: Place, command: Command, count: int, seed: int) -> Iterator[Result]:
    """kill -9 at ``count`` moments and before half as many file operations, all drawn uniformly.

    Half of the moments are drawn from all the time that the undisturbed command takes; most of it passes before anything is
    written. So the other half is drawn from the time between its first file operation and its end. No operation is drawn
    again before all have been.
    """
    undisturbed = place.undisturbed[command.name]
    draw = random.Random(f"{seed} {command.name}")

    def at_any_moment(folder: Path) -> str:
        moment = draw.uniform(0, undisturbed.seconds)
        attempt = Attempt(command, folder)
        time.sleep(moment)
        return f"after {moment:.3f} s" if attempt.kill() else ""

    def while_writing(folder: Path) -> str:
        moment = draw.uniform(0, undisturbed.writing_seconds)
        attempt = Attempt(command, folder)
        attempt.wait_for_writing()
        time.sleep(moment)
        return f"{moment:.3f} s after the first file operation" if attempt.kill() else ""

    all_operations = range(1, undisturbed.operations + 1)
    operations = itertools.chain.from_iterable(
        draw.sample(all_operations, len(all_operations)) for _ in itertools.count()
    )

    def before_an_operation(folder: Path) -> str:
        last = next(operations)
        return f"before file operation {last}" if Attempt(command, folder, last=last).wait() == -signal.SIGKILL else ""

    yield _killed(place, command, RANDOM, count - count // 2, at_any_moment)
    yield _killed(place, command, WRITING, count // 2, while_writing)
    yield _killed(place, command, OPERATION, count // 2, before_an_operation)


def _killed(place: Place, command: Command, fault: str, count: int, kill: Callable[[Path], str]) -> Result:
    """``kill`` says when it killed the command; nothing, where that had ended before, which is no trial."""
    before = outputs(command, place.state(command.start))
    tried, begun, failures = 0, 0, []
    while tried < count:
        folder = place.copy(command.start, "trial")
        when = kill(folder)
        if not when:
            continue
        tried += 1
        begun += outputs(command, folder) != before or any((folder / "home" / "work").rglob("*.jsonl"))
        status = Attempt(command, folder).wait()
        if status or (different := place.differences(command, folder)):
            trouble = f"exit {status}: {said(folder)[-300:]}" if status else f"other: {', '.join(different[:5])}"
            failures.append(f"killed {when}: {trouble}")
    return Result(command.name, fault, tried, begun, tried - len(failures), AGAIN, tuple(failures))


def aged(place: Place, command: Command) -> Path:
    """A place in which the command has been at work, but has to do it again, over files that are there.

    For a submission, which would refuse a row that is there, the place it starts from.
    """
    if command.name.startswith("submit"):
        return place.copy(command.start, "trial")
    folder = place.copy(command.name, "trial")
    for path in (p for name in command.outputs for p in sorted((folder / name).rglob("*")) if p.is_file()):
        if path.name == "manifest.yaml" and command.name == "run":
            path.write_text(re.sub(r"(?<=\n  inputs: )[0-9a-f]{64}", "0" * 64, path.read_text()))
        elif path.suffix in (".parquet", ".json", ".csv", ".md", ".html"):
            path.write_bytes(b"old")
    shutil.rmtree(folder / "home", ignore_errors=True)
    (folder / "home").mkdir()
    return folder


def refusals(place: Place, command: Command) -> Iterator[Result]:
    """A disk with too little room, a limit on the size of files, a folder that is read-only."""
    target = "home" if command.name == "data import" else "disk"
    if can_mount():
        yield _summary(command, "disk full (tmpfs)", [_on_tmpfs(place, command, target, room) for room in (0, 8, 24)])
        yield _summary(command, f"read-only {target}", [_on_tmpfs(place, command, target, None)])
    yield _summary(command, "limit on file size", [_limited(place, command, size) for size in (400, 1000)])


def _summary(command: Command, fault: str, troubles: list[str]) -> Result:
    failures = tuple(trouble for trouble in troubles if trouble)
    return Result(command.name, fault, len(troubles), 0, len(troubles) - len(failures), REFUSED, failures)


def can_mount() -> bool:
    """Whether this process may mount: root, in a container that allows it."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    done = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    return done.returncode == 0


def _limited(place: Place, command: Command, size: int) -> str:
    folder = aged(place, command)
    return _held(place, command, folder, lambda: Attempt(command, folder, file_limit=size).wait(), lambda: None)


def _on_tmpfs(place: Place, command: Command, target: str, room: int | None) -> str:
    """The command with ``target`` on a file system of its own with ``room`` KiB left, or, for None, a read-only one."""
    folder = aged(place, command)
    mounted = folder / target
    old = folder / "old"
    shutil.move(mounted, old)
    mounted.mkdir()
    _mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", str(mounted))
    try:
        shutil.copytree(old, mounted, dirs_exist_ok=True)
        shutil.rmtree(old)
        filler = mounted / "filler"
        if room is None:
            _mount("-o", "remount,ro", str(mounted))
        else:
            free = shutil.disk_usage(mounted).free
            filler.write_bytes(bytes(max(0, free - (room << 10))))

        def hint() -> None:
            if room is None:
                _mount("-o", "remount,rw", str(mounted))
            filler.unlink(missing_ok=True)

        return _held(place, command, folder, lambda: Attempt(command, folder).wait(), hint)
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def _held(place: Place, command: Command, folder: Path, attempt: Callable[[], int], hint: Callable[[], None]) -> str:
    """What is not as promised when the attempt meets its fault, or after that was fixed; "" when all is."""
    before, whole = outputs(command, folder), outputs(command, place.state(command.name))
    status, message = attempt(), said(folder)
    if status == 0:
        return "" if not place.differences(command, folder) else "exit 0, but not all was written"
    # A run is refused before it begins where the disk is known to be too small.
    explained = any(words in message for words in ("cannot write", "the disk cannot hold"))
    if status != 1 or "Traceback" in message or not explained:
        return f"exit {status}: {message[-300:]}"
    for name, data in outputs(command, folder).items():
        if name not in before and name not in whole:
            return f"{name} was left behind"
        if data not in (before.get(name), whole.get(name)):
            return f"{name} is neither the old nor the new file"
    if command.makes_runs and outputs(command, folder) != before:
        return "a part of a run was replaced"
    hint()
    with contextlib.suppress(FileNotFoundError):
        (folder / "stderr").unlink()
    status = Attempt(command, folder).wait()
    different = place.differences(command, folder)
    return "" if status == 0 and not different else f"afterwards exit {status}, other: {', '.join(different[:5])}"
