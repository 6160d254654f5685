"""What a stage makes of its pairs: the texts of each column, what each is to the encoder, and what is to be imitated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any

from harness.dense.roles import Task
from harness.errors import InvalidInput
from harness.recipes.train.noise import noisy
from harness.recipes.train.pairs import Pair, Side
from harness.recipes.train.stages import AlignStage, ContrastiveStage, DistilStage, SelfTeachStage
from harness.recipes.train.teachers import TeacherVectors

EncoderStage = ContrastiveStage | AlignStage | DistilStage | SelfTeachStage


class Columns:
    """Rows of a batch as sentence-transformers' losses take them, other positives and negatives in every epoch.

    The n-th epoch takes the n-th positive of a row, in its order, and the n-th so many of its negatives, shuffled once, as
    Tevatron does (src/tevatron/retriever/dataset.py): all that depends on chance depends on seed, row and epoch.
    Raises ``InvalidInput`` for pairs that lack what the objective needs.
    """

    def __init__(self, stage: EncoderStage, pairs: Sequence[Pair], seed: int, teacher: TeacherVectors | None) -> None:
        self._stage, self._pairs, self._seed, self._teacher = stage, pairs, seed, teacher
        self.tasks: Mapping[str, Task] = _tasks(stage)
        check_pairs(stage, pairs)
        self._read_by_teacher = readings(stage, pairs, seed)

    def candidates(self, numbers: Sequence[int], rows: int) -> int:
        """Passages that each question is compared with in a batch of so many rows, ``numbers`` among them.

        None where vectors are imitated.
        """
        stage = self._stage
        if isinstance(stage, AlignStage):
            return 0
        if isinstance(stage, DistilStage) and isinstance(stage.candidates, int):
            return stage.candidates
        return rows * (1 + (stage.negatives if self._pairs[numbers[0]].negatives else 0))

    def texts(self) -> Mapping[Task, set[str]]:
        """All texts that a column of each task can have; disturbed ones are made in training."""
        found: dict[Task, set[str]] = {"query": set(), "document": set()}
        for pair in self._pairs:
            found["query"] |= {pair.anchor.text, *([pair.english] if isinstance(self._stage, AlignStage) else [])}
            if "document" in self.tasks.values():
                found["document"] |= {side.text for side in (pair.positive, *pair.positives, *pair.negatives)}
        return found

    def rows(self, numbers: Sequence[int], epoch: int) -> list[dict[str, Any]]:
        return [self._row(number, epoch) for number in numbers]

    def _row(self, number: int, epoch: int) -> dict[str, Any]:
        stage, pair = self._stage, self._pairs[number]
        if isinstance(stage, AlignStage):
            assert self._teacher is not None
            vector = self._teacher.of("query", self._read_by_teacher[number])
            return {"english": pair.english, "text": pair.anchor.text, "label": vector}
        if isinstance(stage, DistilStage) and isinstance(stage.candidates, int):
            return self._candidates(number, epoch, stage.candidates)
        positive, negatives = self._passages(number, epoch, stage.negatives)
        row: dict[str, Any] = {"anchor": pair.anchor.text}
        row["positive"] = positive.text
        row |= {f"negative_{place}": side.text for place, side in enumerate(negatives, 1)}
        if isinstance(stage, SelfTeachStage):
            choice = Random(f"{self._seed} {epoch} {number}")
            is_noisy = choice.random() < stage.noise_share
            row["noisy"] = noisy(pair.anchor.text, stage.noise, choice) if is_noisy else pair.anchor.text
        if isinstance(stage, DistilStage):
            row["label"] = self._teacher_vectors(number, [positive, *negatives])
        return row

    def _choice(self, number: int) -> Random:
        return Random(f"{self._seed} {number}")

    def _passages(self, number: int, epoch: int, count: int) -> tuple[Side, list[Side]]:
        pair, choice = self._pairs[number], self._choice(number)
        positives = (pair.positive, *pair.positives)
        positive = positives[(choice.randrange(1 << 30) + epoch) % len(positives)]
        # A source without such passages has batches of its own, in which the other rows' passages are all there is.
        count = count if pair.negatives else 0
        return positive, _window(choice.sample(pair.negatives, len(pair.negatives)), epoch, count)

    def _candidates(self, number: int, epoch: int, count: int) -> dict[str, Any]:
        """A positive and other passages of the row, with the scores that they bear or the teacher gives."""
        pair, choice = self._pairs[number], self._choice(number)
        positives = (pair.positive, *pair.positives)
        place = (choice.randrange(1 << 30) + epoch) % len(positives)
        others = [*positives[:place], *positives[place + 1 :], *pair.negatives]
        chosen = [positives[place], *_window(choice.sample(others, len(others)), epoch, count - 1)]
        row: dict[str, Any] = {"anchor": pair.anchor.text}
        row |= {f"passage_{place}": side.text for place, side in enumerate(chosen, 1)}
        if self._teacher is None:
            row["label"] = [float(side.score) for side in chosen if side.score is not None]
        else:
            vectors = self._teacher_vectors(number, chosen)
            row["label"] = (vectors[1:] @ vectors[0]).tolist()
        return row

    def _teacher_vectors(self, number: int, passages: Sequence[Side]) -> Any:
        """Float32, (1 + passages, dimensions): the teacher's vector of a row's question, then those of the passages."""
        import torch

        assert self._teacher is not None
        assert isinstance(self._stage, DistilStage)
        question = self._teacher.of("query", self._read_by_teacher[number])
        return torch.stack([question, *(self._teacher.of("document", side.text) for side in passages)])


def check_pairs(stage: EncoderStage, pairs: Sequence[Pair]) -> None:
    """Raises ``InvalidInput`` for pairs that lack what the objective needs."""
    faults = []
    for what, lacks in _needs(stage).items():
        if count := sum(map(lacks, pairs)):
            example = next(pair for pair in pairs if lacks(pair))
            faults.append(f"{count} of {len(pairs)} pairs {what}, such as one of {example.file}")
    if not isinstance(stage, AlignStage) and stage.negatives:
        faults += _without_negatives(stage, pairs)
    if faults:
        raise InvalidInput(f"stage {stage.name}: {'; '.join(faults)}")


def _tasks(stage: EncoderStage) -> dict[str, Task]:
    if isinstance(stage, AlignStage):
        return {"english": "query", "text": "query"}
    if isinstance(stage, DistilStage) and isinstance(stage.candidates, int):
        return {"anchor": "query", **{f"passage_{n}": "document" for n in range(1, stage.candidates + 1)}}
    noise: dict[str, Task] = {"noisy": "query"} if isinstance(stage, SelfTeachStage) else {}
    negatives: dict[str, Task] = {f"negative_{n}": "document" for n in range(1, stage.negatives + 1)}
    return {"anchor": "query", "positive": "document", **negatives, **noise}


def _needs(stage: EncoderStage) -> dict[str, Callable[[Pair], bool]]:
    """What is wrong with a pair that lacks something, and whether it does."""
    needs: dict[str, Callable[[Pair], bool]] = {}
    if isinstance(stage, AlignStage):
        needs["have no English translation"] = lambda pair: not pair.english
        return needs
    if isinstance(stage, DistilStage) and isinstance(stage.candidates, int):
        count = stage.candidates
        needs[f"have fewer than {count} passages"] = lambda pair: 1 + len(pair.positives) + len(pair.negatives) < count
        if stage.teacher.scores == "rows":
            needs["have passages without a score"] = lambda pair: any(
                side.score is None for side in (pair.positive, *pair.positives, *pair.negatives)
            )
    if isinstance(stage, DistilStage) and stage.teacher.scores is None and stage.teacher.reads != "query":
        needs["have no English question for the teacher to read"] = lambda pair: not pair.english
    return needs


def _without_negatives(stage: EncoderStage, pairs: Sequence[Pair]) -> Iterator[str]:
    """A batch has passages that do not answer for all of its rows or for none."""
    by_file: dict[str, list[bool]] = {}
    for pair in pairs:
        by_file.setdefault("" if stage.batches == "mixed" else pair.file, []).append(bool(pair.negatives))
    if not any(map(any, by_file.values())):
        yield "no pair has a passage that does not answer, which negatives > 0 needs"
    for file, found in by_file.items():
        if any(found) and not all(found):
            where = f"of {file} " if file else ""
            lacking = f"{found.count(False)} of {len(found)} pairs"
            yield f"{lacking} {where}have no passage that does not answer, the others have some"


def teacher_texts(stage: EncoderStage, pairs: Sequence[Pair]) -> dict[Task, list[str]]:
    """What the teacher of a stage reads, in the order of the data."""
    if isinstance(stage, AlignStage):
        return {"query": list(dict.fromkeys(_read(pair, stage.teacher.reads) for pair in pairs)), "document": []}
    if not isinstance(stage, DistilStage) or stage.teacher.card is None:
        return {"query": [], "document": []}
    passages = (side.text for pair in pairs for side in (pair.positive, *pair.positives, *pair.negatives))
    return {
        "query": list(dict.fromkeys(_read(pair, stage.teacher.reads) for pair in pairs)),
        "document": list(dict.fromkeys(passages)),
    }


def _read(pair: Pair, reads: str) -> str:
    return pair.anchor.text if reads == "query" else pair.english


def readings(stage: EncoderStage, pairs: Sequence[Pair], seed: int) -> Sequence[str]:
    """What the teacher reads for each row; "another": what belongs to another row, none to its own."""
    if not isinstance(stage, AlignStage | DistilStage):
        return ()
    own = [_read(pair, stage.teacher.reads) for pair in pairs]
    if stage.teacher.reads != "another":
        return own
    order = list(range(len(own)))
    Random(f"{seed} another").shuffle(order)
    read = [""] * len(own)
    for place, number in enumerate(order):
        read[number] = own[order[(place + 1) % len(order)]]
    return read


def _window(sides: Sequence[Side], epoch: int, count: int) -> list[Side]:
    """The ``epoch``-th so many of the sides, from the beginning again after the last."""
    return [sides[(epoch * count + place) % len(sides)] for place in range(count)] if count else []
