"""``xdr study``: every encoder with every kind of texts at every weight; weights chosen by cross-fitting; declared tests.

Two folds of articles: all questions about passages of an article lie in one. What is used in a fold, how titles are handled
and which weight a kind has, is what is best in the other one on the macro average of the track's primary measure (the first
of equal ones), so that nothing is chosen on the questions that it is judged by.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.adapters.card import LoadedCard, load_card
from harness.adapters.contract import Context
from harness.collections.text_budget import tokens_of
from harness.compare.contrasts import Pair, Tested, Values, corrected, interaction, tested
from harness.compare.records import MACRO
from harness.errors import WrongUsage, unknown_name
from harness.submissions.study.ranks import TITLES, Asked, Ranker, Ranks, Title, asked_by
from harness.submissions.study.records import Result, StudyResult, StudyRow, Titles, Tried, Used
from harness.tracks import Track
from harness.tracks.study import Contrast, Kind, Study
from harness.tracks.units import Units, units_of

NONE = "none"
DENSE = "dense"
_MEASURES: Mapping[str, Callable[[NDArray[np.int64]], NDArray[np.float64]]] = {
    "RR@10": lambda ranks: np.where(ranks <= 10, 1 / ranks, 0.0),
    "Success@10": lambda ranks: (ranks <= 10).astype(np.float64),
    "Success@1": lambda ranks: (ranks <= 1).astype(np.float64),
}
"""Of questions with one relevant passage, from its rank alone."""
_EQUAL = 1e-12


@dataclass(frozen=True)
class _World:
    """``folds``: by part, which fold each question is in, 0 or 1."""

    track: Track
    study: Study
    asked: Asked
    units: Units
    folds: Mapping[str, NDArray[np.int64]]
    articles: tuple[int, int]

    def mean(self, ranks: Ranks, measure: str, fold: int | None = None) -> dict[str, float]:
        """By part and macro."""
        found = {}
        for part, own in ranks.items():
            values = _MEASURES[measure](own)
            found[part] = float(values.mean() if fold is None else values[self.folds[part] == fold].mean())
        found[MACRO] = math.fsum(found[name] for name in self.track.macro_parts) / len(self.track.macro_parts)
        return found

    def joined(self, by_fold: Sequence[Ranks]) -> Ranks:
        """Of each question the rank that its own fold's setting gives."""
        first, second = by_fold
        return {part: np.where(self.folds[part] == 0, first[part], second[part]) for part in first}

    def values(self, ranks: Ranks, measure: str) -> Values:
        return {
            (part, query.query_id): float(value)
            for part, own in ranks.items()
            for query, value in zip(self.asked.queries[part], _MEASURES[measure](own), strict=True)
        }


def article_of(doc_id: str) -> str:
    """What a passage is a part of: its id without the number at its end.

    >>> article_of("Super_Bowl_50-3")
    'Super_Bowl_50'
    """
    return doc_id.rpartition("-")[0] or doc_id


def folds_of(asked: Asked) -> tuple[dict[str, NDArray[np.int64]], tuple[int, int]]:
    """The fold of every question, and how many articles each fold has: every other one in the order of their names' digests."""
    articles = {article_of(asked.docs[place].doc_id) for own in asked.relevant.values() for place in own}
    order = sorted(articles, key=lambda name: hashlib.blake2b(name.encode(), digest_size=16).digest())
    fold = {name: number % 2 for number, name in enumerate(order)}
    of_doc = np.array([fold.get(article_of(doc.doc_id), 0) for doc in asked.docs])
    return {part: of_doc[own] for part, own in asked.relevant.items()}, (-(-len(order) // 2), len(order) // 2)


def run_study(track: Track, context: Context, only: Sequence[str] = ()) -> StudyResult:
    """``only``: some of the declared encoders; the tests of the others then count as not passed in their families.

    Raises ``WrongUsage`` where the track declares no study, or not one of these encoders, or ranks by a measure that a rank
    alone does not give, or where one of these encoders is no card of the adapter ``dense``.
    """
    study = track.study
    if study is None:
        raise WrongUsage(f"track {track.name} declares no study ([study] in its file)")
    if track.primary not in _MEASURES:
        raise WrongUsage(f"a study's primary measure is one of {', '.join(_MEASURES)}, not {track.primary}")
    if strangers := sorted(set(only) - set(study.encoders)):
        raise unknown_name("encoder", strangers[0], study.encoders)
    encoders = [name for name in study.encoders if not only or name in only]
    cards = _cards(track, encoders)
    asked = asked_by(track)
    folds, articles = folds_of(asked)
    world = _World(track, study, asked, units_of(track), folds, articles)
    rows: list[StudyRow] = []
    titles: list[Titles] = []
    results: list[Result] = []
    steps = len(encoders) * (len(study.kinds) + 1)
    with context.progress.task("study", total=steps, unit="rows") as advance:
        for card in cards:
            found = _Encoder(world, card, context)
            titles.append(found.titles())
            for kind in (None, *study.kinds):
                rows.append(found.row(kind))
                advance(1)
            results += [found.result(contrast) for contrast in study.contrasts]
    return StudyResult(
        schema_version=1,
        track={"name": track.name, "version": track.version},
        primary=track.primary,
        declared=study,
        alpha=track.families.alpha,
        articles=articles,
        questions=sum(len(own) for own in asked.queries.values()),
        titles=tuple(titles),
        rows=tuple(rows),
        results=tuple(decided(track, results, len(encoders))),
    )


def _cards(track: Track, encoders: Sequence[str]) -> list[LoadedCard]:
    """All that are to run, each held against what a study needs before the first one runs."""
    cards = [load_card(name) for name in encoders]
    if others := [f"{card.card.name} ({card.card.adapter})" for card in cards if card.card.adapter != DENSE]:
        raise WrongUsage(
            f"track {track.name}: a study's encoders are cards of the adapter {DENSE}, not {', '.join(others)}; "
            "leave them out of `encoders` in [study]"
        )
    return cards


class _Encoder:
    def __init__(self, world: _World, card: LoadedCard, context: Context) -> None:
        self._world, self._card = world, card
        self._ranker = Ranker(card, world.asked, world.study, context)
        self._tried = {
            title: tuple(world.mean(self._ranker.none(title), world.track.primary, fold)[MACRO] for fold in (0, 1))
            for title in TITLES
        }
        # A fold uses what is best in the other one.
        self._titles = tuple(_first_best([self._tried[title][1 - fold] for title in TITLES]) for fold in (0, 1))
        self._of: dict[str, Ranks] = {}
        self._equal: dict[str, Ranks] = {}

    def titles(self) -> Titles:
        chosen = (TITLES[self._titles[0]], TITLES[self._titles[1]])
        return Titles(encoder=self._card.card.name, chosen=chosen, tried=self._tried)

    def _title(self, fold: int) -> Title:
        return TITLES[self._titles[fold]]

    def _each(self, ranks: Callable[[Title], Ranks]) -> tuple[Ranks, Ranks]:
        """Of each question the rank under the title handling of its fold, and under that of the other fold.

        A weight for a fold is chosen by the second: the other fold's own handling was chosen on the fold that is judged.
        """
        one, two = self._title(0), self._title(1)
        first = ranks(one)
        second = first if one == two else ranks(two)
        return self._world.joined([first, second]), self._world.joined([second, first])

    def row(self, kind: Kind | None) -> StudyRow:
        world, study = self._world, self._world.study
        primary = world.track.primary
        if kind is None:
            self._of[NONE] = self._equal[NONE] = self._each(self._ranker.none)[0]
            return self._row(NONE, None, (), ())
        by_weight, curve = {}, []
        for weight in study.weights:
            own, crossed = self._each(lambda title, weight=weight: self._ranker.of(kind, title, weight))  # type: ignore[misc]
            folds = [world.mean(crossed, primary, fold)[MACRO] for fold in (0, 1)]
            by_weight[weight] = own
            curve.append(Tried(weight=weight, macro=world.mean(own, primary)[MACRO], folds=(folds[0], folds[1])))
        chosen = [study.weights[_first_best([point.folds[1 - fold] for point in curve])] for fold in (0, 1)]
        self._of[kind.name] = world.joined([by_weight[weight] for weight in chosen])
        self._equal[kind.name] = by_weight[study.equal_weight]
        return self._row(kind.name, self._used(kind), tuple(chosen), tuple(curve))

    def _row(self, name: str, used: Used | None, weights: tuple[float, ...], curve: tuple[Tried, ...]) -> StudyRow:
        world = self._world
        measures = [measure for measure in world.track.measures if measure in _MEASURES]
        return StudyRow(
            encoder=self._card.card.name,
            kind=name,
            title="; ".join(dict.fromkeys(self._title(fold) for fold in (0, 1))),
            used=used,
            weights=weights,
            curve=curve,
            values={measure: world.mean(self._of[name], measure) for measure in measures},
            at_equal_weight=world.mean(self._equal[name], world.track.primary),
        )

    def _used(self, kind: Kind) -> Used:
        world, count, passages, tokens = self._world, 0, set(), 0
        for part in [world.study.kind(name) for name in kind.of] or [kind]:
            lang = world.track.parts[0].lang if part.languages in ("own", "others") else ""
            texts = self._ranker.texts.of(part, lang)
            for doc in world.asked.docs:
                own = [doc.text] if texts is None else list(texts[doc.doc_id])
                count += len(own)
                tokens += sum(map(tokens_of, own))
                passages |= {doc.doc_id} if own else set()
        return Used(texts=count, passages=len(passages), tokens=tokens)

    def result(self, contrast: Contrast) -> Result:
        world, track = self._world, self._world.track
        group = [part.name for part in track.parts if part.lang in world.study.low_resource]

        def pair(ranks: Mapping[str, Ranks], measure: str) -> Pair:
            return Pair(*(world.values(ranks[name], measure) for name in (contrast.first, contrast.second)))

        def macro(ranks: Mapping[str, Ranks], measure: str) -> Tested:
            return tested(track, world.units, pair(ranks, measure))[0]

        own = pair(self._of, track.primary)
        none = world.values(self._of[NONE], track.primary)
        seen = any(self._card.card.may_have_seen_of(part.dataset_id) for part in track.parts)
        others = [measure for measure in track.measures if measure in _MEASURES and measure != track.primary]
        return Result(
            **contrast.model_dump(exclude={"title"}),
            encoder=self._card.card.name,
            may_have_seen=seen,
            tests=tuple(tested(track, world.units, own)),
            beside={measure: macro(self._of, measure) for measure in others},
            at_equal_weight=macro(self._equal, track.primary),
            interaction=interaction(track, world.units, own, none, group) if group else None,
        )


def _first_best(values: Sequence[float]) -> int:
    return next(place for place, value in enumerate(values) if value >= max(values) - _EQUAL)


def decided(track: Track, results: Sequence[Result], encoders: int) -> list[Result]:
    """Decisions in two families for each question: all macro averages, and all parts, of all its contrasts and encoders.

    What was declared and not run counts with p = 1, so that what is significant now stays so.
    """
    assert track.study is not None
    tests_by_place: dict[tuple[int, int], Tested] = {}
    for question in dict.fromkeys(result.question for result in results):
        for macro in (True, False):
            places = [
                (row, column)
                for row, result in enumerate(results)
                for column, test in enumerate(result.tests)
                if result.question == question and (test.column == MACRO) == macro
            ]
            tests = [results[row].tests[column] for row, column in places]
            missing = len(tests) // encoders * (len(track.study.encoders) - encoders)
            name = f"question {question}, {'macro' if macro else 'per language'}"
            tests_by_place |= dict(zip(places, corrected(track, name, tests, missing), strict=True))
    return [
        result.model_copy(update={"tests": tuple(tests_by_place[row, column] for column in range(len(result.tests)))})
        for row, result in enumerate(results)
    ]
