"""Training rows that are evaluation questions, or nearly so, and the dropping of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.text_similarity import normalized, similar_pairs
from harness.train.data import Pair

NGRAM = 5
THRESHOLD = 0.8


@dataclass
class Questions:
    """Evaluation questions by language, and of which collections they are; ``absent`` ones are not in the cache."""

    by_language: dict[str, list[str]] = field(default_factory=dict)
    collections: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def evaluation_questions() -> Questions:
    """Questions of every registered collection, other than training splits, whose files are on this machine."""
    from harness.collections import dataset_ids, load, pinned
    from harness.errors import InvalidInput

    questions = Questions()
    missing = {f"xquad/{f.name.split('.')[1]}" for f in pinned.select(["xquad"]) if pinned.state(f) == "absent"}
    for dataset_id in dataset_ids():
        if "train" in dataset_id.split("/"):
            continue
        if dataset_id in missing:
            questions.absent.append(dataset_id)
            continue
        try:
            found = load(dataset_id).queries
        except InvalidInput:
            # Without a network a collection that was never fetched cannot be compared: it is named in the record.
            questions.absent.append(dataset_id)
            continue
        questions.collections.append(dataset_id)
        for query in found:
            questions.by_language.setdefault(query.lang, []).append(query.text)
    return questions


def overlapping(texts: Mapping[str, Iterable[str]], questions: Mapping[str, Sequence[str]]) -> set[str]:
    """Texts, given by language, that equal an evaluation question of any language after normalisation, or whose
    character-5-gram Jaccard similarity with one of their own language is above ``THRESHOLD``.

    Only one language's questions are compared by n-grams at a time: sentences of two languages do not share 80% of them.
    """
    everywhere = {normalized(question) for asked in questions.values() for question in asked}
    found: set[str] = set()
    for lang, of_language in texts.items():
        different = list(dict.fromkeys(of_language))
        found |= {text for text in different if normalized(text) in everywhere}
        asked = list(dict.fromkeys(questions.get(lang, ())))
        if asked and different:
            found |= {different[i] for i, _, _ in similar_pairs(different, asked, n=NGRAM, threshold=THRESHOLD)}
    return found


def kept(pairs: Iterable[Pair], questions: Questions) -> tuple[list[Pair], list[Pair]]:
    """The pairs without an evaluation question on either compared side, and those dropped."""
    pairs = list(pairs)
    texts: dict[str, list[str]] = {}
    for pair in pairs:
        for side in (pair.anchor, pair.positive):
            if side.compared:
                texts.setdefault(side.lang, []).append(side.text)
    bad = overlapping(texts, questions.by_language)
    good: list[Pair] = []
    dropped: list[Pair] = []
    for pair in pairs:
        hit = any(side.compared and side.text in bad for side in (pair.anchor, pair.positive))
        (dropped if hit else good).append(pair)
    return good, dropped
