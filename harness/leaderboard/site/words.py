"""Words that a table uses and not every reader knows, explained where they stand."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.leaderboard.site.evidence import Site
from harness.leaderboard.table import Leaderboard
from harness.runs.score_file import ScoreFile

_WORDS = {
    "xDR": "a bi-encoder trained for cross-lingual retrieval: questions and passages become vectors, near ones match.",
    "xQG": "passage vectors fused with those of questions that a generator asked of the passage, in other languages.",
    "BM25": "ranking by words that question and passage share; across languages these are mostly names and numbers.",
    "zero-shot": "a bi-encoder trained in English alone, asked in other languages.",
}


def explained(board: Leaderboard) -> list[tuple[str, str]]:
    """The words that titles of this table use, each with its meaning in a sentence."""
    titles = " ".join(row.title for row in board.rows)
    return [(word, meaning) for word, meaning in _WORDS.items() if word in titles]


_ARXIV = re.compile(r"arxiv[: ]*(\d{4}\.\d{4,5})(?:v\d+)?", re.IGNORECASE)
_DOI = re.compile(r"\b(10\.\d{4,9}/[-._;()/:A-Za-z0-9]+)")


def address_of(paper: str) -> str:
    """Where a paper can be read, by its arXiv or DOI number or as the address that it is; empty where none is said.

    >>> address_of("arXiv 2305.03950"), address_of("doi:10.1145/3539618.3591952"), address_of("javascript:alert(1)")
    ('https://arxiv.org/abs/2305.03950', 'https://doi.org/10.1145/3539618.3591952', '')
    """
    if found := _ARXIV.search(paper):
        return f"https://arxiv.org/abs/{found[1]}"
    if paper.startswith(("https://", "http://")) and not set(paper) & set(" <>\"'"):
        return paper
    found = _DOI.search(paper)
    return f"https://doi.org/{found[1]}" if found else ""


def is_hit(scores: Sequence[ScoreFile], measure: str) -> bool:
    """Whether every value of the measure is 0 or 1, so that its mean is a share of the questions."""
    return all(
        value in (0, 1)
        for score in scores
        for (_, name), values in score.values.items()
        if name == measure
        for value in values.values()
    )


def is_pooled(site: Site) -> bool:
    """Whether some question has several judged passages: else how much of a ranking was judged says nothing."""
    return any(len(grades) > 1 for part in site.track.clean_parts for grades in (part.collection.qrels or {}).values())
