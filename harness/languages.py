"""Languages by their tags: one form of the many that people write, names, and the direction of the script.

Tags are BCP 47's, in the canonical form of Unicode's CLDR, where a code for the dominant language of a group is that of the
group: ``zho_Hans``, ``zh-hans`` and ``cmn-Hans`` are ``zh-Hans``; ``FI`` and ``fin`` are ``fi``; ``arb_Arab`` is ``ar``. The
packages langcodes and language_data hold CLDR's and IANA's tables.
"""

from __future__ import annotations

import functools
from typing import Annotated, NamedTuple

from pydantic import AfterValidator

# CLDR says Bangla; the data sets, papers and recipes of the field say Bengali.
_NAMES_IN_THE_FIELD = {"bn": "Bengali"}
_RIGHT_TO_LEFT = frozenset({"Adlm", "Arab", "Aran", "Hebr", "Mand", "Mend", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa"})


class Language(NamedTuple):
    """``name``: in English; ``own_name``: in the language itself; both are the tag where none is known."""

    code: str
    name: str
    own_name: str
    direction: str = "ltr"


@functools.cache
def canonical_language(tag: str) -> str:
    """The one form of a language's tag, ISO 639-3 codes and underscores included. Raises ``ValueError`` for what is no tag.

    >>> [canonical_language(tag) for tag in ("FI", "fin", "zho_Hans", "pt_br", "arb_Arab")]
    ['fi', 'fi', 'zh-Hans', 'pt-BR', 'ar']
    """
    import langcodes

    text = tag.strip()
    try:
        found = langcodes.standardize_tag(text, macro=True) if text.isascii() else ""
    except ValueError:
        found = ""
    # langcodes takes digits, too, for a language that it does not know.
    if not found.partition("-")[0].isalpha():
        raise ValueError(
            f"{tag!r:.40} is no language tag; expected one such as 'fi', 'pt-BR' or 'zh-Hans' (BCP 47, ISO 639)"
        )
    return found


def same_language(tag: str) -> str:
    """The canonical form of a tag that another program wrote, or the tag itself where it is none."""
    try:
        return canonical_language(tag)
    except ValueError:
        return tag


@functools.cache
def language(code: str) -> Language:
    """A language by its tag in canonical form; one that has no name in CLDR goes by its tag."""
    import langcodes

    try:
        found = langcodes.Language.get(code)
    except ValueError:
        return Language(code, code, code)
    direction = "rtl" if found.maximize().script in _RIGHT_TO_LEFT else "ltr"
    name = found.display_name()
    if name.startswith("Unknown language"):
        return Language(code, code, code, direction)
    # With a region, CLDR's own names are half in English where a translation is missing.
    spoken = langcodes.Language.make(language=found.language, script=found.script)
    return Language(code, _NAMES_IN_THE_FIELD.get(code, name), spoken.language_name(spoken), direction)


LanguageTag = Annotated[str, AfterValidator(canonical_language)]
"""A language's tag in a file that people write: any form is taken, the canonical one is kept."""
