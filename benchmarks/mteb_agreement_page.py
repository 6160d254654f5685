"""The page of agreement with mteb, from the figures of ``benchmarks/mteb_agreement.py`` alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

Figures = dict[str, Any]

HEAD = """# Agreement with mteb

Written by a command, from what it measured:

    pip install --constraint constraints.txt --editable ".[bench]"
    python benchmarks/mteb_agreement.py{options}

Both sides get the same files of this machine, the same model folder ({title}), its own prompts and lengths, and
passages {titles} titles; nothing is fetched. mteb runs a local `AbsTaskRetrieval` through `mteb.evaluate` with batches
of {batch} texts and saves its rankings. Ours is what `xdr run` and `xdr score` do with the card `{card}` on these parts
of `{track}`, with an empty cache.

{machine}
"""

SCORING = """
## Its rankings, our scorer

What mteb saved is scored by us and, question by question, by mteb's own functions. mteb reports means with five digits.

"""

RUNS = """
## Our run, its run

Rank-biased overlap, Kendall's tau and the RMSE of {primary} as in `xdr reproduce`, to depth {depth}; the tolerance of the
track is {rank_biased_overlap}, {kendall_tau} and {rmse}. Figures are ours and mteb's.

"""

TIME = """
## Time

From loading the model to scores, {cores} threads each, one after the other. mteb encodes the passages once for each
language, ours once for all; ours writes run files and checks them. Load average before, between and after: {loads}.{busy}

| | seconds | processor seconds |
|:---|---:|---:|
"""

BUSY = """
Other work took much of the machine, so the time that passed says nothing and is left out. Threads that wait for each other
count as busy: a batch by several threads, as mteb has it, costs more on such a machine; one by a single thread, as ours,
does not."""

WHY = """
## Why ranks differ

From our run to mteb's saved scores one thing is changed at a time. Between the ends scores are summed in double precision,
so that each step shows its own causes. By step: the largest change of any score, Kendall's tau between the rankings before
and after it, and the questions whose relevant passage has another rank after it, all among the first {depth}. mteb strips
white space at both ends of passages, ours encodes them as they are; it changes {white_space}.

"""

LIST = """
Every question whose relevant passage has another rank in mteb's run than in ours, {count} of {questions}. The gap is the
difference of mteb's scores between that passage and the farthest one that changed sides with it.

"""


def page(figures: Figures) -> str:
    """The whole page in Markdown."""
    parts: dict[str, Figures] = figures["parts"]
    usual = figures["track"] == "xquad" and list(parts) == ["ar", "de", "hi"] and figures["card"] == "me5-small-q4"
    options = "" if usual else f" --track {figures['track']} --parts {' '.join(parts)} --card {figures['card']}"
    words = {"titles": "with their" if figures["titles"] else "without", "machine": _machine(figures)}
    cores = figures["machine"]["cores"]
    first, *later = figures["loads"]
    is_busy = first >= cores or max(later) >= cores + 1
    questions = sum(part["questions"] for part in parts.values())
    loads = ", ".join(f"{load:.1f}" for load in figures["loads"])
    return "".join(
        (
            HEAD.format(**{**figures, **words, "options": options}),
            SCORING,
            _table(("part", "measure", "questions", "largest difference", "our mean", "mteb reports"), _scoring(parts)),
            *_ties(parts, figures["depth"]),
            RUNS.format(**{**figures, **figures["tolerance"]}),
            _table(("part", *_measures(parts), "same rankings", "RBO", "tau", "RMSE", "within"), _runs(parts)),
            TIME.format(cores=cores, loads=loads, busy=BUSY if is_busy else ""),
            *(f"| {side} | {_seconds(figures, side, is_busy)} |\n" for side in ("ours", "mteb")),
            WHY.format(**figures, white_space=_white_space(parts)),
            _table(("to", "what is changed", "part", "largest change of a score", "tau", "questions"), _steps(parts)),
            _movers(parts),
            LIST.format(count=f"{sum(len(part['moved']) for part in parts.values()):,}", questions=f"{questions:,}"),
            _table(("part", "question", "rank, ours", "rank, mteb's", "gap", "why"), _moved(parts)),
        )
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_row(header), _row([":---"] * len(header)), *map(_row, rows)]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _machine(figures: Figures) -> str:
    machine = figures["machine"]
    libraries = ", ".join(f"{name} {version}" for name, version in figures["libraries"].items())
    return f"{machine['cpu']}, {machine['cores']} cores; {libraries}."


def _seconds(figures: Figures, side: str, is_busy: bool) -> str:
    passed = "" if is_busy else f"{figures['seconds'][side]:.0f}"
    return f"{passed} | {figures['processor_seconds'][side]:.0f}"


def _white_space(parts: dict[str, Figures]) -> str:
    """The passages that mteb's stripping changes, of all parts."""
    ids = dict.fromkeys(doc_id for part in parts.values() for doc_id in part["with_white_space"])
    return f"{len(ids)} of them ({', '.join(ids)})" if ids else "none of them"


def _measures(parts: dict[str, Figures]) -> list[str]:
    return list(next(iter(parts.values()))["means"])


def _scoring(parts: dict[str, Figures]) -> Iterator[Sequence[str]]:
    for name, part in parts.items():
        for row in part["scoring"]:
            measure, figures = row["measure"], (f"{row['largest']:.1g}", f"{row['ours']:.7f}", f"{row['reported']:.5f}")
            yield name, measure, f"{part['questions']:,}", *figures


def _ties(parts: dict[str, Figures], depth: int) -> Iterator[str]:
    """Groups of passages with equal scores, one a line; both sides order them by id."""
    groups = [(name, *group) for name, part in parts.items() for group in part["ties"]]
    if not groups:
        yield f"\nAmong its first {depth} passages of any question no two have equal scores.\n"
        return
    times = f"\nEqual scores among its first {depth} passages, {len(groups)} times"
    yield f"{times}; both sides order them by id, the last one first:\n\n"
    rows = [(name, query_id, str(rank), ", ".join(doc_ids)) for name, query_id, rank, doc_ids in groups]
    yield _table(("part", "question", "from rank", "passages"), rows)


def _runs(parts: dict[str, Figures]) -> Iterator[Sequence[str]]:
    for name, part in parts.items():
        means = [f"{ours:.5f}, {theirs:.5f}" for ours, theirs in part["means"].values()]
        agreement = (f"{part['rank_biased_overlap']:.5f}", f"{part['kendall_tau']:.5f}", f"{part['rmse']:.5f}")
        same = f"{part['same_rankings']:,} of {part['questions']:,}"
        yield name, *means, same, *agreement, "yes" if part["is_within"] else "NO"


def _steps(parts: dict[str, Figures]) -> Iterator[Sequence[str]]:
    for steps in zip(*(part["ways"] for part in parts.values()), strict=True):
        for name, step in zip(parts, steps, strict=True):
            yield (
                step["title"],
                step["change"],
                name,
                f"{step['largest']:.1g}",
                f"{step['tau']:.5f}",
                f"{step['moved']:,}",
            )


def _movers(parts: dict[str, Figures]) -> str:
    """Which steps move ranks of relevant passages, each with the lowest tau of all parts."""
    lowest: dict[str, float] = {}
    for steps in zip(*(part["ways"] for part in parts.values()), strict=True):
        if any(step["moved"] for step in steps):
            lowest[steps[0]["change"]] = min(step["tau"] for step in steps)
    if not lowest:
        return "\nNo step moves a relevant passage.\n"
    named = "; ".join(f"{change} (tau {tau:.5f} at the lowest)" for change, tau in lowest.items())
    return f"\nRelevant passages are moved by: {named}. No other step moves one.\n"


def _moved(parts: dict[str, Figures]) -> Iterator[Sequence[str]]:
    for name, part in parts.items():
        for row in part["moved"]:
            first, *_, last = row["ranks"]
            yield name, row["query_id"], str(first), str(last), f"{row['gap']:.1g}", "; ".join(row["reasons"])
