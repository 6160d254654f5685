"""The two ways in which a command can end badly, and the findings that they carry.

Exit codes are the same everywhere: 0 fine, 1 findings (the input or the result is invalid), 2 wrong usage.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.visible import visible

REPORTED = 100
"""Findings of one record or file of lines that are listed one by one; the others are counted."""

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with an input: where, what, what was expected, how to fix it.

    ``kind``: a few words that findings of one kind share; by it those of several files can be told together.
    """

    severity: Severity
    where: str
    what: str
    expected: str = ""
    hint: str = ""
    kind: str = ""

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.hint:
            parts.append(self.hint)
        # On one line, whatever it quotes.
        return visible("; ".join(parts))


class XdrError(Exception):
    """Base of all errors that are meant for the user and are shown without a traceback."""

    exit_code = 1

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.findings = tuple(findings)

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"  {finding}" for finding in self.findings)])


class InvalidInput(XdrError):
    """A file or a result is invalid. All problems of one input are in ``findings``."""


class WrongUsage(XdrError):
    """The command cannot mean what was typed: an unknown name, a missing file, options that exclude each other."""

    exit_code = 2


def reported(findings: Sequence[Finding], where: str) -> list[Finding]:
    """The first findings one by one, and how many more there are: nobody reads a million lines."""
    more = len(findings) - REPORTED
    return [*findings[:REPORTED], *([Finding("error", where, f"{more} more faults")] if more > 0 else [])]


def errors_of(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == "error"]


def closest(name: str, known: Iterable[str]) -> str:
    """The known names that look most like a misspelt one, in words; empty where none does.

    >>> closest("xqad", ["xquad", "mini"]), closest("nothing", ["mini"])
    ("'xquad'", '')
    """
    return " or ".join(map(repr, difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.6)))


_LISTED = 20
"""So many names of what there is stand in a message; more are for ``xdr list``."""


def unknown_name(kind: str, name: str, known: Iterable[str], hint: str = "") -> WrongUsage:
    """Error for a misspelt name, with the closest known ones.

    >>> print(unknown_name("track", "xqad", ["xquad", "mini"]))
    unknown track 'xqad'; did you mean 'xquad'?
    """
    known = sorted(known)
    close = closest(name, known)
    message = f"unknown {kind} {name!r}"
    if close:
        message += f"; did you mean {close}?"
    elif known:
        message += f"; known: {', '.join(known)}" if len(known) <= _LISTED else f"; {len(known)} are known"
    return WrongUsage(message + (f" ({hint})" if hint else ""))
