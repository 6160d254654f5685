"""A generator of questions as teacher: how likely it is to write a row's question for each of the row's passages.

The score is the mean log-probability of the question's tokens, its end included, given the passage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.compute.platform import library_versions
from harness.dense.model_places import model_folder
from harness.errors import InvalidInput
from harness.files.limits import RECORD_BYTES
from harness.files.model_digests import sha256_of_model
from harness.files.reading import parse_json, read_bytes
from harness.files.yaml_records import digest_of
from harness.recipes.train.kinds import Seq2SeqModel
from harness.recipes.train.pairs import Side
from harness.recipes.train.record import FILE_NAME, TrainingRecord
from harness.recipes.train.seen import seen_by
from harness.recipes.train.sequences import Reading, features, opened
from harness.recipes.train.stages import PROMPT, GenerateStage
from harness.recipes.train.transductive import transductive_of

VERSION = 1
"""Raised when the same model, question and passage get another score than before."""
_BATCH = 16
_LIBRARIES = ("numpy", "tokenizers", "torch", "transformers")
_IGNORED = -100


@dataclass(frozen=True)
class GeneratorTeacher:
    """``digest``: of the model's files and all that its scores depend on; ``transductive``, ``seen``: by its record."""

    model: Any
    tokenizer: Any
    reading: Reading
    digest: str
    transductive: tuple[str, ...]
    seen: tuple[str, ...]

    def scores(self, asked: Sequence[tuple[Side, Side]]) -> NDArray[np.float32]:
        import torch
        from transformers import DataCollatorForSeq2Seq

        collator = DataCollatorForSeq2Seq(self.tokenizer, label_pad_token_id=_IGNORED)
        means = []
        for first in range(0, len(asked), _BATCH):
            rows = [
                features(self.tokenizer, self.reading, passage, question)
                for question, passage in asked[first : first + _BATCH]
            ]
            batch = collator(rows).to(self.model.device)
            with torch.no_grad():
                logits = self.model(**batch).logits.float()
            is_token = batch["labels"] != _IGNORED
            targets = batch["labels"].masked_fill(~is_token, 0)
            own = torch.log_softmax(logits, -1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
            means.append((own * is_token).sum(-1) / is_token.sum(-1))
        return torch.cat(means).cpu().numpy().astype(np.float32)


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
        "files": sha256_of_model(path),
        "version": VERSION,
        "device": device,
        "libraries": library_versions(_LIBRARIES),
    }
    return GeneratorTeacher(model, tokenizer, reading, digest_of(said), transductive_of(path), seen_by(path))


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
