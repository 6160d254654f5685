"""Where a table's questions and passages come from: the works to cite, and the licences, as the collections say."""

from __future__ import annotations

from typing import NamedTuple

from harness.adapters.bibtex import Entry
from harness.collections import about
from harness.collections.plugins import name_of
from harness.leaderboard.exports.bibtex import works_of
from harness.leaderboard.table import Leaderboard


class Source(NamedTuple):
    """A collection; ``works``: author, title and year of each."""

    collection: str
    works: tuple[str, ...]
    licence: str


def sources_of(board: Leaderboard) -> list[Source]:
    """Each collection once, in the order of the columns; those that say nothing of themselves are left out."""
    found: dict[str, Source] = {}
    for column in board.columns:
        said = about(column.dataset)
        if said.bibtex or said.licence:
            name = name_of(column.dataset)
            found.setdefault(name, Source(name, tuple(map(_in_words, works_of(said.bibtex))), said.licence))
    return list(found.values())


def _in_words(entry: Entry) -> str:
    fields = {name: " ".join(value.replace("{", "").replace("}", "").split()) for name, value in entry.fields.items()}
    first, *others = fields.get("author", "").split(" and ")
    author = first.partition(",")[0] + (" et al." if others else "")
    return ", ".join(filter(None, (author, fields.get("title", ""), fields.get("year", ""))))
