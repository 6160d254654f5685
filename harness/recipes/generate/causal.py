"""Texts from a causal language model, bare or with its own chat template."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from harness.errors import InvalidInput
from harness.recipes.generate.local import LocalModel, LocalRecipe, LocalSource, PromptIds, local_source
from harness.recipes.generate.recipe import Operator
from harness.records import Doc


class CausalRecipe(LocalRecipe):
    """``chat``: the prompt is one message of a user, in the form of the model's chat template; else it is the text itself."""

    kind: Literal["causal"]
    chat: bool = False

    def source(self, folder: Path, operator: Operator) -> LocalSource:
        return local_source(self, folder, operator, CausalModel)


class CausalModel(LocalModel):
    auto_class = "AutoModelForCausalLM"
    recipe: CausalRecipe

    def prompt_ids(self, doc: Doc, language_name: str) -> PromptIds:
        """What does not fit is cut from the end of the passage, so that all of the prompt's own words stay."""
        longest = self.recipe.max_prompt_tokens
        ids = self._ids(language_name, doc, len(doc.text))
        if len(ids) <= longest:
            return PromptIds(ids, is_cut=False)
        least, most = 0, len(doc.text)
        while least < most:
            middle = (least + most + 1) // 2
            if len(self._ids(language_name, doc, middle)) <= longest:
                least = middle
            else:
                most = middle - 1
        ids = self._ids(language_name, doc, least)
        if len(ids) > longest:
            raise InvalidInput(
                f"the prompt of passage {doc.doc_id} has {len(ids)} tokens without any of its text; "
                f"raise max_prompt_tokens, which is {longest}"
            )
        return PromptIds(ids, is_cut=True)

    def _ids(self, language_name: str, doc: Doc, characters: int) -> list[int]:
        text = self._prompt.filled(language_name, doc.title, doc.text[:characters])
        if self.recipe.chat:
            text = self.tokenizer.apply_chat_template(
                [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
            )
        ids: list[int] = self.tokenizer(text, add_special_tokens=not self.recipe.chat, verbose=False)["input_ids"]
        return ids

    def generate(self, prompts: Sequence[Sequence[int]], keys: Sequence[int]) -> list[list[int]]:
        inputs = self.padded(prompts, "left")
        sequences = self.model.generate(**inputs, logits_processor=self.processors(keys))
        length = inputs["input_ids"].shape[1]
        return [ids[length:] for ids in sequences.tolist()]

    def _load(self) -> None:
        super()._load()
        if self.recipe.chat and not self.tokenizer.chat_template:
            raise InvalidInput(f"the model in {self._path.name} has no chat template; remove `chat` from the recipe")
