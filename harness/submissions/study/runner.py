"""``xdr study``: every encoder with every kind of texts at every weight; weights chosen by cross-fitting; declared tests.

Two folds of articles: all questions about passages of an article lie in one. What is used in a fold, how titles are handled
and which weight a kind has, is what is best in the other one on the macro average of the track's primary measure (the first
of equal ones), so that nothing is chosen on the questions that it is judged by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from harness.adapters.card import LoadedCard, load_card
from harness.adapters.contract import Context
from harness.compare.contrasts import Tested, corrected
from harness.compare.records import MACRO
from harness.errors import WrongUsage, unknown_name
from harness.submissions.study.drops import drops_of_rows
from harness.submissions.study.encoder import EncoderStudy
from harness.submissions.study.ranks import asked_by
from harness.submissions.study.reading import ReadStudy, Source, Spans
from harness.submissions.study.records import Contrasted, StudyReading, StudyResult
from harness.submissions.study.world import MEASURES, World, folds_of
from harness.tracks import Track
from harness.tracks.study import Study
from harness.tracks.units import units_of

DENSE = "dense"
OneResult = TypeVar("OneResult", bound=Contrasted)


@dataclass(frozen=True)
class Made:
    """A study, and what the reader answered, by the name of the reading."""

    result: StudyResult
    spans: dict[str, Spans] = field(default_factory=dict)


def make_study(track: Track, context: Context, only: Sequence[str] = (), reader: Source | None = None) -> Made:
    """``only``: some of the declared encoders; the tests of the others then count as not passed in their families.

    Raises ``WrongUsage`` where the track declares no study, or not one of these encoders, or ranks by a measure that a rank
    alone does not give, where one of these encoders is no card of the adapter ``dense``, where drops are asked of some encoders
    alone, or a reader of a track that declares nothing of answers.
    """
    study = _declared(track, only, reader)
    encoders = [name for name in study.encoders if not only or name in only]
    cards = _cards(track, encoders)
    asked = asked_by(track)
    folds, articles = folds_of(asked)
    world = World(track, study, asked, units_of(track), folds, articles)
    readings = [ReadStudy(world, reader)] if reader is not None else []
    found: list[EncoderStudy] = []
    rows, expansions = [], []
    steps = len(encoders) * (len(study.kinds) + 1 + len(study.expansions))
    with context.progress.task("study", total=steps, unit="rows") as advance:
        for card in cards:
            found.append(EncoderStudy(world, card, context))
            for kind in (None, *study.kinds):
                rows.append(found[-1].row(kind))
                advance(1)
            for expansion in study.expansions:
                expansions.append(found[-1].row(expansion))
                advance(1)
    for own in readings:
        for encoder in found:
            own.add(encoder)
    results = [encoder.result(contrast) for encoder in found for contrast in study.contrasts]
    answers = [result for encoder in found for result in encoder.answer_results()]
    drops = drops_of_rows(world, found)
    read = [own.recorded() for own in readings]
    result = StudyResult(
        schema_version=2,
        track={"name": track.name, "version": track.version},
        primary=track.primary,
        declared=study,
        alpha=track.families.alpha,
        articles=articles,
        questions=sum(len(asked.queries[part.name]) for part in track.clean_parts),
        titles=tuple(encoder.titles() for encoder in found),
        rows=tuple(rows),
        results=tuple(decided(track, results)),
        answers=tuple(decided(track, answers)),
        readings=tuple(decided_reading(track, own) for own in read),
        expansions=tuple(expansions),
        drops=drops.drops,
        drop_differences=drops.differences,
        drop_families=drops.families,
    )
    return Made(result, {one.reading: own.spans for one, own in zip(read, readings, strict=True)})


def _declared(track: Track, only: Sequence[str], reader: Source | None) -> Study:
    study = track.study
    if study is None:
        raise WrongUsage(f"track {track.name} declares no study ([study] in its file)")
    if track.primary not in MEASURES:
        raise WrongUsage(f"a study's primary measure is one of {', '.join(MEASURES)}, not {track.primary}")
    if strangers := sorted(set(only) - set(study.encoders)):
        raise unknown_name("encoder", strangers[0], study.encoders)
    if reader is not None and not study.answers:
        raise WrongUsage(f"track {track.name} declares nothing of answers ([[study.answers]] in its file): no --reader")
    if len(track.parts) > len(track.clean_parts) and only and set(only) != set(study.encoders):
        raise WrongUsage(
            f"track {track.name} perturbs its questions: drops of all encoders are tested together, no --encoder"
        )
    return study


def _cards(track: Track, encoders: Sequence[str]) -> list[LoadedCard]:
    """All that are to run, each held against what a study needs before the first one runs."""
    cards = [load_card(name) for name in encoders]
    if others := [f"{card.card.name} ({card.card.adapter})" for card in cards if card.card.adapter != DENSE]:
        raise WrongUsage(
            f"track {track.name}: a study's encoders are cards of the adapter {DENSE}, not {', '.join(others)}; "
            "leave them out of `encoders` in [study]"
        )
    return cards


def decided(track: Track, results: Sequence[OneResult]) -> list[OneResult]:
    """Decisions in two families for each question: all macro averages, and all parts, of all its contrasts and encoders.

    What was declared and not run counts with p = 1, so that what is significant now stays so: every contrast of the question,
    of every declared encoder, whichever questions that encoder was asked so far.
    """
    study = track.study
    assert study is not None
    tests_by_place: dict[tuple[int, int], Tested] = {}
    for question in dict.fromkeys(result.question for result in results):
        contrasts = sum(contrast.question == question for contrast in study.contrasts)
        for macro in (True, False):
            places = [
                (row, column)
                for row, result in enumerate(results)
                for column, test in enumerate(result.tests)
                if result.question == question and (test.column == MACRO) == macro
            ]
            tests = [results[row].tests[column] for row, column in places]
            columns = 1 if macro else len(track.clean_parts)
            missing = contrasts * columns * len(study.encoders) - len(tests)
            name = f"question {question}, {'macro' if macro else 'per language'}"
            tests_by_place |= dict(zip(places, corrected(track, name, tests, missing), strict=True))
    return [
        result.model_copy(update={"tests": tuple(tests_by_place[row, column] for column in range(len(result.tests)))})
        for row, result in enumerate(results)
    ]


def decided_reading(track: Track, reading: StudyReading) -> StudyReading:
    return reading.model_copy(update={"results": tuple(decided(track, reading.results))})
