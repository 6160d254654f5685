"""Training rows that are evaluation questions, or nearly so, and the dropping of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.collections.text_similarity import near_duplicates
from harness.recipes.train.data import Pair


@dataclass
class Questions:
    """Evaluation questions, and of which collections they are; ``absent`` ones are not in the cache."""

    texts: list[str] = field(default_factory=list)
    collections: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def evaluation_questions() -> Questions:
    """Questions of every registered collection, other than training splits, whose files are on this machine."""
    from harness.collections import dataset_ids, load
    from harness.collections.storage.pinned import nothing_fetched
    from harness.errors import InvalidInput

    questions = Questions()
    for dataset_id in dataset_ids():
        if "train" in dataset_id.split("/"):
            continue
        try:
            with nothing_fetched():
                found = load(dataset_id).queries
        except InvalidInput:
            # What is not here cannot be compared: it is named in the record.
            questions.absent.append(dataset_id)
            continue
        questions.collections.append(dataset_id)
        questions.texts += [query.text for query in found]
    return questions


def overlapping(texts: Iterable[str], questions: Iterable[str]) -> set[str]:
    """Texts that are an evaluation question, or are one but for a few letters (``harness.collections.text_similarity``).

    What language a row is said to be in does not matter: labels of training data are not always right.
    """
    different, asked = list(dict.fromkeys(texts)), list(dict.fromkeys(questions))
    return {different[i] for i, _, _ in near_duplicates(different, asked)}


def kept(pairs: Iterable[Pair], questions: Questions) -> tuple[list[Pair], list[Pair]]:
    """The pairs without an evaluation question on either compared side, and those dropped."""
    pairs = list(pairs)
    sides = [side for pair in pairs for side in (pair.anchor, pair.positive) if side.compared]
    bad = overlapping((side.text for side in sides), questions.texts)
    good: list[Pair] = []
    dropped: list[Pair] = []
    for pair in pairs:
        hit = any(side.compared and side.text in bad for side in (pair.anchor, pair.positive))
        (dropped if hit else good).append(pair)
    return good, dropped
