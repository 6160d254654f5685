"""BibTeX of what a leaderboard's table cites: the leaderboard, its systems, collections, measures and tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources

import harness
from harness.adapters.bibtex import Entry, entries_of, harmless_entry, one_entry
from harness.adapters.card import Card
from harness.leaderboard.table import Leaderboard

FILE_NAME = "references.bib"
_ADAPTERS = {"bm25": "robertson2009bm25", "xqg": "zhuang2023xqg"}
_DATASETS = {"xor-tydi": "asai2021xorqa", "xquad": "artetxe2020xquad", "xquad-oracle": "artetxe2020xquad"}
_CORRECTIONS = {"holm": "holm1979", "benjamini-hochberg": "benjamini1995", "max-T": "carterette2012multiple"}
_TOKEN_RECALL = re.compile(r"R@\d+k?t")


def to_bibtex(board: Leaderboard) -> str:
    """One entry for each work, sorted by key. Where two cards use one key for different works, it gets their name."""
    found: dict[str, Entry] = {}
    for entry, system in _cited(board):
        same = found.setdefault(entry.key, entry)
        if same.text != entry.text:
            renamed = entry.renamed(f"{entry.key}-{system}")
            found[renamed.key] = renamed
    return "\n".join(found[key].text + "\n" for key in sorted(found))


def references() -> dict[str, Entry]:
    """The works that this project's own methods, measures and collections come from, by key."""
    text = resources.files("harness.leaderboard.exports").joinpath(FILE_NAME).read_text("utf-8")
    return {entry.key: entry for entry in entries_of(text)}


def _cited(board: Leaderboard) -> Iterator[tuple[Entry, str]]:
    known = references()
    yield _itself(board), ""
    for key in _methods(board):
        yield known[key], ""
    for row in board.rows:
        if row.card.bibtex:
            yield harmless_entry(row.card.bibtex), row.system
        for entry in known.values():
            if _names(row.card, entry):
                yield entry, row.system


def _methods(board: Leaderboard) -> Iterator[str]:
    if any(_TOKEN_RECALL.fullmatch(measure) for measure in board.track["measures"]):
        yield "asai2021xorqa"
    yield "smucker2007tests"
    for family in board.comparison["families"]:
        if family["correction"] in _CORRECTIONS:
            yield _CORRECTIONS[family["correction"]]
    for column in board.columns:
        if key := _DATASETS.get(column.dataset.partition("/")[0]):
            yield key


def _names(card: Card, entry: Entry) -> bool:
    """Whether a card is of this work: by its adapter, or by its paper's arXiv or DOI number or title."""
    if _ADAPTERS.get(card.adapter) == entry.key:
        return True
    paper = card.paper.lower()
    title = entry.fields["title"].replace("{", "").replace("}", "")
    marks = (entry.fields.get("eprint"), entry.fields.get("doi"), title)
    return any(mark and mark.lower() in paper for mark in marks)


def _itself(board: Leaderboard) -> Entry:
    name, version = board.track["name"], board.track["version"]
    return one_entry(
        f"@misc{{xdr-bench-{name},\n"
        f"  author = {{{{xdr-bench contributors}}}},\n"
        f"  title = {{xdr-bench: leaderboard of the track {name}, version {version}}},\n"
        f"  note = {{xdr-bench {harness.__version__}}}\n"
        "}"
    )
