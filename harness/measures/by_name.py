"""Measures by their names: those of this package, all of ir-measures, and those of other distributions.

A measure of another distribution is an entry point of the group ``xdr.measures``, a class that is a ``Measure``. The entry
point's name is the family of the names that it parses, which is what stands before their first ``@`` or ``(``.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

from harness.errors import InvalidInput, WrongUsage, XdrError, closest
from harness.files.limits import RANKING_DEPTH
from harness.files.writing import sha256_of_file
from harness.measures.answer_recall import AnswerRecall
from harness.measures.base import Measure
from harness.measures.from_grades import FromGrades
from harness.measures.from_qrels import FromQrels
from harness.measures.mlqa_answers import ARTICLES
from harness.measures.names import refusal
from harness.measures.read_answers import FAMILIES, ReadAnswers
from harness.measures.token_recall import TokenRecall
from harness.registry import Plugins

PLUGINS = Plugins("measure", "xdr.measures")
OWN: tuple[type[Measure], ...] = (TokenRecall, AnswerRecall, ReadAnswers, FromGrades, FromQrels)
"""In the order in which they are asked: ir-measures computes what the class before it does not."""
_FAMILY = re.compile(r"[^@(]*")


def family_of(name: str) -> str:
    """What a measure's name is without parameters.

    >>> family_of("Title(rel=2)@10"), family_of("RR")
    ('Title', 'RR')
    """
    match = _FAMILY.match(name)
    return match[0] if match else ""


@functools.cache
def parse(name: str) -> Measure:
    """A measure by its name. Raises ``WrongUsage`` for a name that neither we nor ir-measures nor an entry point know.

    Raises ``InvalidInput`` where several claim it, or where the class of an entry point cannot be used.
    """
    family = family_of(name)
    own = next((measure for kind in OWN if (measure := kind.parse(name)) is not None), None)
    kind = PLUGINS.find(family, own=own is not None)
    if own is not None:
        return own
    if kind is None:
        raise _unknown(name)
    try:
        return made_by(kind, name)
    except WrongUsage:
        raise
    except InvalidInput as error:
        raise PLUGINS.broken(family, error.message) from error


def claimed_by(name: str) -> str:
    """Whose measures have this name, in words; empty where there is none. No code of others is run for it."""
    if any(kind.parse(name) is not None for kind in OWN):
        return "this package"
    return PLUGINS.outside().get(family_of(name), "")


def made_by(kind: object, name: str) -> Measure:
    """The measure that a class from elsewhere makes of a name. Raises ``WrongUsage`` where it does not know that name.

    Raises ``InvalidInput`` where it is no class of measures, or makes another measure of the name.
    """
    if not (inspect.isclass(kind) and issubclass(kind, Measure)):
        raise InvalidInput(f"{kind!r:.80} is no class that is a harness.measures.Measure")
    if lacking := sorted(getattr(kind, "__abstractmethods__", ())):
        raise InvalidInput(f"the class {kind.__name__} lacks {', '.join(lacking)}")
    with blamed(kind, name):
        measure = kind.parse(name)
        if measure is None:
            forms = f"; its names look like {', '.join(kind.forms)}" if kind.forms else ""
            raise WrongUsage(f"the measure {name!r} is none that the class {kind.__name__} knows{forms}")
        own_name, texts = measure.name, (measure.version, measure.definition)
    if own_name != name:
        raise InvalidInput(f"the class {kind.__name__} makes the measure {own_name!r:.80} of the name {name!r}")
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise InvalidInput(f"the class {kind.__name__} gives {name!r} no version, or no definition")
    return measure


def identity(measure: Measure) -> str:
    """What a measure's values depend on: its version, and the file of its class where that is none of this package."""
    if _is_own(type(measure)):
        return measure.version
    return f"{measure.version}, file {sha256_of_file(Path(inspect.getfile(type(measure))))[:16]}"


@contextlib.contextmanager
def blamed(kind: type[Measure], names: str) -> Iterator[None]:
    """Around calls of a measure's code: where that is not of this package its errors are told as its own, not as ours."""
    try:
        yield
    except XdrError:
        raise
    except (Exception, SystemExit) as error:
        if _is_own(kind):
            raise
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise InvalidInput(
            f"the measure {names} failed: {type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno}, in "
            f"{last.name}); its class is {kind.__name__}, hint that or leave the measure out of the track"
        ) from error


def _is_own(kind: type[Measure]) -> bool:
    return kind.__module__.startswith("harness.")


def _unknown(name: str) -> WrongUsage:
    if reason := refusal(name):
        return WrongUsage(f"the measure {name!r} cannot be used: {reason}")
    if family_of(name) in FAMILIES:
        return WrongUsage(
            f"{name!r:.200} is no name of a reader's measure; expected EM@<k>(READER), READER being the name with its digest "
            f"that `xdr read` prints and k at most {RANKING_DEPTH:,}, or EM@<k>(READER,english), EM@<k>(READER,mlqa-xx), "
            f"EM@<k>(READER,english,mlqa-xx), in this order, xx being one of {', '.join(ARTICLES)}; F1 likewise"
        )
    import ir_measures

    others = sorted(PLUGINS.outside())
    installed = f"; {', '.join(others)} of other distributions" if others else ""
    similar = closest(family_of(name), [*ir_measures.measures.registry, "AnswerRecall", "EM", "F1", *others])
    meant = f" (did you mean {similar}?)" if similar else ""
    return WrongUsage(
        f"unknown measure {name!r}{meant}; known are R@<n>t (R@2kt, R@5kt, R@500t), AnswerRecall@<k>, EM@<k>(READER) and "
        "F1@<k>(READER) after `xdr read`, and the measures of "
        f"ir-measures that the installed packages can compute, such as RR@10, nDCG@10, Success@1, R@100{installed}"
    )
