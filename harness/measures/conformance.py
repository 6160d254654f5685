"""Contract tests for measures. One line in a test file gives a new measure all of them:

TestTitleRecall = conformance_tests(lambda: parse("TitleRecall@5"))

They need pytest, and nothing else that is not here. What a measure means no such test can know: hold its values against a
second, naive computation, written independently.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator, Sequence

from harness.collections.in_memory import collection_of
from harness.measures import best_rankings, score_all
from harness.measures.base import Judged, Measure, Rankings
from harness.records import Doc, Query

_TEXTS = {
    "coffee": "Coffee is brewed from roasted seeds. It reached Venice in 1615.",
    "fuji": "Mount Fuji is 3,776 metres high and last erupted in 1707.",
    "hangul": "Hangul was made public in 1446 by King Sejong.",
    "nile": "The Nile flows north through Egypt for 6,650 kilometres, past Cairo.",
    "same-1": "Two passages with the same text, and no answer.",
    "same-2": "Two passages with the same text, and no answer.",
    "tea": "Tea is made from the leaves of Camellia sinensis. Green tea is not oxidised.",
    "volga": "The Volga is 3,530 kilometres long and flows into the Caspian Sea.",
    "ünïcödé": "Ids may hold any letters. Ääkköset, ёж, 東京, नमस्ते, 한글. Cairo is far.",
    "words": "",
}
_QUESTIONS = {
    "several": "Missä on Kairo?",
    "one": "Kuinka pitkä on Volga?",
    "late": "Mikä järvi?",
    "yes-no": "Onko tee vihreää?",
    "nothing-there": "Mikä on Norjan pääkaupunki?",
    "unjudged": "?!",
}
_QRELS = {
    "several": {"nile": 2, "ünïcödé": 1, "tea": 0, "same-1": -1},
    "one": {"volga": 1, "nile": 0},
    "late": {"volga": 2, "fuji": 1, "not-in-the-collection": 2},
    "yes-no": {"tea": 1},
    "nothing-there": {"coffee": 0},
}
_ANSWERS = {
    "several": ("Cairo", "Kairo"),
    "one": ("3,530 kilometres", "3,530"),
    "late": ("Caspian Sea",),
    "yes-no": ("yes",),
    "nothing-there": ("Oslo",),
}
_DRAWS = 30


def toy_judged(qrels: bool = True, answers: bool = True) -> Judged:
    """A small collection with what real ones have: grades from -1 to 2, questions without truth, answers of yes and no."""
    return Judged(
        collection_of(
            [Doc(name, name.title(), text) for name, text in _TEXTS.items()],
            [Query(name, text, "fi", name) for name, text in _QUESTIONS.items()],
            qrels=_QRELS if qrels else None,
            answers=_ANSWERS if answers else None,
        )
    )


def conformance_tests(make_measure: Callable[[], Measure], judged: Judged | None = None) -> type:
    """A class of pytest tests that hold a measure against the contract of ``harness.measures.base.Measure``.

    ``judged``: a small collection with what the measure needs, of ten passages or so; by default ``toy_judged()``.
    """
    world = judged or toy_judged()

    def values(rankings: Rankings) -> dict[str, float]:
        measure = make_measure()
        return score_all([measure], world, rankings)[measure.name]

    class ConformanceTests:
        def test_its_name_is_its_identity(self) -> None:
            measure = make_measure()
            again = type(measure).parse(measure.name)
            assert again is not None, f"{measure.name} is its name, but not one that it parses"
            assert again.name == measure.name
            assert again.version == measure.version, "two measures of one name have different versions"
            for name in ("", "?", f"{measure.name}?", f"no-{measure.name}"):
                assert type(measure).parse(name) is None, f"{name!r} is taken for one of its names"

        def test_it_says_what_it_is(self) -> None:
            measure = make_measure()
            assert measure.definition.strip(), "readers of a table have no definition of it"
            assert "\n" not in measure.definition
            assert measure.version.strip()
            assert measure.lowest <= 0 <= measure.highest, "a query without a ranking has the value 0"

        def test_it_says_what_it_can_score(self) -> None:
            measure = make_measure()
            assert measure.applies_to(world), "it does not apply to the collection of this test: give another one"
            scored = measure.scored_queries(world)
            assert scored, "it scores no query of the collection of this test: give another one"
            assert len(set(scored)) == len(scored)
            assert set(scored) <= set(world.query_ids)
            for qrels, answers in ((False, False), (True, False), (False, True)):
                bare = toy_judged(qrels, answers)
                if measure.applies_to(bare):
                    measure.scored_queries(bare)

        def test_a_query_without_a_ranking_counts_0(self) -> None:
            assert values({}) == dict.fromkeys(make_measure().scored_queries(world), 0.0)
            assert values(dict.fromkeys(world.query_ids, ())) == values({})

        def test_values_are_numbers_in_its_range(self) -> None:
            for rankings in _drawn(world):
                values(rankings)  # score_all looks at queries and range

        def test_the_same_rankings_have_the_same_values(self) -> None:
            for rankings in _drawn(world, 5):
                backwards = {query_id: list(rankings[query_id]) for query_id in reversed(rankings)}
                assert values(rankings) == values(backwards) == values({**rankings, "of another collection": ["nile"]})

        def test_each_query_has_its_own_value(self) -> None:
            for rankings in _drawn(world, 3):
                together = values(rankings)
                for query_id, value in together.items():
                    assert values({query_id: rankings[query_id]})[query_id] == value

        def test_nothing_below_its_cutoff_counts(self) -> None:
            cutoff = make_measure().cutoff
            for rankings in _drawn(world, 10 if cutoff is not None else 0):
                assert values(rankings) == values({q: ranking[:cutoff] for q, ranking in rankings.items()})

        def test_no_ranking_is_above_the_ceiling(self) -> None:
            measure = make_measure()
            (best,) = best_rankings([measure], [world])
            ceiling = values(best[measure.name])
            drawn = [values(rankings) for rankings in _drawn(world)]
            for query_id, value in ceiling.items():
                for found in drawn:
                    assert found[query_id] <= value + 1e-12, f"query {query_id}: its best ranking is not the best"
            chance = math.fsum(math.fsum(found.values()) for found in drawn) / len(drawn)
            assert measure.lowest * len(ceiling) <= chance <= math.fsum(ceiling.values()) + 1e-9

        def test_the_more_helpful_passage_first_is_never_worse(self) -> None:
            measure = make_measure()
            for rankings in _drawn(world, 10):
                before = values(rankings)
                for query_id in before:
                    for place, (upper, lower) in enumerate(_neighbours(rankings[query_id])):
                        if measure.helpfulness(world, query_id, lower) > measure.helpfulness(world, query_id, upper):
                            swapped = list(rankings[query_id])
                            swapped[place : place + 2] = lower, upper
                            after = values({query_id: swapped})[query_id]
                            assert after >= before[query_id] - 1e-12, (
                                f"query {query_id}: {lower} is said to be more helpful than {upper}, but before it "
                                f"the value falls from {before[query_id]} to {after}"
                            )

        def test_a_passage_without_help_is_worth_nothing(self) -> None:
            measure = make_measure()
            for query_id in measure.scored_queries(world):
                for doc_id in world.docs.ids:
                    if measure.helpfulness(world, query_id, doc_id) <= 0:
                        assert values({query_id: [doc_id]})[query_id] <= 0, f"{doc_id} helps {query_id}"

    return ConformanceTests


def _drawn(world: Judged, count: int = _DRAWS) -> Iterator[dict[str, Sequence[str]]]:
    """Random rankings of any length, the same in each process."""
    drawn = random.Random(20230723)
    ids = list(world.docs.ids)
    for _ in range(count):
        yield {q: drawn.sample(ids, drawn.randint(1, len(ids))) for q in world.query_ids}


def _neighbours(ranking: Sequence[str]) -> list[tuple[str, str]]:
    return list(itertools.pairwise(ranking))
