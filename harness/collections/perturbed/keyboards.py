"""Which keys lie beside a key, on the usual keyboard of a language.

Rows of letters as they lie on keyboards of 101 to 105 keys, each row a part of a key further to the right. A language that is
not here has none.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

_NO_LETTER = " "
_ROWS: Mapping[str, tuple[str, str, str]] = {
    "ar": ("ضصثقفغعهخحجد", "شسيبلاتنمكط", "ئءؤر ىةوزظ"),
    "de": ("qwertzuiopü", "asdfghjklöä", "yxcvbnm"),
    "en": ("qwertyuiop", "asdfghjkl", "zxcvbnm"),
    "es": ("qwertyuiop", "asdfghjklñ", "zxcvbnm"),
    "fi": ("qwertyuiopå", "asdfghjklöä", "zxcvbnm"),
    "fr": ("azertyuiop", "qsdfghjklm", "wxcvbn"),
    "ru": ("йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю"),
    "tr": ("qwertyuıopğü", "asdfghjklşi", "zxcvbnmöç"),
}


def languages() -> list[str]:
    return sorted(_ROWS)


@functools.cache
def neighbours(lang: str) -> Mapping[str, tuple[str, ...]]:
    """By letter the letters on the keys around it, sorted; empty for a language without a layout.

    >>> neighbours("de")["s"], neighbours("ru")["а"], neighbours("te")
    (('a', 'd', 'e', 'w', 'x', 'y'), ('в', 'е', 'к', 'м', 'п', 'с'), {})
    """
    rows = _ROWS.get(lang.partition("-")[0], ())
    keys = {(row, place): letter for row, letters in enumerate(rows) for place, letter in enumerate(letters)}
    around = ((0, -1), (0, 1), (-1, 0), (-1, 1), (1, -1), (1, 0))
    return {
        letter: tuple(
            sorted({keys.get((row + down, place + right), _NO_LETTER) for down, right in around} - {_NO_LETTER})
        )
        for (row, place), letter in keys.items()
        if letter != _NO_LETTER
    }
