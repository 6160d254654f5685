"""Answers compared as SQuAD 1.1 compares them: normalised, equal or not, and by the tokens that they share.

Source: the official script ``evaluate-v1.1.py`` (Rajpurkar et al., EMNLP 2016), which XQuAD's authors use for all languages:
lower case; the 32 signs of ASCII's punctuation deleted; the words "a", "an", "the" replaced by a blank; white space collapsed.
It knows English articles alone, and no punctuation beyond ASCII; MLQA's script compares answers in other languages otherwise.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Iterable

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalized_answer(text: str) -> str:
    """
    >>> normalized_answer("The  U.S. Army's an example")
    'us armys example'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(prediction: str, answers: Iterable[str], normalized: Callable[[str], str] = normalized_answer) -> bool:
    """Whether the prediction is one of the answers, both normalised.

    As in the official script, "the" and "" are the same answer; whoever takes no answer for an empty one asks for that first.
    """
    found = normalized(prediction)
    return any(found == normalized(answer) for answer in answers)


def may_hold_match(answers: Iterable[str], passage: str) -> bool:
    """Whether any span of a passage could be one of the answers: every token of a normalised answer stands in the passage.

    Never wrong where it says no, so that nobody need read such a passage to know that no answer in it is right.

    >>> may_hold_match(["the U.S. Army"], "Armyworms, says the US."), may_hold_match(["the U.S. Army"], "An army.")
    (True, False)
    """
    text = _one_sigma(passage.lower().translate(_PUNCTUATION))
    return any(all(token in text for token in _one_sigma(normalized_answer(answer)).split()) for answer in answers)


def _one_sigma(text: str) -> str:
    """Which of two small letters a capital sigma becomes hangs on what stands around it, and so on where a span ends."""
    return text.replace("ς", "σ")


def token_f1(prediction: str, answers: Iterable[str], normalized: Callable[[str], str] = normalized_answer) -> float:
    """The best F1, in [0, 1], of the tokens of prediction and answer, both normalised, as multisets; 0 where none is shared."""
    return max((_f1(normalized(prediction), normalized(answer)) for answer in answers), default=0.0)


def _f1(prediction: str, answer: str) -> float:
    found, expected = prediction.split(), answer.split()
    shared = (Counter(found) & Counter(expected)).total()
    if not shared:
        return 0.0
    precision, recall = shared / len(found), shared / len(expected)
    return 2 * precision * recall / (precision + recall)
