"""Training rows that are evaluation questions, or nearly so, and the dropping of them."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from harness.collections.text_similarity import Similar, near_duplicates, similar_to
from harness.files.dataset_paths import clean_id
from harness.recipes.train.pairs import Pair


@dataclass
class Questions:
    """Evaluation questions, and of which collections they are; ``absent`` ones are not in the cache.

    ``others``: by collection the questions that rows may be, where a recipe says which collections it is compared with.
    """

    texts: list[str] = field(default_factory=list)
    collections: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    others: dict[str, list[str]] = field(default_factory=dict)

    @functools.cached_property
    def similar(self) -> Similar:
        """What finds texts that are nearly one of ``texts``: made once, since each source of a recipe asks for it."""
        return similar_to(list(dict.fromkeys(self.texts)))


def evaluation_questions(transductive: Collection[str] = (), compared_with: Collection[str] = ()) -> Questions:
    """Questions of every registered collection, other than training splits, whose files are on this machine.

    ``transductive``: ids, or what ids begin with, of the only collections whose questions count; ``compared_with``: of those
    for which rows are dropped, the rest being ``others``. Raises ``InvalidInput`` where one of these is unknown or not on
    this machine: what is declared is to be compared. Perturbed collections count as the clean ones that they are of.
    """
    from harness.collections import dataset_ids, load
    from harness.collections.storage.pinned import nothing_fetched
    from harness.errors import InvalidInput

    questions = Questions()
    known = [dataset_id for dataset_id in dataset_ids() if "train" not in dataset_id.split("/")]
    declared = [clean_id(name) for name in (*transductive, *compared_with)]
    if strangers := [name for name in declared if not any(is_of(one, [name]) for one in known)]:
        key, there = "transductive" if transductive else "compared_with", sorted({i.split("/")[0] for i in known})
        raise InvalidInput(f"{key}: no collection {', '.join(strangers)}; known: {', '.join(there)}")
    for dataset_id in known:
        is_declared = is_of(dataset_id, declared)
        if transductive and not is_declared:
            continue
        try:
            with nothing_fetched():
                found = load(dataset_id).queries
        except InvalidInput:
            if is_declared:
                raise
            # What is not here cannot be compared: it is named in the record.
            questions.absent.append(dataset_id)
            continue
        if declared and not is_declared:
            questions.others[dataset_id] = [query.text for query in found]
            continue
        questions.collections.append(dataset_id)
        questions.texts += [query.text for query in found]
    return questions


def is_of(dataset_id: str, collections: Collection[str]) -> bool:
    """Whether a dataset is one of the collections; a perturbed one is where the clean one is.

    >>> is_of("xquad-oracle/ar", ["xquad-oracle"]), is_of("xquad/ar", ["xquad-oracle"])
    (True, False)
    >>> is_of("perturbed(typo-swap,seed=1):xquad/ar", ["xquad"])
    True
    """
    dataset_id = clean_id(dataset_id)
    return any(dataset_id == name or dataset_id.startswith(f"{name}/") for name in collections)


def overlapping(texts: Iterable[str], questions: Questions) -> set[str]:
    """Texts that are an evaluation question, or are one but for a few letters (``harness.collections.text_similarity``).

    What language a row is said to be in does not matter: labels of training data are not always right.
    """
    different = list(dict.fromkeys(texts))
    return {different[i] for i, _, _ in questions.similar.pairs(different)}


def kept(pairs: Iterable[Pair], questions: Questions) -> tuple[list[Pair], list[Pair]]:
    """The pairs without an evaluation question on either compared side, and those dropped."""
    pairs = list(pairs)
    bad = overlapping((text for pair in pairs for text in pair.compared), questions)
    good: list[Pair] = []
    dropped: list[Pair] = []
    for pair in pairs:
        (good if bad.isdisjoint(pair.compared) else dropped).append(pair)
    return good, dropped


def asked_by_others(pairs: Iterable[Pair], questions: Questions) -> Mapping[str, int]:
    """How many of the pairs are questions of the collections that rows are not dropped for, by collection."""
    owners: dict[str, set[str]] = {}
    for dataset_id, texts in questions.others.items():
        for text in texts:
            owners.setdefault(text, set()).add(dataset_id)
    if not owners:
        return {}
    pairs, asked = list(pairs), list(owners)
    different = list(dict.fromkeys(text for pair in pairs for text in pair.compared))
    found: dict[str, set[str]] = {}
    for i, j, _ in near_duplicates(different, asked):
        found.setdefault(different[i], set()).update(owners[asked[j]])
    counts = Counter(one for pair in pairs for one in set().union(*(found.get(text, ()) for text in pair.compared)))
    return dict(sorted(counts.items()))
