"""BibTeX entries: found in a text, strictly, so that what a stranger's card says cannot break a bibliography."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEAD = re.compile(r"@\s*([A-Za-z]+)\s*\{\s*([^\s,{}\"#%'()=\\~]+)\s*,")
_FIELD = re.compile(r"\s*([A-Za-z][\w-]*)\s*=\s*")
_BARE = re.compile(r"[A-Za-z0-9]+")
_NO_ENTRIES = ("comment", "preamble", "string")


@dataclass(frozen=True)
class Entry:
    """One entry; ``fields`` have lower-case names, and values without their outer braces or quotation marks."""

    kind: str
    key: str
    fields: dict[str, str]
    text: str

    def renamed(self, key: str) -> Entry:
        head = _HEAD.match(self.text)
        assert head is not None
        text = self.text[: head.start(2)] + key + self.text[head.end(2) :]
        return Entry(self.kind, key, self.fields, text)


def entries_of(text: str) -> list[Entry]:
    """All entries of a text that holds nothing else. Raises ``ValueError`` that says where it is not in order."""
    found, at = [], _after_blanks(text, 0)
    while at < len(text):
        head = _HEAD.match(text, at)
        if head is None or head[1].lower() in _NO_ENTRIES:
            raise ValueError(f"{_place(text, at)}: expected an entry, like @inproceedings{{key, title = {{...}}}}")
        fields, end = _fields(text, head.end())
        found.append(Entry(head[1].lower(), head[2], fields, text[at:end]))
        at = _after_blanks(text, end)
    return found


def one_entry(text: str) -> Entry:
    """The one entry that the text must be. Raises ``ValueError``."""
    entries = entries_of(text)
    if len(entries) != 1:
        raise ValueError(f"expected exactly one entry, found {len(entries)}")
    return entries[0]


def _fields(text: str, at: int) -> tuple[dict[str, str], int]:
    """Fields from ``at``, and the place after the brace that closes the entry."""
    fields: dict[str, str] = {}
    while True:
        at = _after_blanks(text, at)
        if text.startswith("}", at):
            return fields, at + 1
        name = _FIELD.match(text, at)
        if name is None:
            raise ValueError(f"{_place(text, at)}: expected a field, like title = {{...}}, or a closing brace")
        if name[1].lower() in fields:
            raise ValueError(f"{_place(text, at)}: the field {name[1]} stands twice")
        fields[name[1].lower()], at = _value(text, name.end())
        at = _after_blanks(text, at)
        if text.startswith(",", at):
            at += 1
        elif not text.startswith("}", at):
            raise ValueError(f"{_place(text, at)}: expected a comma or a closing brace")


def _value(text: str, at: int) -> tuple[str, int]:
    """A value in braces, in quotation marks, or bare (a number, a month), and the place after it."""
    bare = _BARE.match(text, at)
    if bare:
        return bare[0], bare.end()
    opening = text[at : at + 1]
    if opening not in ("{", '"') or not opening:
        raise ValueError(f"{_place(text, at)}: expected a value in braces or quotation marks")
    depth, place = 0, at + 1
    while place < len(text):
        character = text[place]
        if depth == 0 and character == ("}" if opening == "{" else '"'):
            return " ".join(text[at + 1 : place].split()), place + 1
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            break
        place += 1
    raise ValueError(f"{_place(text, at)}: this value is not closed")


def _after_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _place(text: str, at: int) -> str:
    before = text[:at]
    return f"line {before.count(chr(10)) + 1}, column {at - before.rfind(chr(10))}"
