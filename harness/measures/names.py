"""Names that ir-measures knows: which of them are computed here, by which of its providers, and why the others are not.

A provider is used where the tests hold its values against ir-measures on the raw files (docs/measures.md has the table).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

from harness.errors import WrongUsage

_CHECKED = ("pytrec_eval", "compat", "judged", "msmarco", "gdeval")
_UNFIT_PROVIDERS = {
    "pyndeval": "it needs judgements by subtopic, and collections here have one judgement of a passage for a question",
}
_OTHER = "it would be computed by {provider}, whose values were not held against anything here"
_UNFIT_MEASURES = {
    "Accuracy": (
        "it leaves out the questions for which nothing relevant was found, so that every system's mean is over other "
        "questions, and has no value where nothing but relevant passages was found"
    ),
}


def _recall_level(measure: Any) -> str | None:
    recall = measure.params.get("recall", 0)
    fits = 0 <= recall <= 1 and abs(recall * 100 - round(recall * 100)) < 1e-9
    return None if fits else "trec_eval knows recall levels from 0 to 1 in steps of 0.01, and would take another one"


def _persistence(measure: Any) -> str | None:
    return None if 0 <= measure["p"] <= 1 else "the persistence p is from 0 to 1"


def _gains(measure: Any) -> str | None:
    pairs = [number for pair in measure.params.get("gains", {}).items() for number in pair]
    whole = all(type(number) is int for number in pairs)
    return None if whole else "gains are whole numbers by grade, {1: 1, 2: 3}, since trec_eval takes no others"


def _beta(measure: Any) -> str | None:
    # trec_eval reads it back from the measure's name, where more digits and exponents are lost.
    beta = measure["beta"]
    fits = 0 < beta <= 100 and abs(beta * 10_000 - round(beta * 10_000)) < 1e-9
    return None if fits else "beta is above 0, at most 100, and has at most four decimals"


_VALUES: dict[str, Callable[[Any], str | None]] = {
    "IPrec": _recall_level,
    "Compat": _persistence,
    "nDCG": _gains,
    "SetF": _beta,
}


@functools.lru_cache(maxsize=1000)
def parsed(name: str) -> Any:
    """ir-measures' object for a name; None for a name that it does not know, or not with these parameters."""
    import ir_measures

    try:
        measure = ir_measures.parse_measure(name)
        measure.validate_params()
        if measure.params.get("cutoff", 1) < 1 or any(type(value) is bool for value in _whole_numbers(measure)):
            return None
    except (ValueError, NameError, SyntaxError, AssertionError, TypeError, AttributeError, KeyError, RecursionError):
        return None
    return measure


def _whole_numbers(measure: Any) -> list[Any]:
    """Values of parameters that are numbers; Python takes True for 1, and a name with True means something else."""
    return [value for key, value in measure.params.items() if measure.SUPPORTED_PARAMS[key].dtype in (int, float)]


def provider_of(measure: Any) -> Any:
    """The provider of ir-measures that computes a parsed measure here. Raises ``WrongUsage`` with the reason for none."""
    import ir_measures

    reason = _UNFIT_MEASURES.get(measure.NAME) or _VALUES.get(measure.NAME, lambda _: None)(measure)
    if reason:
        raise WrongUsage(reason)
    able = [provider for provider in ir_measures.DefaultPipeline.providers if provider.supports(measure)]
    for provider in able:
        if provider.NAME in _CHECKED and provider.is_available():
            if provider.NAME == "pytrec_eval" and measure.params.get("rel", 1) < 1:
                raise WrongUsage(
                    "rel, the lowest grade that is relevant, is 1 or more for trec_eval, which computes it"
                )
            return provider
    for provider in able:
        if provider.NAME in _CHECKED:
            raise WrongUsage(f"it is computed by {provider.NAME}: {provider.install_instructions()}")
        raise WrongUsage(_UNFIT_PROVIDERS.get(provider.NAME) or _OTHER.format(provider=provider.NAME))
    raise WrongUsage("nothing in ir-measures computes it with these parameters")


def refusal(name: str) -> str | None:
    """Why a name is no measure here: parameters that ir-measures names, or a measure that nothing computes rightly.

    None for a name that is no measure anywhere.
    """
    import ir_measures

    try:
        measure = ir_measures.parse_measure(name)
    except (ValueError, NameError, SyntaxError, TypeError, AttributeError, KeyError, RecursionError):
        return None
    if parsed(name) is None:
        known = "; ".join(f"{key}: {info.desc}" for key, info in measure.SUPPORTED_PARAMS.items())
        needed = ", ".join(key for key, info in measure.SUPPORTED_PARAMS.items() if info.required)
        return f"its parameters are invalid; {needed or 'none'} must be given, known are {known or 'none'}"
    try:
        provider_of(measure)
    except WrongUsage as error:
        return error.message
    return None


def description(name: str) -> str:
    """ir-measures' own description of one of its measures, in a sentence or two."""
    import ir_measures

    described = type(ir_measures.parse_measure(name))
    return " ".join((getattr(described, "SHORT_DESC", None) or described.__doc__ or "").split("\n\n")[0].split())


_ONE_PASSAGE = {"Success": "the first passage is relevant", "P": "the first passage is relevant"}
_PLAIN = {
    "Success": "a relevant passage among the first {cutoff}",
    "P": "how many of the first {cutoff} passages are relevant",
    "R": "how many of the relevant passages are among the first {cutoff}",
    "RR": "how high up the first relevant passage stands, if among the first {cutoff}",
    "nDCG": "how high up the relevant passages stand, among the first {cutoff}",
    "AP": "how high up the relevant passages stand, among the first {cutoff}",
    "Judged": "how many of the first {cutoff} passages were judged",
}


def plain_words(measure: str) -> str:
    """What a high value of a measure of ir-measures means, in a few words; empty for those with parameters and rarer ones.

    >>> plain_words("Success@10"), plain_words("Success@1"), plain_words("RBP(p=0.9)")
    ('a relevant passage among the first 10', 'the first passage is relevant', '')
    """
    match = _WITHOUT_PARAMETERS.fullmatch(measure)
    if match is None or match[1] not in _PLAIN:
        return ""
    if match[2] == "1" and match[1] in _ONE_PASSAGE:
        return _ONE_PASSAGE[match[1]]
    words = _PLAIN[match[1]].format(cutoff=match[2])
    return words if match[2] else words.partition(",")[0]


_TREC_EVAL = {"RR": "recip_rank", "P": "P", "R": "recall", "Success": "success", "AP": "map", "nDCG": "ndcg"}
_TREC_EVAL_CUT = {"P": "P", "R": "recall", "Success": "success", "nDCG": "ndcg_cut", "AP": "map_cut"}
_WITHOUT_PARAMETERS = re.compile(r"([A-Za-z]+)(?:@([0-9]+))?")


def trec_eval_option(measure: str) -> str:
    """trec_eval's options for a measure of ir-measures; empty where there are none. -c counts missing queries as 0.

    >>> trec_eval_option("RR@10"), trec_eval_option("nDCG@10"), trec_eval_option("RBP")
    ('-c -M 10 -m recip_rank', '-c -m ndcg_cut.10', '')
    """
    match = _WITHOUT_PARAMETERS.fullmatch(measure)
    if match is None:
        return ""
    name, cutoff = match[1], match[2]
    if name == "RR" and cutoff:
        return f"-c -M {cutoff} -m recip_rank"
    if cutoff:
        return f"-c -m {_TREC_EVAL_CUT[name]}.{cutoff}" if name in _TREC_EVAL_CUT else ""
    return f"-c -m {_TREC_EVAL[name]}" if name in _TREC_EVAL else ""
