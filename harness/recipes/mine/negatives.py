"""Which of the passages that may be negatives are taken, and how many each rule removes.

Margins are those of ``mine_hard_negatives`` in sentence-transformers 6 (util/hard_negatives.py): of several positives the one
that scores least counts, and a relative margin is a share of the size of its score, so that negative scores work too.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator

from harness.measures.answer_recall import has_answer
from harness.recipes.mine.labellers import Labels
from harness.recipes.mine.questions import Question
from harness.recipes.mine.settings import MineSettings

Rule = Callable[[str], bool]


def chosen_negatives(
    question: Question, labels: Labels, settings: MineSettings
) -> tuple[tuple[str, ...], Counter[str]]:
    """Ids of the negatives, best first, and by rule how many passages it removed that none before it had."""
    rules = list(_rules(question, labels, settings))
    removed: Counter[str] = Counter({name: 0 for name, _ in rules})
    kept = []
    for doc_id in labels.negatives:
        reason = next((name for name, removes in rules if removes(doc_id)), "")
        if reason:
            removed[reason] += 1
        else:
            kept.append(doc_id)
    kept = kept[settings.skip :]
    if settings.sampling == "random" and len(kept) > settings.negatives:
        draw = random.Random(f"negatives {settings.seed} {question.part.name} {question.query_id}")
        kept = [kept[place] for place in sorted(draw.sample(range(len(kept)), settings.negatives))]
    return tuple(kept[: settings.negatives]), removed


def _rules(question: Question, labels: Labels, settings: MineSettings) -> Iterator[tuple[str, Rule]]:
    if "qrels" in settings.exclude:
        gold = question.gold or frozenset()
        yield "judged relevant", lambda doc_id: doc_id in gold
    if "answers" in settings.exclude:
        texts = {one.doc.doc_id: one.doc.text for one in question.candidates}
        yield "hold an answer", lambda doc_id: has_answer(question.answers, texts[doc_id])
    margins = (settings.absolute_margin, settings.relative_margin)
    if margins == (None, None):
        return
    scores = question.scores
    if any(doc_id not in scores for doc_id in labels.positives):
        # It scores less than all that the run found.
        yield "above a positive that was not found", lambda _: True
        return
    positive = min(scores[doc_id] for doc_id in labels.positives)
    absolute, relative = margins
    if absolute is not None:
        yield "within the absolute margin", lambda doc_id: scores[doc_id] + absolute > positive
    if relative is not None:
        threshold = positive - abs(positive) * relative
        yield "within the relative margin", lambda doc_id: scores[doc_id] > threshold
