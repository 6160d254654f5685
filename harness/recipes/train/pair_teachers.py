"""Teachers that read a question with one passage at a time: a generator of questions, or a cross-encoder."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.progress import Progress
from harness.recipes.train.columns import check_pairs, readings
from harness.recipes.train.cross_scores import load_cross_encoder
from harness.recipes.train.likelihoods import load_generator
from harness.recipes.train.pairs import Pair, Side
from harness.recipes.train.stages import DistilStage, TeacherRecipe
from harness.recipes.train.teachers import kept_array

_BLOCK = 256
"""Questions with a passage in a file of the cache. Which share one hangs on the texts alone."""


class PairTeacher(Protocol):
    """``digest``: of all that its scores depend on; ``transductive``, ``seen``: collections, by its training record."""

    @property
    def digest(self) -> str: ...

    @property
    def transductive(self) -> tuple[str, ...]: ...

    @property
    def seen(self) -> tuple[str, ...]: ...

    def scores(self, asked: Sequence[tuple[Side, Side]]) -> NDArray[np.float32]:
        """Of each question with its passage, float32, shape (asked,)."""
        ...


class _Asked(NamedTuple):
    question: Side
    passage: Side


def load_pair_teacher(recipe: TeacherRecipe, folder: Path, device: str) -> PairTeacher | None:
    """The teacher that a stage names, its files relative to ``folder``; None for one of another kind.

    Raises ``InvalidInput`` where it is not there, or is no such model.
    """
    if recipe.generator is not None:
        return load_generator(recipe.generator, folder, device)
    return None if recipe.cross_encoder is None else load_cross_encoder(recipe.cross_encoder, folder, device)


def count_read(pairs: Sequence[Pair]) -> int:
    """Questions with a passage that are read for these pairs."""
    return sum(1 + len(pair.positives) + len(pair.negatives) for pair in pairs)


def scored(
    teacher: PairTeacher, stage: DistilStage, pairs: Sequence[Pair], seed: int, progress: Progress
) -> list[Pair]:
    """The pairs, whose passages bear the teacher's scores. Raises ``InvalidInput`` for pairs without what it reads."""
    check_pairs(stage, pairs)
    asked = list(_asked(stage, pairs, seed))
    scores = iter(pair_scores(teacher, asked, progress).tolist())

    def bearing(sides: Sequence[Side]) -> tuple[Side, ...]:
        return tuple(side._replace(score=next(scores)) for side in sides)

    return [
        dataclasses.replace(pair, positive=sides[0], positives=sides[1:], negatives=bearing(pair.negatives))
        for pair in pairs
        for sides in [bearing((pair.positive, *pair.positives))]
    ]


def _asked(stage: DistilStage, pairs: Sequence[Pair], seed: int) -> Iterator[_Asked]:
    """In the order of the pairs and of their passages, positives first."""
    for pair, text in zip(pairs, readings(stage, pairs, seed), strict=True):
        question = Side(text, pair.anchor.lang if stage.teacher.reads == "query" else "en")
        for passage in (pair.positive, *pair.positives, *pair.negatives):
            yield _Asked(question, passage)


def pair_scores(teacher: PairTeacher, asked: Sequence[tuple[Side, Side]], progress: Progress) -> NDArray[np.float32]:
    """The teacher's score of each question with its passage, shape (asked,).

    In a file of the cache for every so many, so that a killed training goes on, and the next recipe finds them.
    """
    named = ["\0".join((question.lang, question.text, passage.title, passage.text)) for question, passage in asked]
    order = sorted(range(len(asked)), key=lambda place: (len(named[place]), named[place]))
    found = np.empty(len(asked), np.float32)
    with progress.task("scores of the teacher", total=len(asked), unit="questions with a passage") as advance:
        for first in range(0, len(order), _BLOCK):
            places = order[first : first + _BLOCK]
            block = [asked[place] for place in places]
            content = "\0\0".join(("scores", *(named[place] for place in places)))
            found[places] = kept_array(
                teacher.digest,
                content,
                (len(block),),
                lambda block=block: teacher.scores(block),  # type: ignore[misc]
            )
            advance(len(block))
    return found
