"""What each measure means, in a sentence, for the methods page."""

from __future__ import annotations

from harness.measures import parse
from harness.measures.answer_recall import AnswerRecall
from harness.measures.token_recall import TokenRecall


def definition(name: str) -> str:
    """One sentence; of measures that ir-measures computes it is ir-measures' own description."""
    measure = parse(name)
    if isinstance(measure, TokenRecall):
        return (
            f"Is an answer a substring of the first {measure.budget:,} tokens of the ranking's passages? Titles do not count; "
            "questions whose answers are all yes or no are not scored (XOR-Retrieve)."
        )
    if isinstance(measure, AnswerRecall):
        return f"Does one of the first {measure.cutoff} passages hold the tokens of an answer? (DPR's accuracy@k)"
    import ir_measures

    described = type(ir_measures.parse_measure(name))
    return " ".join((getattr(described, "SHORT_DESC", None) or described.__doc__ or "").split("\n\n")[0].split())
