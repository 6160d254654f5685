"""Untrusted text, made safe to show: what steers a terminal, forges a line or cannot be seen is written as its code.

Ids, titles, fields of cards and answers of servers come from anybody. Whoever prints or renders one passes it through
``visible``; the commands do so in one place, ``harness.cli.console``, the pages in ``harness.leaderboard.site.environment``.
"""

from __future__ import annotations

import re
import unicodedata

# Letters, marks and signs of Unicode that show nothing: fillers of Hangul, vowels of Khmer, the empty Braille cell.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_JOINERS = "\u200c\u200d"
_MARKS = "\u061c\u200e\u200f"
# Whatever is no printable ASCII is looked at one by one.
_UNUSUAL = re.compile(r"[^\x20-\x7e]")


def visible(text: str) -> str:
    r"""The text on one line, where controls, directions, and what cannot be seen stand as codes.

    Joiners and variation selectors stay where scripts and emoji need them, beside characters outside ASCII; so do the marks of
    direction that texts written from right to left hold, which change the place of their neighbours alone.

    >>> print(visible("a\x1b[2Jb\u202ec\n\u200b"), visible("نمی\u200cخواهم"))
    a\x1b[2Jb\u202ec\n\u200b نمی‌خواهم
    """
    if text.isascii() and text.isprintable():
        return text
    return _UNUSUAL.sub(_shown, text)


def visible_lines(text: str) -> str:
    """As ``visible``, where a text may have several lines."""
    return "\n".join(visible(line) for line in text.split("\n"))


def steers(text: str) -> str:
    """The first character that no title, author or reason holds: a control, a direction, a lone surrogate; else ""."""
    if text.isprintable():  # None of them is, and most texts are.
        return ""
    return next((c for c in text if _is_control(c)), "")


def is_blank(text: str) -> bool:
    """Whether nothing of the text can be seen."""
    return not any(unicodedata.category(c)[0] in "LNPS" and c not in _BLANK for c in text)


def _is_control(character: str) -> bool:
    if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
        return True
    return unicodedata.bidirectional(character) in ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI")


def _shown(match: re.Match[str]) -> str:
    character, text, at = match[0], match.string, match.start()
    if character in _JOINERS and _joins(text[at - 1 : at]) and _joins(text[at + 1 : at + 2]):
        return character
    if character in _MARKS and any(unicodedata.bidirectional(c) in ("R", "AL") for c in text if c not in _MARKS):
        return character
    if _is_selector(character):
        return character if _joins(text[at - 1 : at]) else _code(character)
    if character in _BLANK or not (character.isprintable() or unicodedata.category(character) == "Zs"):
        return _code(character)
    return character


def _is_selector(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def _joins(neighbour: str) -> bool:
    return bool(neighbour) and not neighbour.isascii() and unicodedata.category(neighbour)[0] in "LMS"


def _code(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
