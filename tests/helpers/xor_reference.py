"""A second R@kt, for tests: the official procedure of XOR-Retrieve as plain loops, written from its description alone.

The tokenizer is ``nltk.word_tokenize`` itself, fed with a ``punkt_tab`` folder that is written from the same parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

Tokenize = Callable[[str], list[str]]


class Prediction(TypedDict):
    id: str
    lang: str
    ctxs: list[str]


def hit(answers: Sequence[str], ctxs: Sequence[str], budget: int, tokenize: Tokenize) -> bool | None:
    """Whether a span answer stands in the first ``budget`` tokens; None for a question that is not scored."""
    spans = []
    for answer in answers:
        if answer not in ("yes", "no"):
            spans.append(answer)
    if not spans:
        return None
    tokens: list[str] = []
    for text in ctxs:
        tokens.extend(tokenize(text))
        if len(tokens) >= budget:
            break
    beginning = " ".join(tokens[:budget])
    found = False
    for answer in spans:
        if answer in beginning:
            found = True
    return found


def evaluate(
    predictions: Sequence[Prediction], gold: dict[str, list[str]], budget: int, tokenize: Tokenize
) -> tuple[dict[str, float], float]:
    """Percent per language of the predictions, and the mean over these languages."""
    hits: dict[str, int] = {}
    counts: dict[str, int] = {}
    for prediction in predictions:
        if prediction["id"] not in gold:
            continue
        result = hit(gold[prediction["id"]], prediction["ctxs"], budget, tokenize)
        if result is None:
            continue
        counts[prediction["lang"]] = counts.get(prediction["lang"], 0) + 1
        hits[prediction["lang"]] = hits.get(prediction["lang"], 0) + (1 if result else 0)
    percent = {lang: 100 * hits[lang] / counts[lang] for lang in counts}
    return percent, sum(percent.values()) / len(percent)


@contextmanager
def nltk_word_tokenize(folder: Path) -> Iterator[Tokenize]:
    """``nltk.word_tokenize`` with its data in ``folder``, as ``nltk.download("punkt_tab")`` would have left it there."""
    import nltk
    from nltk.tokenize import _get_punkt_tokenizer
    from punkt.data import english

    home = folder / "tokenizers" / "punkt_tab" / "english"
    home.mkdir(parents=True, mode=0o700)
    lines = {
        "abbrev_types.txt": sorted(english.ABBREV_TYPES),
        "sent_starters.txt": sorted(english.SENT_STARTERS),
        "collocations.tab": sorted("\t".join(pair) for pair in english.COLLOCATIONS),
        "ortho_context.tab": [f"{word}\t{flags}" for word, flags in english.ORTHO_CONTEXT.items()],
    }
    for name, content in lines.items():
        (home / name).write_bytes("\n".join(content).encode())
    _get_punkt_tokenizer.cache_clear()
    nltk.data.path.insert(0, str(folder))
    try:
        yield nltk.word_tokenize
    finally:
        nltk.data.path.remove(str(folder))
        _get_punkt_tokenizer.cache_clear()
