"""Disturbed questions, for training that is to make rankings bear them; each kind is drawn by a seed of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

import regex


def noisy(text: str, kind: str, choice: Random) -> str:
    """The text with one disturbance of the kind; itself where nothing of it can be changed."""
    return _KINDS[kind](text, choice)


def _typo(text: str, choice: Random) -> str:
    """One letter left out, doubled, replaced by another one of the text, or in its neighbour's place; never of a space."""
    letters = regex.findall(r"\X", text)
    places = [place for place, letter in enumerate(letters) if not letter.isspace()]
    if len(places) < 2:
        return text
    # Of some draws nothing comes, as where equal letters change places.
    for _ in range(20):
        changed, place = list(letters), choice.choice(places)
        match choice.choice(("swap", "delete", "insert", "substitute")):
            case "swap":
                other = min(place + 1, len(letters) - 1)
                changed[place], changed[other] = changed[other], changed[place]
            case "delete":
                del changed[place]
            case "insert":
                changed.insert(place, letters[choice.choice(places)])
            case _:
                changed[place] = letters[choice.choice(places)]
        if (found := "".join(changed)) != text and found.strip():
            return found
    return text


def _shuffled_words(text: str, choice: Random) -> str:
    words = text.split()
    return " ".join(choice.sample(words, len(words)))


def _dropped_words(text: str, choice: Random) -> str:
    """A tenth of the words left out, at least one of them, never all."""
    words = text.split()
    if len(words) < 2:
        return text
    gone = set(choice.sample(range(len(words)), max(1, round(len(words) / 10))))
    return " ".join(word for place, word in enumerate(words) if place not in gone)


_KINDS: Mapping[str, Callable[[str, Random], str]] = {
    "typo": _typo,
    "shuffle-words": _shuffled_words,
    "drop-words": _dropped_words,
}
