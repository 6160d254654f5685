"""Time ``xdr leaderboard mini`` and ``xdr report`` with all rows recorded, of this checkout and of another, turn by turn.

python benchmarks/leaderboard_speed.py [--before CHECKOUT] [--rounds 5]

CHECKOUT is another working tree with a virtual environment of its own, as ``git worktree add`` makes one. Both have their
own recorded rows and write into folders of their own; the first round, which fills caches, is not counted. A row's marginal
time is that of seven rows less that of two, by five.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

FEW = ("mini-zero-shot", "mini-xdr")
ALL = (
    "bm25",
    "mini-zero-shot",
    "mini-zero-shot-xqg",
    "mini-xdr",
    "mini-xdr-xqg",
    "mini-xdr-english",
    "mini-xdr-shuffled",
)


@dataclass
class Timed:
    """Seconds that pass, and seconds of all processors, of every counted round."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        walls = f"wall min {min(self.wall):5.2f} s, median {statistics.median(self.wall):5.2f} s"
        return f"{walls}; processors min {min(self.cpu):5.2f} s, median {statistics.median(self.cpu):5.2f} s"


@dataclass(frozen=True)
class Checkout:
    """A working tree with copies of its recorded rows, all and few, and the same track with few systems."""

    name: str
    tree: Path
    scratch: Path

    def prepare(self) -> None:
        for rows in (FEW, ALL):
            for system in rows:
                shutil.copytree(self.tree / "runs" / "mini" / system, self._runs(rows) / "mini" / system)
            track = (self.tree / "harness" / "tracks" / "mini.toml").read_text("utf-8")
            listed = "systems = [" + ", ".join(f'"{name}"' for name in rows) + "]"
            self._track(rows).write_text(re.sub(r"^systems = \[.*?\]", listed, track, flags=re.DOTALL | re.MULTILINE))

    def commands(self) -> dict[str, list[str]]:
        def leaderboard(rows: Sequence[str]) -> list[str]:
            places = ["--runs", str(self._runs(rows)), "--reports", str(self.scratch / f"reports-{len(rows)}")]
            return ["leaderboard", str(self._track(rows)), *places]

        return {
            f"leaderboard, {len(ALL)} rows": leaderboard(ALL),
            f"leaderboard, {len(FEW)} rows": leaderboard(FEW),
            "report of one row": ["report", str(self._runs(ALL) / "mini" / "mini-xdr")],
        }

    def time(self, command: Sequence[str], into: Timed | None) -> None:
        # As after an installation: Python keeps what it has compiled.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        xdr = self.tree / ".venv" / "bin" / "xdr"
        before, started = os.times(), time.perf_counter()
        done = subprocess.run(
            [xdr, *command], cwd=self.tree, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{self.name}: xdr {' '.join(command)}\n{done.stdout}{done.stderr}")
        if into is not None:
            after = os.times()
            into.wall.append(time.perf_counter() - started)
            into.cpu.append(after.children_user + after.children_system - before.children_user - before.children_system)

    def _runs(self, rows: Sequence[str]) -> Path:
        return self.scratch / f"runs-{len(rows)}"

    def _track(self, rows: Sequence[str]) -> Path:
        return self.scratch / f"mini-{len(rows)}.toml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="another working tree with .venv in it")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    trees = {"here": Path(__file__).resolve().parent.parent}
    if options.before:
        trees = {"before": options.before.resolve(), **trees}
    with tempfile.TemporaryDirectory() as scratch:
        checkouts = [Checkout(name, tree, Path(scratch) / name) for name, tree in trees.items()]
        for checkout in checkouts:
            checkout.scratch.mkdir()
            checkout.prepare()
        found = {(c.name, what): Timed() for c in checkouts for what in c.commands()}
        for number in range(options.rounds + 1):
            for checkout in checkouts:
                for what, command in checkout.commands().items():
                    checkout.time(command, found[checkout.name, what] if number else None)
    show(found, [checkout.name for checkout in checkouts])


def show(found: dict[tuple[str, str], Timed], names: Sequence[str]) -> None:
    for (name, what), timed in found.items():
        print(f"{name:<7} {what:<20} {timed}")
    many, few = f"leaderboard, {len(ALL)} rows", f"leaderboard, {len(FEW)} rows"
    for name in names:
        rows = len(ALL) - len(FEW)
        wall = (min(found[name, many].wall) - min(found[name, few].wall)) / rows
        cpu = (min(found[name, many].cpu) - min(found[name, few].cpu)) / rows
        print(f"{name:<7} a row more: {wall:.3f} s, {cpu:.3f} s of the processors (of the minima)")
    if len(names) > 1:
        before, here = names
        for what in dict.fromkeys(what for _, what in found):
            one, two = found[before, what], found[here, what]
            ratios = f"wall {min(two.wall) / min(one.wall):.2f}, processors {min(two.cpu) / min(one.cpu):.2f}"
            print(f"{what}: {here} takes of {before}'s minimum: {ratios}")


if __name__ == "__main__":
    main()
