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
    ("report TRACK", "systems"): PAIRS,
    ("leaderboard", "systems"): PAIRS,
    ("leaderboard --check", "systems"): PAIRS,
    ("leaderboard --freeze", "systems"): PAIRS,
    ("export --format json", "systems"): "the file holds the tests of all pairs of systems",
    (
        "leaderboard",
        "languages, the same questions in each",
    ): "pages can test any choice of languages, which takes what every "
    "two languages with common questions have in common: the square of languages is what is asked for",
    (
        "run bm25",
        "languages",
    ): "Japanese and Korean, which are among 32 languages and not among 16, are cut into words by models that "
    "take hundreds of MB",
    ("data export", "languages"): "a folder with all passages is written for each language, as is asked for",
}

HEAD = """# Growth

Written by a command, on {date}, from what another one measured on this machine: {cpu}, {cores} cores, {memory:.0f} GiB. The
load average is given: where it is above the number of cores, other work took part of them. Processor seconds (s) are of all
threads of a command; memory is the largest resident size of its process ("≤" where it is not above that of the measuring one).
Make the page again with

    python benchmarks/growth.py --json growth.json
    python benchmarks/growth_page.py growth.json

`--large` adds points that take long: a thousand systems, a million questions, a million passages. For each point a track, its
collection and recorded runs are made up, all but one of their sizes being small, and every command is a process of its own.
What 18.2 million passages take stands in [scale.md](scale.md), pages in a browser in [site.md](site.md).

The exponent e says that what is measured grows as n^e: the least-squares slope of the logarithms over all points, and, after
the slash, the slope of the last step alone. What a command takes to start counts in small points, and makes them flatter; the
last step is what tells of larger ones. Up to {limit} is n log n at these sizes. What is blank was not measured.
"""


NOISE = """Other work took part of the machine: it moves an exponent by some tenths, as those below 0 in the tables show.

"""

MENDED = """
## What broke first, and was mended

Ten times the size of [site.md](site.md)'s (200 systems, 12 languages, 2,000 questions each) was looked through from the
most painful end. In this order stood in the way, each mended without an effect on any number that there was:

1. A limit of tests: 100,000 draws serve at most 1,000 planned tests, so that 84 systems in 12 languages were refused a
   leaderboard. Draws of tests that are open are raised anyway; in a large family they are now raised as far as its
   strictest level needs.
2. Memory of scores: dicts, with each question's id, topic and unit again for every system. They are arrays over shared
   ids now.
3. The square of languages: each language of `folder(LANG):PATH` read all files and kept all passages again, and, where
   languages ask questions of their own, every test and every table of a page held zeros for the units of all other
   languages.
4. The square of systems where nobody asked for it: rows that each looked through the whole comparison, verdicts that
   compared every row with every other.
5. Memory of intermediate results that grew with systems: raised draws, columns that are multiplied, products for the
   pages' forms, and the text of all pairs' counts are made some at a time.
6. Limits of formats: comparison.json and score files could be written larger than they were read again.
7. A page too heavy: the comparison of two systems loaded the tests of all pairs; now it loads those of its two systems.
8. A recursion: rows that stand on each other more than a thousand deep.
9. The square of questions: those of a track were held against training data by counting the common n-grams of all pairs.
   Only pairs that share one of their rarest n-grams are compared now: ten thousand of these questions against themselves
   took a process 855 MB and 7.9 s, and take 100 MB and 0.7 s.

All pairs of systems stay: their tests, letters and forms are as many as the square of systems. Files with what belongs
to single questions, which a page of two systems loads by language, grow with the questions of a language.
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
        points = [(found["point"], found[key]) for found in self.measurements if _is_seen(found, key)]
        return (slope(points), slope(points[-2:])) if len(points) > 1 else None


def series_of(measurements: Sequence[Figures], axis: str) -> Iterator[Series]:
    for command in COMMANDS:
        own = [found for found in measurements if (found["axis"], found["command"]) == (axis, command.name)]
        if own:
            yield Series(command.name, axis, own)


def written(figures: Sequence[Figures], before: Sequence[Figures] = ()) -> str:
    machine = figures[0]["machine"]
    # What a later file has, too, counts instead.
    by_key = {(f["axis"], f["point"], f["command"]): f for one in figures for f in one["measurements"]}
    measurements = list(by_key.values())
    head = {"date": datetime.datetime.now(tz=datetime.UTC).date(), "cpu": machine["cpu"], "cores": machine["cores"]}
    text = HEAD.format(**head, memory=machine["memory_bytes"] / (1 << 30), limit=N_LOG_N)
    steep: list[str] = []
    for axis in AXES:
        series = list(series_of(measurements, axis))
        if series:
            text += "".join(_section(axis, series))
            steep += _steep(series)
    text += "\n## What grows faster than n log n, and why\n\n"
    if max(found["load"] for found in measurements) > machine["cores"]:
        text += NOISE
    text += "".join(f"- {line}\n" for line in steep) or "Nothing that was measured.\n"
    text += "\n## What has no axis\n\n" + "".join(f"- `xdr {name}`: {why}.\n" for name, why in NO_AXIS.items())
    text += MENDED
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
    if "failed" in found:
        return "failed"
    return ("" if _is_seen(found, key) else "≤ ") + format(found[key] / unit, form)


def _is_seen(found: Figures, key: str) -> bool:
    """A command that failed says nothing of its size, nor does a peak that is not above the measuring process's own."""
    return "failed" not in found and (key != "peak_bytes" or found[key] > found.get("floor_bytes", 0))


def _exponent(found: tuple[float, float] | None) -> str:
    return "" if found is None else f"{found[0]:.2f} / {found[1]:.2f}"


def _steep(series: Sequence[Series]) -> Iterator[str]:
    for one in series:
        kinds = {"time": one.exponents("processor_seconds"), "memory": one.exponents("peak_bytes")}
        over = [f"{kind} n^{found[1]:.2f}" for kind, found in kinds.items() if found is not None and found[1] > N_LOG_N]
        failed = [found for found in one.measurements if "failed" in found]
        if over:
            reason = REASONS.get((one.command, one.axis), "no reason in the program is known")
            yield f"`{one.command}` by {one.axis}, {' and '.join(over)}: {reason}."
        for found in failed:
            yield f"`{one.command}` at {found['point']:,} {one.axis}: {found['failed']}."


def _beside(before: Sequence[Figures], measurements: Sequence[Figures]) -> Iterator[str]:
    """What was mended: the same points by both checkouts."""
    yield "\nThe same points by the checkout before that, on the same machine:\n\n"
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
