"""What the first passages of a study's rows answer: AnswerRecall, and the answers that a reader finds in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.adapters.card import LoadedCard
from harness.compare.contrasts import Pair, Values, tested
from harness.errors import InvalidInput
from harness.measures import Judged, Measure, parse
from harness.submissions.study.ranks import Ranks
from harness.submissions.study.records import AnswerResult
from harness.submissions.study.world import World
from harness.tracks.study import Contrast


class AnswerScores:
    """Values of measures of answers from the first passages of every question of the clean parts."""

    def __init__(self, world: World, measures: Sequence[Measure], judged: Mapping[str, Judged]) -> None:
        self._world, self._measures, self._judged = world, measures, judged

    def of(self, first: Ranks) -> dict[str, Values]:
        """By measure; questions that have no answer to look for have no value."""
        found: dict[str, dict[tuple[str, str], float]] = {measure.name: {} for measure in self._measures}
        for part, judged in self._judged.items():
            rankings = self._world.documents(first, part)
            for measure in self._measures:
                own = measure.score(judged, rankings)
                found[measure.name] |= {(part, query_id): value for query_id, value in own.items()}
        return dict(found)


def answer_recall(world: World, cutoff: int) -> AnswerScores:
    """Raises ``InvalidInput`` where a part has no answers to look for."""
    measure = parse(f"AnswerRecall@{cutoff}")
    judged = {part.name: Judged(part.collection) for part in world.track.clean_parts}
    if bare := [part for part, own in judged.items() if not (measure.applies_to(own) and measure.scored_queries(own))]:
        raise InvalidInput(
            f"track {world.track.name} declares [[study.answers]], and part {bare[0]} has no answers; leave it out, or take "
            "a collection that has some"
        )
    return AnswerScores(world, [measure], judged)


def answer_result(
    world: World, card: LoadedCard, contrast: Contrast, by_measure: Mapping[str, Mapping[str, Values]]
) -> AnswerResult:
    """The contrast tested in the first of the measures; of the others the macro averages. ``by_measure``: values by kind."""

    def pair(values: Mapping[str, Values]) -> Pair:
        return Pair(values[contrast.first], values[contrast.second])

    measure, *others = by_measure
    return AnswerResult(
        **contrast.model_dump(exclude={"title"}),
        encoder=card.card.name,
        may_have_seen=may_have_seen(world, card),
        measure=measure,
        tests=tuple(tested(world.track, world.units, pair(by_measure[measure]))),
        beside={name: tested(world.track, world.units, pair(by_measure[name]))[0] for name in others},
    )


def may_have_seen(world: World, card: LoadedCard) -> bool:
    return any(card.card.may_have_seen_of(part.dataset) for part in world.track.parts)
