"""The leaderboard as a Markdown table: the primary measure times 100, marked where the declared family decided."""

from __future__ import annotations

import re

from harness.compare.records import MACRO
from harness.leaderboard.exports.table import SEEN, SEEN_MEANS, Entry, Line, table_of
from harness.leaderboard.table import Leaderboard
from harness.numbers import interval, percent, probability
from harness.visible import visible

FILE_NAME = "leaderboard.md"
_LINKING = re.compile(r"@|#|\bGH-|\bwww(?=\.)|\b[a-z]+:(?=//)|\b(?:mailto|xmpp):", re.IGNORECASE)
_MARKS = {"": "", "better": "▲", "worse": "▼"}


def to_markdown(board: Leaderboard) -> str:
    table, tests = table_of(board), board.comparison
    lines = [f"| | {table.measure} | {' | '.join(table.columns)} |", "|---:|:---|" + "---:|" * len(table.columns)]
    lines += [f"| {line.rank} | {_title(line)} | {' | '.join(map(_shown, line.entries))} |" for line in table.lines]
    lines += [
        "",
        f"▲ better, ▼ worse than {tests.baseline}: {tests.test}, unit: {tests.unit}, "
        f"alpha = {tests.alpha}; families: {'; '.join(table.families)}.",
    ]
    lines += [*_drops(board), *_transfers(board)]
    if any(line.seen for line in table.lines):
        lines += ["", f"{SEEN} {SEEN_MEANS}."]
    lines += [f"\n{SEEN} {escaped(line.title)}: {escaped('; '.join(line.seen))}." for line in table.lines if line.seen]
    for line in table.lines:
        if line.withdrawn:
            lines += [
                "",
                f"Withdrawn on {line.withdrawn.date}: {escaped(line.title)}. {escaped(line.withdrawn.reason)}",
            ]
        lines += [
            f"\nNot asked: {escaped(line.title)}, {escaped(part)}: {escaped(reason)}."
            for part, reason in line.lacking.items()
        ]
    return "\n".join(lines) + "\n"


def _drops(board: Leaderboard) -> list[str]:
    """What perturbations cost on the macro average, beside the absolute values; nothing where the track perturbs none."""
    tests = board.comparison
    planned = [drop for drop in tests.drops if drop.p_adjusted is not None]
    if not planned:
        return []
    head = (
        "system",
        "perturbation",
        "clean",
        "perturbed",
        "drop",
        "95%",
        "p, corrected",
        "smallest found",
        "hits kept",
    )
    titles = {row.system: row.title + SEEN * row.cells[board.track.primary][MACRO].may_have_seen for row in board.rows}
    rows = [
        (
            escaped(titles.get(drop.system, drop.system)),
            escaped(drop.perturbation),
            percent(drop.clean),
            percent(drop.perturbed),
            percent(drop.drop, signed=True) + ("*" if drop.significant else ""),
            interval(drop.interval),
            probability(drop.p_adjusted),
            percent(drop.detectable),
            percent(drop.retention),
        )
        for drop in planned
    ]
    size = max((family.size for family in tests.families if family.name == "drops"), default=len(planned))
    absent = f" Of {size} declared tests {size - len(planned)} were not run and count as p = 1."
    return [
        "",
        f"Drop({board.track.primary}), macro average; * a drop that is more than chance."
        f"{absent if size > len(planned) else ''} A drop ranks nothing: who hits less can lose less. "
        "*Smallest found*: what this many questions would show in four of five cases.",
        "",
        f"| {' | '.join(head)} |",
        "|:---|:---|" + "---:|" * (len(head) - 2),
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _transfers(board: Leaderboard) -> list[str]:
    """What questions chosen against one system cost the others, macro average; nothing where the track has no such parts."""
    found = [one for one in board.comparison.transfers if one.column == MACRO]
    if not found:
        return []
    titles = {row.system: row.title for row in board.rows}
    head = ("system", "chosen against", "perturbation", "clean", "unselected", "chosen", "loss", "95%", "p, corrected")
    rows = [
        (
            escaped(titles.get(one.system, one.system)),
            escaped(titles.get(one.attacked, one.attacked)),
            escaped(one.perturbation),
            percent(one.clean),
            percent(one.unselected),
            percent(one.found),
            percent(one.loss, signed=True) + ("*" if one.significant else ""),
            interval(one.interval),
            probability(one.p_adjusted) if one.p_adjusted is not None else "not tested",
        )
        for one in found
    ]
    return [
        "",
        f"{board.track.primary} on questions that were chosen against one system, and on unselected ones with the same edits; "
        "* a loss that transfers. On the attacked system it is by construction, and not tested.",
        "",
        f"| {' | '.join(head)} |",
        "|:---|:---|:---|" + "---:|" * (len(head) - 3),
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def escaped(text: str) -> str:
    """The text on one line, as Markdown that shows just these characters, also inside a table.

    Nobody is mentioned by it, and nothing linked: GitHub makes links of names after @, of numbers after # and of addresses,
    whether a backslash is before them or not, but not across a comment.

    >>> print(escaped("@org/team: *see* https://evil.example #1"))
    @<!-- -->org/team: \\*see\\* https:<!-- -->//evil.example #<!-- -->1
    """
    marked = re.sub(r"([\\`*_\[\]<>|~&$])", r"\\\1", visible(" ".join(text.split())))
    return _LINKING.sub(r"\g<0><!-- -->", marked)


def _title(line: Line) -> str:
    return f"~~{escaped(line.title)}~~ (withdrawn)" if line.withdrawn else escaped(line.title)


def _shown(entry: Entry) -> str:
    return entry.text + SEEN * entry.seen + _MARKS[entry.mark]
