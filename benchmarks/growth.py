"""How the time and the memory of every command grow with systems, languages, questions and passages.

python benchmarks/growth.py [--axis systems ...] [--points 10 100] [--large] [--only leaderboard ...] [--json growth.json]

For each point a track, its collection and recorded runs are made up (``growth_world.py``), all but one of their sizes being
small. Every measurement is a process of its own with a cache of its own: processor seconds, seconds that pass, peak resident
memory. Points that the file of figures holds whole are not measured again, so that a run that was stopped goes on; of others
the commands before the last missing one are. ``--again`` says otherwise. With ``--only``, name the commands that others need,
too. Peaks below ``floor_bytes``, what the measuring process itself takes, cannot be seen. ``--large`` adds the points that take
long. A command that takes more than ``--limit`` seconds or ``--memory`` GiB is stopped, and its figures say so.
``growth_page.py`` makes docs/growth.md of the figures.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from figures import give
from growth_world import Size, World

from harness.compute.platform import cpu_model

Figures = dict[str, Any]


@dataclass(frozen=True)
class Axis:
    """What grows: the points that end in minutes, those that do not, and the sizes of a point."""

    points: tuple[int, ...]
    large: tuple[int, ...]
    size: Callable[[int], Size]


AXES = {
    "systems": Axis((10, 30, 100), (300, 1_000), lambda n: Size(n, 8, 800, 5_000)),
    "languages": Axis((8, 16, 32), (), lambda n: Size(10, n, 200 * n, 5_000)),
    "languages, the same questions in each": Axis(
        (8, 16, 32), (), lambda n: Size(10, n, 200 * n, 5_000, parallel=True)
    ),
    "questions": Axis((1_000, 10_000, 100_000), (1_000_000,), lambda n: Size(4, 8, n, 5_000)),
    "passages": Axis((10_000, 100_000), (1_000_000,), lambda n: Size(4, 8, 800, n)),
}
S, L, Q, P = "systems", "languages", "questions", "passages"


@dataclass(frozen=True)
class Command:
    """``grows``: axes on which it has something to do; ``ends``: the statuses with which it does what it is for."""

    name: str
    grows: tuple[str, ...]
    words: Callable[[World], list[str]]
    ends: tuple[int, ...] = (0,)

    def is_of(self, axis: str) -> bool:
        return axis.partition(",")[0] in self.grows


def _of_track(*words: str) -> Callable[[World], list[str]]:
    return lambda world: [*words, str(world.track), "--runs", str(world.runs)]


def _of_run(*words: str, rows: int = 1) -> Callable[[World], list[str]]:
    return lambda world: [*words, *(str(world.row(place)) for place in range(rows)), "--track", str(world.track)]


def _leaderboard(*words: str) -> Callable[[World], list[str]]:
    return lambda world: [*_of_track("leaderboard")(world), "--reports", str(world.folder / "reports"), *words]


def _export(name: str) -> Command:
    def words(world: World) -> list[str]:
        out = world.folder / f"exported-{name}"
        return ["export", str(world.runs / "growth"), str(out), "--format", name]

    return Command(f"export --format {name}", (S, L), words)


def _of_sampling(world: World) -> list[str]:
    return ["reproduce", str(world.runs / "growth/sampling"), "--track", str(world.track)]


def _card(world: World) -> str:
    return str(world.folder / "sampling.toml")


COMMANDS = (
    Command("list TRACK", (L, Q), lambda world: ["list", str(world.track)]),
    Command("validate RUN", (L, Q, P), _of_run("validate")),
    Command("validate TRACK", (S, L, Q, P), lambda world: ["validate", str(world.track)]),
    Command("score", (S, L, Q, P), _of_track("score")),
    Command("compare", (S, L, Q), _of_track("compare")),
    Command("compare --test t", (S, L, Q), lambda world: [*_of_track("compare")(world), "--test", "t"]),
    Command("report RUN", (L, Q), _of_run("report")),
    Command("report TRACK", (S, L, Q), lambda w: ["report", str(w.runs / "growth"), "--track", str(w.track)]),
    Command("diff", (L, Q), _of_run("diff", rows=2), ends=(1,)),
    Command("leaderboard", (S, L, Q, P), _leaderboard()),
    Command("leaderboard --check", (S, L, Q, P), _leaderboard("--check")),
    Command("leaderboard --freeze", (S, L), _leaderboard("--freeze", "one")),
    *(_export(name) for name in ("json", "csv", "markdown", "latex", "bibtex", "badges")),
    Command("mine qrels", (L, Q, P), lambda w: [*_of_run("mine")(w), "qrels", "--out", str(w.folder / "rows.jsonl")]),
    Command("data export", (L, Q, P), lambda w: ["data", "export", str(w.track), str(w.folder / "exported")]),
    Command("data pack", (L, Q, P), lambda w: ["data", "pack", str(w.track), "bm25", str(w.folder / "packed")]),
    Command(
        "data overlap",
        (L, Q),
        lambda w: ["data", "overlap", str(w.folder / "data/queries.jsonl"), str(w.track)],
        (0, 1),
    ),
    Command("run, a system that draws", (L, Q, P), lambda w: [*_of_track("run")(w), _card(w), "--allow-code"]),
    Command("run bm25", (L, Q, P), lambda w: [*_of_track("run")(w), "bm25"]),
    Command(
        "submit",
        (S, L, Q, P),
        lambda w: [*_of_track("submit")(w), str(w.folder / "submitted.toml"), str(w.folder / "submitted")],
    ),
    Command(
        "reproduce",
        (L, Q, P),
        lambda w: [*_of_sampling(w), "--card", _card(w), "--allow-code"],
    ),
    Command("withdraw", (S, L), lambda w: ["withdraw", str(w.row(1)), "--track", str(w.track), "--reason", "measured"]),
)
"""In their order: what a command finds made by those before it, it does not make again."""

NO_AXIS = {
    "new": "writes a few files",
    "findings": "reads the few files of the project's own tracks",
    "train, tune, study, attack, generate, read": "take what their models take; their figures stand in their own pages",
    "cache": "takes what looking through the cache's files takes, which are no rows, languages or passages",
    "data list, fetch, import, verify": "take what reading and hashing the named files takes",
}


@dataclass(frozen=True)
class Limits:
    seconds: float
    bytes: int


def measured(command: Command, world: World, limits: Limits) -> Figures:
    """One process: what it takes, and why it ended where it did not do what it is for."""
    # As after an installation: Python keeps what it has compiled.
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**own, "XDR_HOME": str(world.folder / "home")}
    xdr = str(Path(sys.executable).with_name("xdr"))

    begun = time.perf_counter()
    with (world.folder / "said").open("w+b") as said:
        process = subprocess.Popen(
            [xdr, *command.words(world)],
            env=environment,
            cwd=world.folder,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
        resource.prlimit(process.pid, resource.RLIMIT_DATA, (limits.bytes, limits.bytes))
        in_time = _ends_within(process, limits.seconds)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begun
        said.seek(0)
        last = said.read().decode("utf-8", "replace").strip().splitlines()[-1:]
    found: Figures = {
        "command": command.name,
        "processor_seconds": usage.ru_utime + usage.ru_stime,
        "seconds": seconds,
        "peak_bytes": usage.ru_maxrss * 1024,
        "floor_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "load": os.getloadavg()[0],
    }
    if not in_time:
        return {**found, "failed": f"stopped after {limits.seconds:.0f} s"}
    if process.returncode not in command.ends:
        return {**found, "failed": f"status {process.returncode}: {''.join(last)[:200]}"}
    return found


def _made_apart(world: World) -> None:
    """By a process of its own: what this one has ever held counts as held by every process that it starts."""
    process = multiprocessing.get_context("spawn").Process(target=world.make)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit("the rows could not be made up")


def _ends_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Looks without reaping, so that what the process took can be asked for; kills it and its children at the end."""
    until = time.monotonic() + seconds
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() > until:
            os.killpg(process.pid, signal.SIGKILL)
            return False
        time.sleep(0.01)
    return True


def point(axis: str, value: int, commands: Sequence[Command], options: argparse.Namespace) -> Iterator[Figures]:
    """These commands on the track of one point, in their order."""
    size = AXES[axis].size(value)
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    try:
        world = World(folder, size)
        _made_apart(world)
        print(f"{axis} {value:,}: made", file=sys.stderr, flush=True)
        for command in commands:
            found = measured(command, world, Limits(options.limit, int(options.memory * (1 << 30))))
            print(f"  {json.dumps(found)}", file=sys.stderr, flush=True)
            yield {"axis": axis, "point": value, "size": asdict(size), **found}
    finally:
        shutil.rmtree(folder)


def wanted(options: argparse.Namespace, known: Sequence[Figures]) -> Iterator[tuple[str, int, list[Command]]]:
    done = {(found["axis"], found["point"], found["command"]) for found in known}
    for axis in options.axis or AXES:
        points = options.points or (*AXES[axis].points, *(AXES[axis].large if options.large else ()))
        for value in points:
            own = [command for command in COMMANDS if command.is_of(axis)]
            asked = [command for command in own if not options.only or command.name in options.only]
            lacking = [command for command in asked if (axis, value, command.name) not in done]
            if lacking:
                # What stands before the last of them may make what it reads.
                yield axis, value, own[: own.index(lacking[-1]) + 1] if not options.only else asked


def run(options: argparse.Namespace) -> Figures:
    known: list[Figures] = []
    if options.json is not None and options.json.exists() and not options.again:
        known = json.loads(options.json.read_text("utf-8"))["measurements"]
    machine = {"cpu": cpu_model(), "cores": os.cpu_count(), "memory_bytes": _memory()}
    for axis, value, commands in list(wanted(options, known)):
        for found in point(axis, value, commands, options):
            key = (found["axis"], found["point"], found["command"])
            known = [one for one in known if (one["axis"], one["point"], one["command"]) != key] + [found]
            if options.json is not None:
                give({"machine": machine, "measurements": known}, options.json)
    return {"machine": machine, "measurements": known}


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--axis", nargs="+", choices=AXES, help="default: all")
    parser.add_argument("--points", nargs="+", type=int, help="default: those of each axis")
    parser.add_argument("--large", action="store_true", help="the large points of each axis, too")
    parser.add_argument("--only", nargs="+", choices=[command.name for command in COMMANDS], metavar="COMMAND")
    parser.add_argument("--limit", type=float, default=900, help="seconds that a command may take")
    parser.add_argument("--memory", type=float, default=12, help="GiB that a command may take")
    parser.add_argument("--again", action="store_true", help="measure again what the file of figures holds")
    parser.add_argument("--folder", type=Path, default=None, help="where to write; default: a temporary folder")
    parser.add_argument("--json", type=Path, default=None, help="where the figures go; default: standard output")
    options = parser.parse_args()
    give(run(options), options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
