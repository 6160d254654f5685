"""Which words of a language are stop words: the lists of Stopwords ISO (MIT), which come with the package ``stopwordsiso``.

They are long, unions of several older lists, and hold many words of a question that carry little but its grammar, and some that
carry more. A language that they lack has none.
"""

from __future__ import annotations

import functools

from harness.collections.perturbed.texts import folded
from harness.segmenters import spoken


@functools.cache
def stop_words(lang: str) -> frozenset[str]:
    """Folded (see ``texts.folded``); empty for a language without a list.

    >>> "the" in stop_words("en"), "ist" in stop_words("de"), stop_words("te")
    (True, True, frozenset())
    """
    import stopwordsiso

    return frozenset(map(folded, stopwordsiso.stopwords(spoken(lang))))
