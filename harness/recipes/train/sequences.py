"""Generators of questions: a model from text to text, trained to write a passage's question."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import InvalidInput
from harness.languages import language
from harness.recipes.train.batches import Buckets, GroupedBatches
from harness.recipes.train.kinds import Seq2SeqModel
from harness.recipes.train.loop import Operating, StageJob
from harness.recipes.train.pairs import Pair, Side
from harness.recipes.train.recipe import Recipe
from harness.recipes.train.stages import GenerateStage


class Reading(NamedTuple):
    """How a generator is given a passage; lengths in tokens."""

    prompt: str
    source_length: int
    target_length: int


class GeneratorNetwork:
    """A model with an encoder and a decoder, such as mT5, and its tokenizer."""

    def __init__(self, model: Seq2SeqModel, folder: Path, device: str) -> None:
        """Raises ``InvalidInput`` for a folder that holds no such model."""
        self._recipe = model
        self.trained, self._tokenizer = opened("AutoModelForSeq2SeqLM", folder, device)

    def job(self, recipe: Recipe, stage: GenerateStage, buckets: Buckets, seed: int, operating: Operating) -> StageJob:
        from transformers import DataCollatorForSeq2Seq

        collator = DataCollatorForSeq2Seq(self._tokenizer, model=self.trained)

        def collated(numbers: Sequence[int], epoch: int) -> Mapping[str, Any]:
            return collator([self.features(stage, buckets.pairs[number]) for number in numbers])  # type: ignore[no-any-return]

        return StageJob(
            stage=stage,
            seed=seed,
            precision=recipe.precision,
            model=self.trained,
            batches=GroupedBatches(buckets.groups(), buckets.weights, stage.batch_size, seed, operating.share),
            collated=collated,
            candidates=lambda *_: 0,
            trainer=plain_trainer(self.trained, "Seq2SeqTrainer", "Seq2SeqTrainingArguments"),
        )

    def features(self, stage: GenerateStage, pair: Pair) -> dict[str, list[int]]:
        reading = Reading(stage.prompt, self._recipe.source_length, self._recipe.target_length)
        return features(self._tokenizer, reading, pair.positive, pair.anchor)

    def save(self, folder: Path) -> None:
        save(self.trained, self._tokenizer, folder)


def features(tokenizer: Any, reading: Reading, passage: Side, question: Side) -> dict[str, list[int]]:
    """Token ids of the prompt for a passage and of the question, each cut at its length."""
    text = passage.text.removeprefix(f"{passage.title} ") if passage.title else passage.text
    prompt = reading.prompt.format(passage=text, title=passage.title, language=_name(question.lang))
    source = tokenizer(" ".join(prompt.split()), truncation=True, max_length=reading.source_length)
    target = tokenizer(text_target=question.text, truncation=True, max_length=reading.target_length)
    return {
        "input_ids": source["input_ids"],
        "attention_mask": source["attention_mask"],
        "labels": target["input_ids"],
    }


def _name(code: str) -> str:
    """In English; nothing where the row does not say which language it is."""
    return language(code).name if code else ""


def opened(auto: str, folder: Path, device: str, trained_anew: Collection[str] = ()) -> tuple[Any, Any]:
    """A model of transformers by one of its automatic classes, float32, and its tokenizer. Raises ``InvalidInput``.

    ``trained_anew``: layers that its files may lack, since a start need not have them.
    """
    import torch
    import transformers

    from harness.dense.model_files import check_model_files
    from harness.dense.whole_weights import loaded_whole

    check_model_files(folder)

    def load() -> Any:
        return getattr(transformers, auto).from_pretrained(
            folder, local_files_only=True, dtype=torch.float32, use_safetensors=True
        )

    try:
        model = loaded_whole(load, folder.name, lambda own: trained_anew)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except InvalidInput:
        raise
    except Exception as error:  # each library has errors of its own for a damaged file
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InvalidInput(f"the model in {folder.name} cannot be trained as {auto}: {said:.300}") from error
    return model.to(device), tokenizer


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    model.eval()
    model.save_pretrained(folder)
    # How it last cut and padded is the tokenizer's state, which would be saved.
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.save_pretrained(folder)


def plain_trainer(
    model: Any, trainer: str = "Trainer", arguments_class: str = "TrainingArguments"
) -> Callable[[Callable[[type], type], Mapping[str, Any]], Any]:
    """How transformers' own trainer trains a model that computes its loss itself."""

    def made(checkpointed: Callable[[type], type], arguments: Mapping[str, Any]) -> Any:
        import transformers

        kind = checkpointed(getattr(transformers, trainer))
        return kind(model=model, args=getattr(transformers, arguments_class)(**arguments))

    return made
