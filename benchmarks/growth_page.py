"""Write docs/growth.md from the figures of ``growth.py``.

python benchmarks/growth_page.py growth.json [more.json ...] [--before before.json ...] [--output docs/growth.md]

``--before``: figures of the same machine and points, made by an earlier checkout.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from growth import AXES, COMMANDS, NO_AXIS

from harness.files.writing import write_text

Figures = dict[str, Any]
N_LOG_N = 1.15
"""What n log n looks like between a thousand and a hundred thousand is n to the 1.11."""

PAIRS = "all pairs of systems are tested, told apart by letters and kept: the square of systems is what is asked for"
REASONS = {
    ("compare", "systems"): PAIRS,
    ("leaderboard", "systems"): PAIRS,
    ("leaderboard --check", "systems"): PAIRS,
    ("leaderboard --freeze", "systems"): PAIRS,
    ("export --format json", "systems"): "the file holds the tests of all pairs of systems",
    (
        "leaderboard",
        "languages, the same questions in each",
    ): "pages can test any choice of languages, which takes what every "
    "two languages with common questions have in common: the square of languages is what is asked for",
    ("data export", "languages"): "a folder with all passages is written for each language, as is asked for",
}

HEAD = """# Growth

Written by a command, on {date}, from what another one measured on this machine: {cpu}, {cores} cores, {memory:.0f} GiB. The
load average is given: where it is above the number of cores, other work took part of them. Processor seconds (s) are of all
threads of a command; memory is the largest resident size of its process. Make the page again with

    python benchmarks/growth.py --json growth.json
    python benchmarks/growth_page.py growth.json

`--large` adds points that take long: a thousand systems, a million questions, a million passages. For each point a track, its
collection and recorded runs are made up, all but one of their sizes being small, and every command is a process of its own.
What 18.2 million passages take stands in [scale.md](scale.md), pages in a browser in [site.md](site.md).

The exponent e says that what is measured grows as n^e: the least-squares slope of the logarithms over all points, and, after
the slash, the slope of the last step alone. What a command takes to start counts in small points, and makes them flatter; the
last step is what tells of larger ones. Up to {limit} is n log n at these sizes.
"""


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Least-squares slope of log y on log x; ``points``: at least two (x, y).

    >>> round(slope([(1, 3), (10, 300), (100, 30000)]), 6)
    2.0
    """
    xs, ys = ([math.log(pair[place]) for pair in points] for place in (0, 1))
    x, y = math.fsum(xs) / len(xs), math.fsum(ys) / len(ys)
    spread = math.fsum((one - x) ** 2 for one in xs)
    return math.fsum((one - x) * (other - y) for one, other in zip(xs, ys, strict=True)) / spread


class Series:
    """One command on one axis: its measurements in the order of the points."""

    def __init__(self, command: str, axis: str, measurements: Sequence[Figures]) -> None:
        self.command, self.axis = command, axis
        self.measurements = sorted(measurements, key=lambda found: found["point"])

    def exponents(self, key: str) -> tuple[float, float] | None:
        """Over all points, and of the last step; None with fewer than two points."""
        points = [(found["point"], found[key]) for found in self.measurements if "failed" not in found]
        return (slope(points), slope(points[-2:])) if len(points) > 1 else None


def series_of(measurements: Sequence[Figures], axis: str) -> Iterator[Series]:
    for command in COMMANDS:
        own = [found for found in measurements if (found["axis"], found["command"]) == (axis, command.name)]
        if own:
            yield Series(command.name, axis, own)


def written(figures: Sequence[Figures], before: Sequence[Figures] = ()) -> str:
    machine = figures[0]["machine"]
    measurements = [found for one in figures for found in one["measurements"]]
    head = {"date": datetime.datetime.now(tz=datetime.UTC).date(), "cpu": machine["cpu"], "cores": machine["cores"]}
    text = HEAD.format(**head, memory=machine["memory_bytes"] / (1 << 30), limit=N_LOG_N)
    steep: list[str] = []
    for axis in AXES:
        series = list(series_of(measurements, axis))
        if series:
            text += "".join(_section(axis, series))
            steep += _steep(series)
    text += "\n## What grows faster than n log n, and why\n\n"
    text += "".join(f"- {line}\n" for line in steep) or "Nothing that was measured.\n"
    text += "\n## What has no axis\n\n" + "".join(f"- `xdr {name}`: {why}.\n" for name, why in NO_AXIS.items())
    if before:
        text += "".join(_beside([found for one in before for found in one["measurements"]], measurements))
    return text


def _section(axis: str, series: Sequence[Series]) -> Iterator[str]:
    points = sorted({found["point"] for one in series for found in one.measurements})
    size = dict(max((found for one in series for found in one.measurements), key=lambda found: found["point"])["size"])
    others = ", ".join(f"{size[name]:,} {name}" for name in ("systems", "languages", "questions", "passages"))
    loads = [found["load"] for one in series for found in one.measurements]
    load = f"Load {min(loads):.1f} to {max(loads):.1f}."
    yield f"\n## By {axis}\n\nAt the largest point: {others}, depth {size['depth']}. {load}\n\n"
    yield "| `xdr` | " + " | ".join(f"{point:,}: s" for point in points) + " | e | "
    yield " | ".join(f"{point:,}: MB" for point in points) + " | e |\n"
    yield "|:---|" + "---:|" * (2 * len(points) + 2) + "\n"
    for one in series:
        by_point = {found["point"]: found for found in one.measurements}
        seconds = [_cell(by_point.get(point), "processor_seconds", 1.0, ",.1f") for point in points]
        memory = [_cell(by_point.get(point), "peak_bytes", 1e6, ",.0f") for point in points]
        exponents = [_exponent(one.exponents(key)) for key in ("processor_seconds", "peak_bytes")]
        yield f"| {' | '.join([f'`{one.command}`', *seconds, exponents[0], *memory, exponents[1]])} |\n"


def _cell(found: Figures | None, key: str, unit: float, form: str) -> str:
    if found is None:
        return ""
    return "failed" if "failed" in found else format(found[key] / unit, form)


def _exponent(found: tuple[float, float] | None) -> str:
    return "" if found is None else f"{found[0]:.2f} / {found[1]:.2f}"


def _steep(series: Sequence[Series]) -> Iterator[str]:
    for one in series:
        kinds = {"time": one.exponents("processor_seconds"), "memory": one.exponents("peak_bytes")}
        over = [f"{kind} n^{found[1]:.2f}" for kind, found in kinds.items() if found is not None and found[1] > N_LOG_N]
        failed = [found for found in one.measurements if "failed" in found]
        if over:
            reason = REASONS.get((one.command, one.axis), "not accounted for")
            yield f"`{one.command}` by {one.axis}, {' and '.join(over)}: {reason}."
        for found in failed:
            yield f"`{one.command}` at {found['point']:,} {one.axis}: {found['failed']}."


def _beside(before: Sequence[Figures], measurements: Sequence[Figures]) -> Iterator[str]:
    """What was mended: the same points by both checkouts."""
    yield "\n## Before what broke first was mended\n\nThe same points by the checkout before, on the same machine.\n\n"
    yield "| `xdr` | point | s before | s | MB before | MB | load before | load |\n|:---|:---|" + "---:|" * 6 + "\n"
    now = {(found["axis"], found["point"], found["command"]): found for found in measurements}
    for found in before:
        own = now.get((found["axis"], found["point"], found["command"]))
        if own is None:
            continue
        cells = [
            _cell(one, key, unit, form)
            for key, unit, form in (
                ("processor_seconds", 1.0, ",.1f"),
                ("peak_bytes", 1e6, ",.0f"),
                ("load", 1.0, ".1f"),
            )
            for one in (found, own)
        ]
        yield f"| `{found['command']}` | {found['point']:,} {found['axis']} | {' | '.join(cells)} |\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="+", type=Path)
    parser.add_argument("--before", nargs="+", type=Path, default=())
    parser.add_argument("--output", type=Path, default=Path("docs/growth.md"))
    arguments = parser.parse_args()
    read = [[json.loads(path.read_text("utf-8")) for path in paths] for paths in (arguments.figures, arguments.before)]
    write_text(arguments.output, written(*read))


if __name__ == "__main__":
    main()
