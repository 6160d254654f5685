"""A generator of questions as teacher: how likely it is to write a row's question for each of the row's passages."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.compute.platform import library_versions
from harness.dense.model_places import model_folder
from harness.errors import InvalidInput
from harness.files.limits import RECORD_BYTES
from harness.files.reading import parse_json, read_bytes
from harness.files.writing import sha256_of_tree
from harness.files.yaml_records import digest_of
from harness.progress import Progress
from harness.recipes.train.columns import check_pairs, readings
from harness.recipes.train.kinds import Seq2SeqModel
from harness.recipes.train.pairs import Pair, Side
from harness.recipes.train.record import FILE_NAME, TrainingRecord
from harness.recipes.train.sequences import Reading, features, opened
from harness.recipes.train.stages import PROMPT, DistilStage, GenerateStage
from harness.recipes.train.teachers import kept_array
from harness.recipes.train.transductive import transductive_of

VERSION = 1
"""Raised when the same model, question and passage get another score than before."""
_BLOCK, _BATCH = 256, 16
"""Questions with a passage in a file of the cache, and in a batch. Which share one hangs on the texts alone."""
_LIBRARIES = ("numpy", "tokenizers", "torch", "transformers")
_IGNORED = -100


class GeneratorTeacher(NamedTuple):
    """``digest``: of the model's files and all that its scores depend on; ``transductive``: see ``transductive_of``."""

    model: Any
    tokenizer: Any
    reading: Reading
    digest: str
    transductive: tuple[str, ...]


class _Asked(NamedTuple):
    question: Side
    passage: Side


def load_generator(name: str, folder: Path, device: str) -> GeneratorTeacher:
    """A model from text to text, in a folder beside the recipe or pinned. It reads as its training record says.

    Raises ``InvalidInput``.
    """
    path = model_folder(name, None, folder)
    reading = _reading(path)
    model, tokenizer = opened("AutoModelForSeq2SeqLM", path, device)
    model.eval()
    said = {
        "reading": list(reading),
        "files": sha256_of_tree(path),
        "version": VERSION,
        "device": device,
        "libraries": library_versions(_LIBRARIES),
    }
    return GeneratorTeacher(model, tokenizer, reading, digest_of(said), transductive_of(path))


def _reading(path: Path) -> Reading:
    """The prompt and lengths that a generator was trained with; without a record of ours those of the paper."""
    lengths = Seq2SeqModel.model_fields
    usual = Reading(PROMPT, lengths["source_length"].default, lengths["target_length"].default)
    if not (path / FILE_NAME).is_file():
        return usual
    try:
        recipe = TrainingRecord.model_validate(parse_json(read_bytes(path / FILE_NAME, RECORD_BYTES))).recipe
    except ValueError as error:
        raise InvalidInput(
            f"{path.name}/{FILE_NAME} is no training record: {str(error).splitlines()[0]:.300}"
        ) from error
    prompts = [stage.prompt for stage in recipe.stages if isinstance(stage, GenerateStage)]
    if not isinstance(recipe.model, Seq2SeqModel) or not prompts:
        raise InvalidInput(f"the teacher {path.name} was not trained to write questions: its {FILE_NAME} says so")
    return Reading(prompts[-1], recipe.model.source_length, recipe.model.target_length)


def count_read(pairs: Sequence[Pair]) -> int:
    """Questions with a passage that are read for these pairs."""
    return sum(1 + len(pair.positives) + len(pair.negatives) for pair in pairs)


def scored(
    teacher: GeneratorTeacher, stage: DistilStage, pairs: Sequence[Pair], seed: int, progress: Progress
) -> list[Pair]:
    """The pairs, whose passages bear the teacher's scores. Raises ``InvalidInput`` for pairs without what it reads."""
    check_pairs(stage, pairs)
    asked = list(_asked(stage, pairs, seed))
    scores = iter(likelihoods(teacher, asked, progress).tolist())

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


def likelihoods(
    teacher: GeneratorTeacher, asked: Sequence[tuple[Side, Side]], progress: Progress
) -> NDArray[np.float32]:
    """Mean log-probability of the tokens of each question, its end included, given its passage, shape (asked,).

    In a file of the cache for every so many, so that a killed training goes on, and the next recipe finds them.
    """
    named = ["\0".join((question.lang, question.text, passage.title, passage.text)) for question, passage in asked]
    order = sorted(range(len(asked)), key=lambda place: (len(named[place]), named[place]))
    found = np.empty(len(asked), np.float32)
    with progress.task("scores of the teacher", total=len(asked), unit="questions with a passage") as advance:
        for first in range(0, len(order), _BLOCK):
            places = order[first : first + _BLOCK]
            block = [asked[place] for place in places]
            content = "\0\0".join(("likelihoods", *(named[place] for place in places)))
            found[places] = kept_array(
                teacher.digest,
                content,
                (len(block),),
                lambda block=block: _computed(teacher, block),  # type: ignore[misc]
            )
            advance(len(block))
    return found


def _computed(teacher: GeneratorTeacher, asked: Sequence[tuple[Side, Side]]) -> NDArray[np.float32]:
    import torch
    from transformers import DataCollatorForSeq2Seq

    collator = DataCollatorForSeq2Seq(teacher.tokenizer, label_pad_token_id=_IGNORED)
    means = []
    for first in range(0, len(asked), _BATCH):
        rows = [
            features(teacher.tokenizer, teacher.reading, passage, question)
            for question, passage in asked[first : first + _BATCH]
        ]
        batch = collator(rows).to(teacher.model.device)
        with torch.no_grad():
            logits = teacher.model(**batch).logits.float()
        is_token = batch["labels"] != _IGNORED
        targets = batch["labels"].masked_fill(~is_token, 0)
        own = torch.log_softmax(logits, -1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
        means.append((own * is_token).sum(-1) / is_token.sum(-1))
    return torch.cat(means).cpu().numpy().astype(np.float32)
