"""Words of languages that are written without blanks between them, by the libraries of the extra ``segment``.

Japanese is cut by fugashi with unidic-lite, Korean by kiwipiepy, Thai by pythainlp, Chinese by jieba. Each library is imported
when its language is first cut, and its dictionary is then kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

Cut = Callable[[str], list[str]]
LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "ja": ("fugashi", "unidic-lite"),
    "ko": ("kiwipiepy",),
    "th": ("pythainlp",),
    "zh": ("jieba",),
}
"""By language the distributions that its terms depend on."""


def spoken(tag: str) -> str:
    """The language of a tag, without script and region: words of zh-Hant are found as those of zh."""
    return tag.partition("-")[0]


def has_own_words(lang: str) -> bool:
    """Whether the language's words are found by a segmenter, as blanks do not part them."""
    return spoken(lang) in _WORDS


@functools.cache
def words_of(lang: str) -> Cut:
    """Cuts a text into its words; put together they are the text, but for blanks.

    Raises ``KeyError`` for a language of which ``has_own_words`` is false, ``ImportError`` where its library is not installed.
    """
    return _WORDS[spoken(lang)]()


@functools.cache
def terms_of(lang: str) -> Cut:
    """Cuts a text into terms to search by, some of which may overlap or be left out.

    Raises ``KeyError`` for a language that is not in ``LIBRARIES``, ``ImportError`` where its library is not installed.
    """
    return _TERMS[spoken(lang)]()


def _japanese() -> Cut:
    import fugashi

    tagger = fugashi.Tagger()
    return lambda text: [word.surface for word in tagger(text)]


def _korean() -> Cut:
    import kiwipiepy

    kiwi = kiwipiepy.Kiwi(num_workers=1)
    # Particles and endings (tags J*, E*) are to Korean what stop words are to English.
    return lambda text: [token.form for token in kiwi.tokenize(text) if token.tag[0] not in "JE"]


def _thai() -> Cut:
    from pythainlp.tokenize import word_tokenize

    return lambda text: list(word_tokenize(text, engine="newmm"))


def _jieba() -> Any:
    import logging

    import jieba

    jieba.setLogLevel(logging.ERROR)
    return jieba


def _chinese() -> Cut:
    library = _jieba()
    return lambda text: list(library.cut(text))


def _chinese_for_search() -> Cut:
    library = _jieba()
    return lambda text: list(library.cut_for_search(text))


_WORDS: Mapping[str, Callable[[], Cut]] = {"ja": _japanese, "th": _thai, "zh": _chinese}
_TERMS: Mapping[str, Callable[[], Cut]] = {
    "ja": _japanese,
    "ko": _korean,
    "th": _thai,
    "zh": _chinese_for_search,
}
