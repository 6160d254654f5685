"""What is asked of mining: labeller, depth, and which passages are taken as negatives."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.errors import WrongUsage, unknown_name

LABELLERS = {
    "gold": "the judged passages, whether or not the run found them; for hard negatives",
    "qrels": "the judged passages among the first of the run: what a faultless labeller would do",
    "answer-string": "passages that hold an answer, as AnswerRecall@k counts it",
    "reader": "passages of which a reader's answer is an answer of the question",
    "answer-string+reader": "CORA's rule: a reader's answer decides, and a passage that only holds an answer is neither",
    "random": "one of the first passages, drawn: a control",
}
READERS = frozenset({"reader", "answer-string+reader"})
OF_ANSWERS = READERS | {"answer-string"}
OF_GOLD = frozenset({"gold", "qrels"})

EXCLUSIONS = ("qrels", "answers")
SAMPLINGS = ("top", "random")

TOP, NEGATIVES = 50, 50
"""CORA's (mia-workshop/MIA-Shared-Task-2022, baseline/mDPR): the first 50 of the run, at most 50 hard negatives."""


@dataclass(frozen=True)
class MineSettings:
    """``top``: passages of each ranking that are looked at; ``skip``: of those that may be negatives, the first ones left out.

    ``exclude``: "qrels" and "answers", passages that are judged relevant, or hold an answer, are no negatives. A negative
    scores at least ``absolute_margin`` below the positive that scores least, and below it by ``relative_margin`` of its size,
    as in ``mine_hard_negatives`` of sentence-transformers. ``sampling``: "top", the first negatives, or "random", drawn ones.
    ``scores``: the run's, written as those of a teacher.
    """

    labeller: str
    top: int = TOP
    negatives: int = NEGATIVES
    skip: int = 0
    sampling: str = "top"
    exclude: tuple[str, ...] = ()
    absolute_margin: float | None = None
    relative_margin: float | None = None
    scores: bool = False
    seed: int = 42

    def __post_init__(self) -> None:
        """Raises ``WrongUsage``."""
        if self.labeller not in LABELLERS:
            raise unknown_name("labeller", self.labeller, LABELLERS)
        for name in self.exclude:
            if name not in EXCLUSIONS:
                raise unknown_name("exclusion", name, EXCLUSIONS)
        if self.sampling not in SAMPLINGS:
            raise unknown_name("sampling", self.sampling, SAMPLINGS)
        if self.top < 1 or self.negatives < 0 or self.skip < 0 or self.seed < 0:
            raise WrongUsage("top is at least 1; negatives, skip and seed are no negative numbers")
        for name, margin in (("absolute", self.absolute_margin), ("relative", self.relative_margin)):
            if margin is not None and not (math.isfinite(margin) and margin >= 0):
                raise WrongUsage(f"the {name} margin is {margin}; expected a number of at least 0")

    @property
    def reads(self) -> bool:
        return self.labeller in READERS

    @property
    def looks_for_answers(self) -> bool:
        return self.labeller in OF_ANSWERS or "answers" in self.exclude

    @property
    def knows_gold(self) -> bool:
        """Whether the labels are made from the judgements, so that they cannot be held against them."""
        return self.labeller in OF_GOLD
