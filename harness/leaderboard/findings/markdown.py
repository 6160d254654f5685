"""The findings as one page of Markdown (docs/findings.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.leaderboard.findings.records import Finding, Table

_HEAD = """# Findings

Written by `xdr findings`: answers, tables and figures come from recorded studies and comparisons; what they do not show, and
what had been seen before, was written by people. An answer is *yes* or *no* where the declared family finds it, with the same
sign in at least five of seven languages, for every encoder that was run and has certainly not seen the collection (one marked †
may have, and decides nothing); *not shown* with the interval that is excluded; *it depends*, with on what; or *not answered*
where runs are missing. Differences are points of the measure; intervals are 95% bootstrap intervals of one number alone, of
passages with all questions about them. What is compared how stands in [study.md](study.md).
"""


def findings_page(found: Sequence[Finding]) -> str:
    lines = [_HEAD]
    for finding in found:
        lines += _section(finding)
    return "\n".join(lines).rstrip() + "\n"


def _section(finding: Finding) -> Iterator[str]:
    yield f"## {finding.question}\n"
    yield f"**{finding.summary}**\n"
    for answer in finding.answers:
        yield f"- {answer.about}: **{answer.verdict}**. {answer.sentence}"
    yield ""
    for table in finding.tables:
        yield from _table(table)
    for title, texts in (
        ("Controls", finding.controls),
        ("What this does not show", finding.limits),
        ("Seen before declaring", finding.seen),
    ):
        if texts:
            yield f"### {title}: {finding.name}\n"
            yield from (f"- {text}" for text in texts)
            yield ""
    yield f"### Make it again: {finding.name}\n"
    yield from (f"    {command}" for command in finding.commands)
    yield ""


def _table(table: Table) -> Iterator[str]:
    yield f"{table.caption}\n"
    yield "| " + " | ".join(table.head) + " |"
    yield "|" + "---|" * len(table.head)
    yield from ("| " + " | ".join(row) + " |" for row in table.rows)
    yield ""
