"""Texts of two kinds for one budget: questions in a drawn order, and passages cut at the end of a sentence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

import regex

from harness.collections.perturbed.passages import sentences_of

_TOKENS = regex.compile(r"\p{Han}|[\p{L}\p{M}\p{N}--\p{Han}]+", regex.V1)
_BETWEEN_PARTS = regex.compile(r"(?<=[,;:،؛])\s+|(?<=[，；：])")
_SEED = 20230723


def tokens_of(text: str) -> int:
    """How many tokens a text has: letters, marks and digits in a row, and each Chinese character.

    >>> tokens_of("Who won, in 1966?"), tokens_of("1966年谁赢了？")
    (4, 6)
    """
    return len(_TOKENS.findall(text))


def drawn_order(rows: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Rows of passage, language and text, those of a passage in an order drawn from their texts by a fixed seed.

    Languages are drawn apart: the first texts of a passage in two languages need not be versions of one another.
    """

    def draw(row: tuple[str, str, str]) -> tuple[int, bytes]:
        data = f"{_SEED}\0{row[0]}\0{row[1]}\0{row[2]}".encode()
        return place[row[0]], hashlib.blake2b(data, digest_size=16).digest()

    found = list(rows)
    place = {doc_id: number for number, doc_id in enumerate(dict.fromkeys(doc_id for doc_id, _, _ in found))}
    return sorted(found, key=draw)


def to_budget(passages: Mapping[str, str], questions: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The beginning of each passage that has questions: as many tokens in all as these have.

    ``questions``: pairs of passage and text. A passage is cut at the end of a sentence, or of a part of its first sentence,
    namely where that brings the tokens of all passages so far nearest to those of their questions; of two places that are as
    near, at the earlier. Passages come in the order of ``passages``.
    """
    wanted: dict[str, int] = {}
    for doc_id, text in questions:
        wanted[doc_id] = wanted.get(doc_id, 0) + tokens_of(text)
    left = 0
    for doc_id, text in passages.items():
        if doc_id in wanted:
            left += wanted[doc_id]
            best = min(_beginnings(text), key=lambda beginning: abs(tokens_of(beginning) - left))
            left -= tokens_of(best)
            yield doc_id, best


def _beginnings(text: str) -> list[str]:
    """All places where a passage may be cut, the shortest first."""
    sentences = sentences_of(text)
    parts = _BETWEEN_PARTS.split(sentences[0])
    ends = [" ".join(parts[:count]) for count in range(1, len(parts))]
    return [*ends, *(" ".join(sentences[:count]) for count in range(1, len(sentences) + 1))]
