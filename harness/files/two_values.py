"""Two values of one field side by side, for messages; and the fields of nested tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

PINNED = "pin:"
"""Begins the digest of an input that was declared as a pin: what was made from the pinned file was not hashed."""

_SHOWN = 60
"""Characters of a value that are printed whole."""


def in_words(before: Any, now: Any) -> str:
    """Both values; of long ones what they do not share, since the beginnings of two long values are often the same.

    >>> in_words(0.9, None)
    '0.9 -> none'
    """
    one, two = (_text(value) for value in (before, now))
    if max(len(one), len(two)) <= _SHOWN:
        return f"{one} -> {two}"
    words = [text.replace(",", " ").split() for text in (one, two)]
    gone, new = (_few([w for w in own if w not in others]) for own, others in (words, words[::-1]))
    are_lists = set(words[0]) & set(words[1]) and len(max([*words[0], *words[1]], key=len)) <= _SHOWN
    if are_lists and (gone or new):
        return " and ".join([*([f"without {gone}"] if gone else []), *([f"with {new}"] if new else [])])
    start = next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    return " -> ".join(_from(text, start) for text in (one, two))


def _text(value: Any) -> str:
    text = "none" if value is None else str(value)
    digest = text.removeprefix(PINNED)
    is_digest = len(digest) in (40, 64) and not digest.strip("0123456789abcdef")
    return text[: len(text) - len(digest) + 12] if is_digest else text


def _few(words: Sequence[str]) -> str:
    """Words as far as there is room, and how many more there are."""
    kept: list[str] = []
    for word in words:
        if kept and len(" ".join([*kept, word])) > _SHOWN:
            return f"{' '.join(kept)} and {len(words) - len(kept)} more"
        kept.append(word)
    return " ".join(kept)


def _from(text: str, start: int) -> str:
    """The text around the place from which on it differs."""
    first = max(0, start - _SHOWN // 3)
    cut = text[first : first + _SHOWN]
    return ("..." if first else "") + cut + ("..." if first + _SHOWN < len(text) else "")


def leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested tables under dotted names.

    >>> list(leaves({"fusion": {"alpha": 0.1}, "per_language": 5}))
    [('fusion.alpha', 0.1), ('per_language', 5)]
    """
    if isinstance(value, Mapping) and (value or not prefix):
        for key, item in value.items():
            yield from leaves(item, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value
