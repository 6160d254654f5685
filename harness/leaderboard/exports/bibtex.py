"""BibTeX of what a leaderboard's table cites: the leaderboard, its systems, collections, measures and tests."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources

import harness
from harness.adapters import loading
from harness.adapters.bibtex import Entry, entries_of, harmless_entry, one_entry
from harness.adapters.card import Card
from harness.collections import about, plugins
from harness.errors import XdrError
from harness.leaderboard.table import Leaderboard, Row
from harness.measures import parse

FILE_NAME = "references.bib"
_CORRECTIONS = {"holm": "holm1979", "benjamini-hochberg": "benjamini1995", "max-T": "carterette2012multiple"}
_ENTRY_START = re.compile(r"\n(?=@)")


def to_bibtex(board: Leaderboard) -> str:
    """One entry for each work, sorted by key. Where two cards use one key for different works, it gets their name."""
    found: dict[str, Entry] = {}
    for entry, system in _cited(board):
        same = found.setdefault(entry.key, entry)
        if same.text != entry.text:
            renamed = entry.renamed(f"{entry.key}-{system}")
            found[renamed.key] = renamed
    return "\n".join(found[key].text + "\n" for key in sorted(found))


def bibtex_of(board: Leaderboard, row: Row | None = None) -> str:
    """The entry of the leaderboard itself, and, of a row, those of the works that its system comes from."""
    cited = (
        [_itself(board).text, *(entry.text for entry in _of_row(row, references()))]
        if row is not None
        else [_itself(board).text]
    )
    return "\n".join(text + "\n" for text in dict.fromkeys(cited))


def references() -> dict[str, Entry]:
    """The works that this project's own tests, systems and collections come from, by key."""
    text = resources.files("harness.leaderboard.exports").joinpath(FILE_NAME).read_text("utf-8")
    own = [text, *(plugins.find(name).BIBTEX for name in plugins.OWN), *map(_of_adapter, loading.PLUGINS.own())]
    return {entry.key: entry for part in own for entry in entries_of(part)}


def works_of(bibtex: str) -> list[Entry]:
    """The entries of what a plug-in cites, but those that a bibliography cannot hold without harm."""
    found = []
    for text in _ENTRY_START.split(bibtex):
        with contextlib.suppress(ValueError):
            found.append(harmless_entry(text))
    return found


def _cited(board: Leaderboard) -> Iterator[tuple[Entry, str]]:
    known = references()
    yield _itself(board), ""
    yield known["smucker2007tests"], ""
    for family in board.comparison.families:
        if family.correction in _CORRECTIONS:
            yield known[_CORRECTIONS[family.correction]], ""
    for bibtex in (*map(_of_measure, board.track.measures), *(about(c.dataset).bibtex for c in board.columns)):
        yield from ((entry, "") for entry in works_of(bibtex))
    for row in board.rows:
        yield from ((entry, row.system) for entry in _of_row(row, known))


def _of_row(row: Row, known: Mapping[str, Entry]) -> Iterator[Entry]:
    if row.card.bibtex:
        yield harmless_entry(row.card.bibtex)
    yield from works_of(_of_adapter(row.card.adapter))
    yield from (entry for entry in known.values() if _is_paper_of(row.card, entry))


def _of_measure(name: str) -> str:
    """What a measure cites; nothing where it is of a track's own file, or no longer installed."""
    try:
        return parse(name).bibtex
    except XdrError:
        return ""


@cache
def _of_adapter(name: str) -> str:
    """What an installed adapter cites; a card's own code is not run for it."""
    try:
        return str(getattr(loading.PLUGINS.find(name), "bibtex", ""))
    except XdrError:
        return ""


def _is_paper_of(card: Card, entry: Entry) -> bool:
    """Whether a card's paper is this work, by its arXiv or DOI number or its title."""
    paper = card.paper.lower()
    title = entry.fields["title"].replace("{", "").replace("}", "")
    marks = (entry.fields.get("eprint"), entry.fields.get("doi"), title)
    return any(mark and mark.lower() in paper for mark in marks)


def _itself(board: Leaderboard) -> Entry:
    name, version = board.track.name, board.track.version
    return one_entry(
        f"@misc{{xdr-bench-{name},\n"
        f"  author = {{{{xdr-bench contributors}}}},\n"
        f"  title = {{xdr-bench: leaderboard of the track {name}, version {version}}},\n"
        f"  note = {{xdr-bench {harness.__version__}}}\n"
        "}"
    )
