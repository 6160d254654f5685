"""What models that run in this process share: loading, batches by token budget, decoding, draws of their own for each text.

A block's prompts (passages x languages) are sorted by length and packed, as passages are for encoding, until the sequences
that are in memory at once, prompt and text, padding included, reach the recipe's token budget. So a batch depends on block
and recipe alone.
"""

from __future__ import annotations

import itertools
import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field, model_validator

from harness.compute.platform import library_versions
from harness.dense.encoder import resolved_device
from harness.dense.encoding import packed
from harness.dense.model_files import check_model_files, code_needed, missing_weights
from harness.dense.model_places import model_folder
from harness.dense.whole_weights import loaded_whole
from harness.errors import InvalidInput
from harness.files.model_digests import sha256_of_model
from harness.files.toml_records import Record
from harness.recipes.generate.outputs import Output, cleaned
from harness.recipes.generate.prompts import Prompt
from harness.recipes.generate.recipe import Operator, Recipe, Written
from harness.recipes.generate.sampling import KeyedDraw, key_of
from harness.records import Doc

if TYPE_CHECKING:
    import torch

_LIBRARIES = ("safetensors", "sentencepiece", "tokenizers", "torch", "transformers")


class ModelRecipe(Record):
    """``name``: a folder relative to the recipe, or a hub id with the full commit in ``revision``."""

    name: str = Field(min_length=1)
    revision: str | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"


class DecodingRecipe(Record):
    """``temperature``, ``top_k`` and ``top_p`` belong to "sample", ``beams`` to "beam"."""

    method: Literal["sample", "greedy", "beam"]
    max_output_tokens: int = Field(
        ge=1, le=4096, description="new tokens; transformers' max_length counts the start, too"
    )
    temperature: float = Field(default=1.0, gt=0, le=100)
    top_k: int = Field(default=50, ge=1, le=1024)
    top_p: float = Field(default=1.0, gt=0, le=1)
    beams: int = Field(default=4, ge=2, le=64)

    @model_validator(mode="after")
    def _keys_of_the_method(self) -> DecodingRecipe:
        own = {"sample": {"temperature", "top_k", "top_p"}, "beam": {"beams"}, "greedy": set()}[self.method]
        others = self.model_fields_set - own - {"method", "max_output_tokens"}
        if others:
            raise ValueError(f'{", ".join(sorted(others))} without effect where method = "{self.method}"; remove it')
        return self


class LocalRecipe(Recipe):
    """``max_prompt_tokens``: longer prompts are cut, and counted. ``token_budget``: tokens in a batch, padding included."""

    model: ModelRecipe
    decoding: DecodingRecipe
    max_prompt_tokens: int = Field(ge=8, le=1_000_000)
    token_budget: int = Field(default=65_536, ge=16)

    @model_validator(mode="after")
    def _as_many_texts_as_there_are(self) -> LocalRecipe:
        if self.decoding.method == "greedy" and self.per_language > 1:
            raise ValueError(f"greedy decoding gives one text for a prompt, per_language is {self.per_language}")
        if self.decoding.method == "beam" and self.per_language > self.decoding.beams:
            raise ValueError(f"{self.decoding.beams} beams give no {self.per_language} texts for a prompt")
        return self


class PromptIds(NamedTuple):
    ids: list[int]
    is_cut: bool


@dataclass(frozen=True)
class LocalSource:
    """A recipe's model in a folder, not yet loaded. Raises ``InvalidInput`` when its files are not what may be read."""

    recipe: LocalRecipe
    path: Path
    operator: Operator
    model_class: type[LocalModel]

    def provenance(self) -> Mapping[str, Any]:
        return {
            "model": {"digest": sha256_of_model(self.path)},
            "device": self.operator.device.partition(":")[0],
            "libraries": library_versions(_LIBRARIES),
        }

    @property
    def files(self) -> Mapping[str, Path]:
        return {"model": self.path}

    def opened(self, files: Mapping[str, Path]) -> LocalModel:
        return self.model_class(replace(self, path=files["model"]))


def local_source(recipe: LocalRecipe, folder: Path, operator: Operator, model_class: type[LocalModel]) -> LocalSource:
    path = model_folder(recipe.model.name, recipe.model.revision, folder)
    check_model_files(path, model_class.auto_class)
    if (needed := code_needed(path)) is not None:
        raise InvalidInput(f"the model in {path.name} needs code of its own ({needed}), which is not run")
    device = resolved_device(operator.device)
    own = Operator(device, operator.workers, operator.memory_bytes)
    return LocalSource(recipe, path, own, model_class)


class LocalModel(ABC):
    """A loaded model, called with a block of passages."""

    auto_class: str
    """The class of transformers that loads it."""

    def __init__(self, source: LocalSource) -> None:
        self.recipe = source.recipe
        self._path, self._operator = source.path, source.operator
        self._prompt, self._names = Prompt(source.recipe.prompt), source.recipe.names()
        # Tokenizers' own threads would only compete with the workers.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        self._load()

    @abstractmethod
    def prompt_ids(self, doc: Doc, language_name: str) -> PromptIds:
        """The token ids of a passage's prompt, special ones included, cut to the recipe's greatest length."""

    @abstractmethod
    def generate(self, prompts: Sequence[Sequence[int]], keys: Sequence[int]) -> list[list[int]]:
        """New token ids of one batch, ``per_language`` lists for each prompt, each with what follows its end."""

    def __call__(self, docs: Sequence[Doc]) -> Written:
        recipe, count = self.recipe, self.recipe.per_language
        rows = [(doc, lang) for doc in docs for lang in recipe.languages]
        prompts = [self.prompt_ids(doc, self._names[lang]) for doc, lang in rows]
        written: list[list[Output]] = [[] for _ in rows]
        for batch, sequences in self._batches(rows, [prompt.ids for prompt in prompts]):
            for place, row in enumerate(batch):
                own = sequences[place * count : (place + 1) * count]
                written[row] = [self._output(ids) for ids in own]
        counts = Counter({"prompts": len(prompts), "prompts cut": sum(prompt.is_cut for prompt in prompts)})
        texts = []
        for outputs in written:
            kept, seen = cleaned(outputs, recipe.outputs)
            texts.append(kept)
            counts.update(seen)
        width = len(recipe.languages)
        return Written(tuple(tuple(texts[i : i + width]) for i in range(0, len(texts), width)), counts)

    def token_counts(self, docs: Sequence[Doc]) -> list[int]:
        """Prompt tokens of every passage in every language, passage by passage: for estimates, nothing is generated."""
        return [len(self.prompt_ids(doc, name).ids) for doc in docs for name in self._names.values()]

    def _batches(
        self, rows: Sequence[tuple[Doc, str]], ids: Sequence[list[int]]
    ) -> list[tuple[list[int], list[list[int]]]]:
        import torch

        recipe = self.recipe
        at_once = max(recipe.per_language, recipe.decoding.beams if recipe.decoding.method == "beam" else 1)
        costs = [at_once * (len(own) + recipe.decoding.max_output_tokens) for own in ids]

        def generated(batch: list[int]) -> tuple[list[int], list[list[int]]]:
            keys = [
                key_of(recipe.seed, rows[row][0].doc_id, rows[row][1], number)
                for row, number in itertools.product(batch, range(recipe.per_language))
            ]
            with torch.inference_mode():
                return batch, self.generate([ids[row] for row in batch], keys)

        with ThreadPoolExecutor(self._batches_at_once(), initializer=lambda: torch.set_num_threads(1)) as pool:
            return list(pool.map(generated, packed(costs, recipe.token_budget)))

    def _batches_at_once(self) -> int:
        """Workers that fit the operator's memory, by the keys and values of all layers; on an accelerator one."""
        if self._operator.device != "cpu":
            return 1
        config = self.model.config.get_text_config()
        per_token = 2 * config.num_hidden_layers * config.hidden_size * self.model.dtype.itemsize
        fitting = self._operator.memory_bytes // int(self.recipe.token_budget * per_token)
        return max(1, min(self._operator.workers, fitting))

    def _output(self, ids: list[int]) -> Output:
        end = next((place for place, token in enumerate(ids) if token in self._ends), None)
        text = self.tokenizer.decode(ids[:end], skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Output(text, is_cut=end is None)

    def _load(self) -> None:
        import torch
        import transformers
        from transformers.utils import logging

        logging.disable_progress_bar()
        dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
        try:
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(self._path, local_files_only=True)
            self.model = loaded_whole(
                lambda: getattr(transformers, self.auto_class).from_pretrained(
                    self._path,
                    use_safetensors=True,
                    dtype=dtype[self.recipe.model.dtype],
                    local_files_only=True,
                ),
                self._path.name,
            )
        except InvalidInput:
            raise
        except Exception as error:  # each library has errors of its own for a damaged file
            raise InvalidInput(
                f"the model in {self._path.name} cannot be loaded as {self.auto_class}: {error}"
                f"{missing_weights(self._path, self.auto_class)}"
            ) from error
        self.model.to(self._operator.device).eval()
        self._configure()

    def _configure(self) -> None:
        """Decoding as the recipe says, whatever the model's generation_config.json does; it keeps the special tokens."""
        from transformers import GenerationConfig

        recipe, decoding = self.recipe, self.recipe.decoding
        tokens = {
            name: value
            for name, value in self.model.generation_config.to_dict().items()
            if name.endswith("_token_id") and value is not None
        }
        end = tokens.setdefault("eos_token_id", self.tokenizer.eos_token_id)
        if end is None:
            raise InvalidInput(f"the model in {self._path.name} names no eos_token_id, with which its texts would end")
        self._ends = frozenset(end if isinstance(end, list) else [end])
        padding = self.tokenizer.pad_token_id
        self.padding = tokens["pad_token_id"] = min(self._ends) if padding is None else padding
        own: dict[str, Any] = {
            "max_new_tokens": decoding.max_output_tokens,
            "num_return_sequences": recipe.per_language,
        }
        if decoding.method == "sample":
            # The draw, warpers included, is KeyedDraw's.
            own |= {"do_sample": True, "top_k": 0, "top_p": 1.0, "temperature": 1.0}
        elif decoding.method == "beam":
            own |= {"do_sample": False, "num_beams": decoding.beams}
        else:
            own |= {"do_sample": False}
        self.model.generation_config = GenerationConfig(**tokens, **own)

    def processors(self, keys: Sequence[int]) -> Any:
        from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

        found: list[Any] = [self._check_scores]
        decoding = self.recipe.decoding
        if decoding.method == "sample":
            warpers = [TemperatureLogitsWarper(decoding.temperature), TopKLogitsWarper(decoding.top_k)]
            if decoding.top_p < 1:
                warpers.append(TopPLogitsWarper(decoding.top_p))
            found.append(KeyedDraw(keys, warpers, 2 * decoding.top_k))
        return LogitsProcessorList(found)

    def _check_scores(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if bool(scores.isnan().any()):
            raise InvalidInput(
                f"the model in {self._path.name} gives scores that are no numbers in {self.recipe.model.dtype}; "
                "choose another dtype in the recipe"
            )
        return scores

    def padded(self, prompts: Sequence[Sequence[int]], side: Literal["left", "right"]) -> dict[str, torch.Tensor]:
        """``input_ids`` and ``attention_mask`` of a batch, int64, shape (prompts, longest)."""
        import torch

        longest = max(map(len, prompts))
        ids, mask = [], []
        for own in prompts:
            rest = longest - len(own)
            left, right = (rest, 0) if side == "left" else (0, rest)
            ids.append([*[self.padding] * left, *own, *[self.padding] * right])
            mask.append([*[0] * left, *[1] * len(own), *[0] * right])
        device = self.model.device
        return {"input_ids": torch.tensor(ids, device=device), "attention_mask": torch.tensor(mask, device=device)}
