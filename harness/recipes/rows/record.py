"""One row of training data, and the one place that says what holds of every row.

The keys are those of Tevatron (texttron/tevatron, README.md and examples/distill/README.md): ``query_id``, ``query``,
``positive_passages`` and ``negative_passages`` of ``docid``, ``title``, ``text`` and, where a teacher has scored them,
``score``. ``answers`` is Tevatron's for question answering. ``lang``, ``source``, ``label`` and ``query_en`` are ours, which
its loader leaves alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

LABELS = ("gold", "mined", "fallback", "pseudo")
"""Where a row's positives are from: judgements of people, a labeller, the passage that a labeller falls back on, a model."""


class Passage(NamedTuple):
    """A passage of a row. ``title`` may be empty; ``score`` is a teacher's, and None where none has read it."""

    docid: str
    title: str
    text: str
    score: float | None = None

    def default_text(self) -> str:
        """As everywhere in xdr-bench; Tevatron puts a blank before the text of a passage without a title as well."""
        return f"{self.title} {self.text}" if self.title else self.text


@dataclass(frozen=True)
class Row:
    """A question with at least one positive, no passage twice, and none that is positive and negative.

    ``lang``: of the question; ``query_en``: it in English, by people; ``source``: what made the row; ``label``: one of
    ``LABELS``; ``answers``: as strings. All of these may be empty.
    """

    query_id: str
    query: str
    positives: tuple[Passage, ...]
    negatives: tuple[Passage, ...] = ()
    lang: str = ""
    source: str = ""
    label: str = ""
    query_en: str = ""
    answers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises ``ValueError`` with all that does not hold."""
        if faults := list(self._faults()):
            raise ValueError("; ".join(faults))

    @property
    def passages(self) -> tuple[Passage, ...]:
        """Positives, then negatives."""
        return self.positives + self.negatives

    def _faults(self) -> Iterator[str]:
        if not self.query.strip():
            yield "the question is blank"
        if not self.positives:
            yield "no positive passage"
        if self.label and self.label not in LABELS:
            yield f"the label {self.label!r:.80} is none of {', '.join(LABELS)}"
        positive = [passage.docid for passage in self.positives]
        negative = [passage.docid for passage in self.negatives]
        for name, ids in (("positive", positive), ("negative", negative)):
            if len(set(ids)) < len(ids):
                twice = next(docid for place, docid in enumerate(ids) if docid in ids[:place])
                yield f"passage {twice!r:.80} stands twice among the {name} ones"
        if both := sorted(set(positive) & set(negative)):
            yield f"passage {both[0]!r:.80} is both positive and negative"
        for passage in self.passages:
            if not passage.default_text().strip():
                yield f"passage {passage.docid!r:.80} is blank"
