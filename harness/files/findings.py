"""What is found in one file of many lines: errors one by one up to a number, warnings in one line for each kind."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.errors import Finding, Severity

MAX_SHOWN = 20
"""Errors of one kind that are listed one by one; the others are counted. Of warnings it is one: good runs have many."""


@dataclass
class Findings:
    """Collects findings, lists the first of each kind and counts the rest; of warnings one line for each kind."""

    path: str
    _listed: list[Finding] = field(default_factory=list)
    _counts: dict[tuple[Severity, str], int] = field(default_factory=dict)
    _warnings: dict[str, Finding] = field(default_factory=dict)

    def add(self, severity: Severity, line: int, kind: str, what: str, expected: str = "", hint: str = "") -> None:
        count = self._counts[severity, kind] = self._counts.get((severity, kind), 0) + 1
        if severity == "warning":
            where = f"{self.path}:{line}" if line else self.path
            self._warnings.setdefault(kind, Finding(severity, where, what, expected, hint, kind))
        elif count <= MAX_SHOWN:
            where = f"{self.path}:{line}" if line else self.path
            self._listed.append(Finding(severity, where, what, expected, hint, kind))

    @property
    def has_errors(self) -> bool:
        return any(severity == "error" for severity, _ in self._counts)

    def result(self) -> list[Finding]:
        more = [
            Finding(severity, self.path, f"{count - MAX_SHOWN} more of this kind: {kind}")
            for (severity, kind), count in self._counts.items()
            if severity == "error" and count > MAX_SHOWN
        ]
        return [*self._listed, *more, *(self._counted(kind, first) for kind, first in self._warnings.items())]

    def _counted(self, kind: str, first: Finding) -> Finding:
        others = self._counts["warning", kind] - 1
        return replace(first, what=f"{first.what}, and {others} more of this kind") if others else first


_AMOUNT = re.compile(r"^[\d,]+(?: of [\d,]+)?(?= )")


def told_together(by_part: Mapping[str, Sequence[Finding]]) -> list[str]:
    """Findings of a row's parts in few lines: those of one kind stand in one, each part with its count.

    >>> short = [Finding("warning", f"{p}.trec.gz", f"{n} of 80 queries are missing", "", "they score 0", "missing queries")
    ...          for p, n in (("ar", 57), ("fi", 20))]
    >>> told_together({"ar": short[:1], "fi": short[1:]})
    ['missing queries: ar 57 of 80, fi 20 of 80; they score 0']
    """
    parts_of: dict[tuple[str, str], list[str]] = {}
    apart: list[str] = []
    for part, findings in by_part.items():
        for finding in findings:
            if finding.kind:
                amount = _AMOUNT.match(finding.what)
                parts_of.setdefault((finding.kind, finding.hint), []).append(f"{part} {amount[0]}" if amount else part)
            else:
                apart.append(f"{part}: {finding}")
    grouped = [f"{kind}: {', '.join(own)}{f'; {hint}' if hint else ''}" for (kind, hint), own in parts_of.items()]
    return [*grouped, *apart]
