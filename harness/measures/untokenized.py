r"""What a text says of its tokens without being tokenized, which takes 200 times as long.

NLTK's ``word_tokenize`` puts blanks between characters, drops white space between tokens, and writes a ``"`` as two
backquotes or two apostrophes; it changes nothing else. Three facts follow, and the tests hold them against NLTK:

- **Reduced texts are equal.** ``reduced`` drops what ``str.split()`` takes for white space, writes ``"`` as two apostrophes
  and a backquote as one. It maps every character by itself, so what is part of a text is, reduced, part of the reduced text;
  and it gives the same for a passage as for its tokens. An answer can therefore only stand in the joined tokens of some
  passages if the reduced answer stands in their reduced texts one after the other.
- **Some characters always stand alone**, and tokens hold no white space: ``can_stand_in_tokens``.
- **The number of tokens has bounds**: white space always parts tokens, as do certain characters; where neither these nor
  any other character that NLTK or Punkt ever look at stands, nothing parts them: ``fewest_tokens``, ``most_tokens``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_ALONE = r";@#$%&*?!()\[\]{}<>\u2012-\u2015"
_IMPOSSIBLE = re.compile(rf"""[^\S ]|[ ][ ]|"|[{_ALONE}](?=\S)|(?<=\S)[{_ALONE}]""")

# Patterns that begin with one set of characters are searched fast; what stands around a match is looked at afterwards.
_SURE_BEFORE = re.compile(rf"[{_ALONE}](?<=\S.)")
_SURE_AFTER = re.compile(rf"[{_ALONE}](?=[^\s{_ALONE}])")
_SURE_COMMA = re.compile(r",(?<=[A-Za-z0-9],)(?=\s)")

# Where a word may be cut: beside these, except within a number, an abbreviation or a contraction.
_PARTING = _ALONE + r".,:'\"`«»“”‘’„\-"
_ACTIVE = r"""
    (?: (?<![.,:\-])
      | (?<=\.)(?:(?<=\.\.)|(?![A-Za-z0-9]))       # a single dot before a letter ends no sentence
      | (?<=[:,])(?:(?<=[:,][:,])|(?![0-9]))
      | (?<=-)(?:(?<=--)|(?=-))
    )"""
_POSSIBLE_BEFORE = re.compile(rf"[{_PARTING}](?<=\S.){_ACTIVE}", re.VERBOSE)
# A contraction is cut off before its apostrophe, or one letter earlier, but not behind it.
_POSSIBLE_AFTER = re.compile(rf"[{_PARTING}](?=\S)(?!(?<=[A-Za-z]')[A-Za-z]){_ACTIVE}", re.VERBOSE)
# Each of these is cut in two, and off from what stands before and after it.
_CONTRACTION = re.compile("cannot|d'ye|gimme|gonna|gotta|lemme|more'n|wanna|'tis|'twas", re.IGNORECASE)
# Looked for in lower case, and therefore without i and s, of which there are more than two cases.
_HINTS = ("cannot", "d'y", "mme", "gonna", "gotta", "e'n", "wanna", "'t")


class Outline(NamedTuple):
    """A passage's reduced text and its number of words, each of which is at least one token."""

    reduced: str
    words: int


@lru_cache(maxsize=100_000)
def outline(text: str) -> Outline:
    words = text.split()
    return Outline(_with_like_quotes("".join(words)), len(words))


def reduced(text: str) -> str:
    """The text without white space, with quotes as apostrophes: equal for a text and for its joined tokens.

    >>> reduced('He said "yes".') == reduced("He said `` yes '' .") == "Hesaid''yes''."
    True
    """
    return _with_like_quotes("".join(text.split()))


def _with_like_quotes(text: str) -> str:
    return text.replace('"', "''").replace("`", "'")


def can_stand_in_tokens(answer: str) -> bool:
    """False if no joined tokens whatever hold the answer.

    >>> [can_stand_in_tokens(answer) for answer in ("36 %", "36%", "a\u00a0b", "New  York", " York")]
    [True, False, False, False, True]
    """
    return _IMPOSSIBLE.search(answer) is None


@lru_cache(maxsize=100_000)
def fewest_tokens(text: str) -> int:
    cuts = sum(len(pattern.findall(text)) for pattern in (_SURE_BEFORE, _SURE_AFTER, _SURE_COMMA))
    return outline(text).words + cuts


@lru_cache(maxsize=100_000)
def most_tokens(text: str) -> int:
    cuts = len(_POSSIBLE_BEFORE.findall(text)) + len(_POSSIBLE_AFTER.findall(text)) + text.count('"')
    lower = text.lower()
    if any(hint in lower for hint in _HINTS):
        cuts += 3 * len(_CONTRACTION.findall(text))
    return outline(text).words + cuts
