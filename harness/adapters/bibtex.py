"""BibTeX entries: found in a text, strictly, so that what a stranger's card says cannot break a bibliography."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.visible import steers, visible

_HEAD = re.compile(r"@\s*([A-Za-z]+)\s*\{\s*([^\s,{}\"#%'()=\\~]+)\s*,")
_FIELD = re.compile(r"[A-Za-z][\w-]*")
_COMMAND = re.compile(r"\\([A-Za-z@]+|.|$)", re.DOTALL)
_ADDRESS = re.compile(r"\\(?:url|path)\s*\{[^{}]*\}")
# What follows a backslash: accents, spaces, and signs that mean something without it.
_SIGNS = frozenset("'`^\"~=.-/, &%$#_{}@()")
_COMMANDS = frozenset(
    re.findall(
        r"\w+",
        """
        c d b k r t u v H i j l L o O ss SS ae AE oe OE aa AA dh DH dj DJ ng NG th TH S P dag ddag pounds copyright
        emph textit textbf textsc texttt textrm textsf textsl textup textmd textnormal textsuperscript textsubscript
        it bf sc tt rm em mbox enspace quad ldots dots slash url path relax LaTeX TeX BibTeX
        textendash textemdash textquoteright textquoteleft textquotedblleft textquotedblright textasciitilde
        textasciicircum textbackslash textunderscore textdollar textless textgreater textbar textbullet textdegree
        textregistered texttrademark
        alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi rho sigma tau
        upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega
        times cdot pm mp leq le geq ge neq approx sim equiv propto rightarrow leftarrow to uparrow downarrow infty ell
        log sqrt frac in cup cap sum prod star ast circ
        mathrm mathbf mathcal mathbb mathit mathsf ensuremath
        """,
    )
)
_NOT_SET_IN_TYPE = frozenset(
    re.findall(
        r"\w+",
        "abstract archiveprefix bibsource biburl doi eprint file isbn issn keywords pdf primaryclass timestamp url",
    )
)
_SAID = {"^": "\\textasciicircum{}"}
_WORDS = {
    "'}' expected": "expected a comma or a closing brace",
    "entry key expected": "expected an entry's key, like @inproceedings{key, title = {...}}",
    "field value expected": "expected a value in braces or quotation marks",
    "premature end of file": "the text ends before the entry does: a brace is not closed",
    "unbalanced braces": "this value is not closed where it ends: its braces are not in pairs",
}
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
    """All entries of a text that holds nothing else. Raises ``ValueError`` that says where it is invalid.

    Read by pybtex, as BibTeX reads; what BibTeX passes over or puts together (comments, strings, ``#``) is refused here.
    """
    from pybtex.database.input.bibtex import LowLevelParser
    from pybtex.scanner import PybtexSyntaxError

    parser = LowLevelParser(text, macros=_Names())
    found: list[Entry] = []
    end = 0
    try:
        for kind, (key, *rest) in parser:
            start = parser.command_start
            head = _HEAD.match(text, start)
            if text[end:start].strip() or head is None or head[2] != key or kind.lower() in _NO_ENTRIES:
                break
            found.append(Entry(kind.lower(), key, _fields(rest[0], _place(text, start)), text[start : parser.pos]))
            end = parser.pos
    except PybtexSyntaxError as error:
        said = str(error).rpartition(": ")[2]
        raise ValueError(f"{_place(text, parser.pos)}: {_WORDS.get(said, said)}") from error
    if text[end:].strip():
        at = end + len(text[end:]) - len(text[end:].lstrip())
        raise ValueError(f"{_place(text, at)}: expected an entry, like @inproceedings{{key, title = {{...}}}}")
    return found


class _Names(dict[str, str]):
    """A bare word is what it says: months are left to whoever sets the bibliography."""

    def __missing__(self, name: str) -> str:
        return name


def one_entry(text: str) -> Entry:
    """The one entry that the text must be. Raises ``ValueError``."""
    entries = entries_of(text)
    if len(entries) != 1:
        raise ValueError(f"expected exactly one entry, found {len(entries)}")
    return entries[0]


def harmless_entry(text: str) -> Entry:
    r"""The one entry that the text must be, of which LaTeX sets every field as it reads. Raises ``ValueError``.

    A bibliography is read with all rights of whoever sets the paper: ``\input`` shows their files, ``\write18`` may run
    programs. So what a stranger sends may hold accents, letters, fonts and signs of mathematics, and nothing else that begins
    with a backslash; and none of the signs that mean something to TeX, unless they are escaped or within ``$`` or ``\url``.
    """
    entry = one_entry(text)
    if found := steers(entry.text.replace("\n", " ").replace("\r\n", " ").replace("\t", " ")):
        raise ValueError(f"it holds the control character {visible(found)}")
    for name, value in entry.fields.items():
        if fault := _fault_of(value, name in _NOT_SET_IN_TYPE):
            raise ValueError(f"the field {name}: {fault}")
    return entry


def _fault_of(value: str, is_plain: bool) -> str:
    if "^^" in value:
        return "^^, by which TeX reads any character, is not allowed"
    for command in _COMMAND.findall(value):
        if command not in _COMMANDS and command not in _SIGNS:
            return f"the command \\{visible(command)} is not allowed; allowed are accents, letters, fonts and signs"
    if is_plain:
        return ""
    plain = _COMMAND.sub("", _ADDRESS.sub("", value))
    if plain.count("$") % 2:
        return "a dollar sign alone; write \\$"
    for outside in plain.split("$")[::2]:
        if special := next((sign for sign in "%&#_^" if sign in outside), ""):
            return f"{special} means something to LaTeX; write {_SAID.get(special, chr(92) + special)}"
    return ""


def _fields(pairs: list[tuple[str, list[str]]], where: str) -> dict[str, str]:
    """Fields by their names in small letters, of one value each."""
    fields: dict[str, str] = {}
    for name, values in pairs:
        if not _FIELD.fullmatch(name):
            raise ValueError(f"{where}: {visible(name)} cannot be a field's name")
        if name.lower() in fields:
            raise ValueError(f"{where}: the field {name} is a duplicate")
        if len(values) > 1:
            raise ValueError(f"{where}: the field {name} is put together of {len(values)} values; write one")
        fields[name.lower()] = " ".join(values[0].split())
    return fields


def _place(text: str, at: int) -> str:
    before = text[:at]
    return f"line {before.count(chr(10)) + 1}, column {at - before.rfind(chr(10))}"
