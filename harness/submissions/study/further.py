"""A declared study in other languages than it was declared for, to confirm what it found on languages that nobody looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.errors import WrongUsage, unknown_name
from harness.submissions.study.texts import COPIES
from harness.tracks import Part, Track
from harness.tracks.study import Expansion, Kind


class FurtherStudy(NamedTuple):
    """``left_out``: kinds and contrasts that have no texts in these languages, in words."""

    track: Track
    left_out: tuple[str, ...]


def further_study(track: Track, languages: Sequence[str]) -> FurtherStudy:
    """The track with parts and texts in the given languages alone; encoders, weights and contrasts stay.

    Raises ``WrongUsage`` where the track's study names no further languages, or not one of these.
    """
    study = track.study
    if study is None or study.further is None:
        raise WrongUsage(f"track {track.name} declares no further languages ([study.further] in its file)")
    further = study.further
    if not languages or len(set(languages)) < len(languages):
        raise WrongUsage(f"--languages names each language once, of {', '.join(further.languages)}")
    for lang in languages:
        if lang not in further.languages:
            raise unknown_name("further language", lang, further.languages)
    here = f" (here: {', '.join(languages)})"
    kinds: list[Kind] = []
    for kind in study.kinds:
        if kind.of or kind.texts == COPIES:
            kinds.append(kind)
        elif kind.texts in further.texts:
            kinds.append(kind.model_copy(update={"texts": further.texts[kind.texts], "title": kind.title + here}))
    known = {kind.name for kind in kinds}
    kinds = [kind for kind in kinds if known.issuperset(kind.of)]
    known = {"none", *(kind.name for kind in kinds)}
    contrasts = [own for own in study.contrasts if {own.first, own.second} <= known]
    if not contrasts:
        raise WrongUsage(f"none of the contrasts of track {track.name} has texts in {', '.join(languages)}")
    parts = tuple(Part(name=lang, dataset=further.dataset.replace("{lang}", lang), lang=lang) for lang in languages)
    asked = {contrast.question for contrast in contrasts}
    made = study.model_copy(
        update={
            "languages": tuple(languages),
            "low_resource": tuple(lang for lang in study.low_resource if lang in languages),
            "kinds": tuple(kinds),
            "contrasts": tuple(contrasts),
            "answers": tuple(own for own in study.answers if own.question in asked),
            "expansions": tuple(_expansion(own, here) for own in study.expansions if _has_texts(own, languages)),
        }
    )
    gone = [kind.title for kind in study.kinds if kind.name not in known]
    gone += [contrast.title for contrast in study.contrasts if contrast not in contrasts]
    gone += [own.title for own in study.expansions if not _has_texts(own, languages)]
    return FurtherStudy(track.model_copy(update={"parts": parts, "macro": (), "study": made}), tuple(gone))


def _has_texts(expansion: Expansion, languages: Sequence[str]) -> bool:
    """A question has versions in other languages where there is a second one."""
    return expansion.languages == "english" or len(languages) > 1


def _expansion(expansion: Expansion, here: str) -> Expansion:
    return expansion.model_copy(update={"title": expansion.title + here})
