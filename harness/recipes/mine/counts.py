"""What mining counts, by language: questions, rows, labels, what rules removed, and labels held against hidden judgements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.recipes.mine.labellers import Labels
from harness.recipes.mine.questions import Question


@dataclass
class Tally:
    """Of the questions of one language. ``gold``: what is counted of questions with judged passages."""

    numbers: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    gold: Counter[str] = field(default_factory=Counter)

    def add(self, question: Question, labels: Labels, negatives: tuple[str, ...], removed: Mapping[str, int]) -> None:
        self.numbers["questions"] += 1
        self.numbers["matched"] += len(labels.matched)
        if labels.skipped:
            self.skipped[labels.skipped] += 1
        else:
            self.numbers["rows"] += 1
            self.numbers["fallback"] += labels.is_fallback
            self.numbers["without negatives"] += not negatives
            self.numbers["positives"] += len(labels.positives)
            self.numbers["negatives"] += len(negatives)
            self.removed.update(removed)
        if question.gold:
            self._hold_against(question.gold, question, labels, negatives)

    def _hold_against(
        self, gold: frozenset[str], question: Question, labels: Labels, negatives: tuple[str, ...]
    ) -> None:
        found = gold.intersection(one.doc.doc_id for one in question.candidates)
        kind = "fallback" if labels.is_fallback else "labelled"
        self.gold.update(
            {
                "questions": 1,
                "questions with gold among the first": bool(found),
                "gold": len(gold),
                "gold among the first": len(found),
                kind: len(labels.positives),
                f"{kind} right": len(gold.intersection(labels.positives)),
                "negatives": len(negatives),
                "negatives that are gold": len(gold.intersection(negatives)),
            }
        )

    def as_dict(self, holds_labels: bool) -> dict[str, Any]:
        """``holds_labels``: whether labels are held against the judgements, which those that are made of them are not."""
        rows = self.numbers["rows"]
        found: dict[str, Any] = {
            name: self.numbers[name] for name in ("questions", "rows", "fallback", "without negatives", "matched")
        }
        found |= {
            "skipped": dict(sorted(self.skipped.items())),
            "mean positives": _share(self.numbers["positives"], rows),
            "mean negatives": _share(self.numbers["negatives"], rows),
            "removed": dict(sorted(self.removed.items())),
        }
        if self.gold["questions"] and holds_labels:
            found["against gold"] = self._against_gold()
        return found

    def _against_gold(self) -> dict[str, Any]:
        """Precision and recall of labels over passages; a fallback passage is a label, and its own precision stands beside."""
        gold = self.gold
        labelled, right = gold["labelled"] + gold["fallback"], gold["labelled right"] + gold["fallback right"]
        return {
            **{name: gold[name] for name in ("questions", "questions with gold among the first")},
            **{name: gold[name] for name in ("gold", "gold among the first", "negatives that are gold")},
            "labelled": labelled,
            "labelled right": right,
            "precision": _share(right, labelled),
            "recall": _share(right, gold["gold among the first"]),
            "recall of all gold": _share(right, gold["gold"]),
            "precision without fallback": _share(gold["labelled right"], gold["labelled"]),
            "precision of fallback": _share(gold["fallback right"], gold["fallback"]),
        }


def _share(part: int, whole: int) -> float | None:
    """None where there is nothing to take a share of."""
    return round(part / whole, 6) if whole else None
