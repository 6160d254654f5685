"""Terms of a text for lexical retrieval: words where blanks separate words, segmented words or bigrams elsewhere.

Japanese, Korean, Thai and Chinese are segmented by the libraries of the extra ``segment`` (fugashi with unidic-lite,
kiwipiepy, pythainlp, jieba); where one is not installed, by character bigrams. The manifest says which it was.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterable
from importlib import metadata

import regex

from harness import segmenters
from harness.segmenters import LIBRARIES, spoken

SEGMENTATION_VERSION = 1
"""Raised when the same text, with the same libraries, gives other terms than before."""

# Latin letters and digits apart from other scripts, whose endings cling to them: 1883లో, NASAが. Marks belong to words, since
# they carry the vowels of Indic scripts and Thai.
_WORD = regex.compile(r"[\p{Latin}\p{N}][\p{Latin}\p{N}\p{M}]*|[[\p{L}\p{M}]--\p{Latin}]+", regex.V1)
# Joiners and soft hyphens stand inside words and are not written alike by everybody.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\ufeff"))
_UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f]+")
BIGRAMS = "character bigrams"
UNSPACED = frozenset(LIBRARIES)
"""Languages that are written without blanks between words, or whose words are cut further."""
_STEMMERS = {"ar": "arabic", "de": "german", "en": "english", "es": "spanish", "fi": "finnish", "hi": "hindi",
             "id": "indonesian", "ru": "russian", "ta": "tamil", "tr": "turkish"}  # fmt: skip


class Segmenter:
    """Cuts texts into terms. ``stemmer_language`` is the passages' language: a query term can match only there."""

    def __init__(self, stemmer_language: str | None) -> None:
        stemmer_language = spoken(stemmer_language) if stemmer_language else None
        self._stem = _stemmer(_STEMMERS[stemmer_language]) if stemmer_language in _STEMMERS else None
        self._stemmer_language = stemmer_language if self._stem else None
        self._used: dict[str, str] = {}

    def terms(self, text: str, lang: str) -> list[str]:
        """Lower-cased terms of a text, compatibility forms unified (NFKC), stemmed in the passages' language."""
        text = _with_ascii_digits(unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).casefold())
        # NFKC takes Thai SARA AM apart, as no dictionary of Thai words does.
        text = text.replace("\u0e4d\u0e32", "\u0e33")
        terms: list[str] = []
        for word in _WORD.findall(text):
            for piece in _split_scripts(word):
                terms.extend(self._unspaced(piece, lang) if _UNSPACED.fullmatch(piece) else [piece])
        return self._stem(terms) if self._stem else terms

    def description(self) -> dict[str, str]:
        """Which library segmented which language, and which stemmer was used."""
        return {**dict(sorted(self._used.items())), "stemmer": self._stemmer_language or "none"}

    def _unspaced(self, text: str, lang: str) -> list[str]:
        lang = spoken(lang)
        segment = _library_segmenter(lang)
        if segment is None:
            self._used[lang or "other"] = BIGRAMS
            return bigrams(text)
        self._used[lang] = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES[lang])
        return [word for word in segment(text) if word.strip()]


def without_segmenter(langs: Iterable[str]) -> list[str]:
    """Which of the languages are written without blanks and cannot be segmented here, as the extra is not installed."""
    different = dict.fromkeys(spoken(lang) for lang in langs)
    return [lang for lang in different if lang in LIBRARIES and _library_segmenter(lang) is None]


def bigrams(text: str) -> list[str]:
    """Overlapping pairs of characters; a single character is its own term.

    >>> bigrams("東京都")
    ['東京', '京都']
    """
    return [text[i : i + 2] for i in range(len(text) - 1)] or [text]


def _with_ascii_digits(text: str) -> str:
    """Decimal digits of any script as 0 to 9: ১৮৮৩ and ١٨٨٣ are 1883."""
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)


def _split_scripts(word: str) -> list[str]:
    """Pieces of a run of letters, so that ``NASAが`` gives ``NASA`` and ``が``."""
    pieces, position = [], 0
    for match in _UNSPACED.finditer(word):
        pieces += [word[position : match.start()], match[0]]
        position = match.end()
    return [piece for piece in [*pieces, word[position:]] if piece]


@functools.cache
def _library_segmenter(lang: str) -> segmenters.Cut | None:
    try:
        return segmenters.terms_of(lang)
    except (KeyError, ImportError):
        return None


def _stemmer(name: str) -> Callable[[list[str]], list[str]]:
    import Stemmer

    stemmer = Stemmer.Stemmer(name)
    return lambda terms: list(stemmer.stemWords(terms))
