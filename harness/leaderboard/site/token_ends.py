"""Where the tokens of a passage end, so that a page can show where a token budget runs out."""

from __future__ import annotations

from collections.abc import Iterable


def token_ends(text: str, tokens: Iterable[str]) -> list[int]:
    """End of each of the text's tokens in it, in characters, ascending.

    Punkt and the Treebank rules keep a text's characters but for quotes, which may become `` or '', so each token is looked
    for after the one before it; one that is not found there ends where that one did.
    """
    ends, place = [], 0
    for token in tokens:
        spellings = ('"', token) if token in {"``", "''"} else (token,)
        found = [(start, spelling) for spelling in spellings if (start := text.find(spelling, place)) >= 0]
        if found:
            start, spelling = min(found)
            place = start + len(spelling)
        ends.append(place)
    return ends
