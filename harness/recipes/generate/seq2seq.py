"""Texts from an encoder-decoder model: mT5, as the xQG paper generates its queries, or any other of transformers.

DSI-QG (ArvinZhuang/DSI-QG at 3aa020e: data.py, trainer.py, run.py) tokenizes the prompt, cuts it on the right to the greatest
length and samples from the 10 likeliest tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from harness.recipes.generate.local import LocalModel, LocalRecipe, LocalSource, PromptIds, local_source
from harness.recipes.generate.recipe import Operator
from harness.records import Doc


class Seq2SeqRecipe(LocalRecipe):
    kind: Literal["seq2seq"]

    def source(self, folder: Path, operator: Operator) -> LocalSource:
        return local_source(self, folder, operator, Seq2SeqModel)


class Seq2SeqModel(LocalModel):
    auto_class = "AutoModelForSeq2SeqLM"

    def prompt_ids(self, doc: Doc, language_name: str) -> PromptIds:
        text, longest = self._prompt.filled(language_name, doc.title, doc.text), self.recipe.max_prompt_tokens
        ids = self.tokenizer(text, verbose=False)["input_ids"]
        if len(ids) <= longest:
            return PromptIds(ids, is_cut=False)
        return PromptIds(self.tokenizer(text, truncation=True, max_length=longest)["input_ids"], is_cut=True)

    def generate(self, prompts: Sequence[Sequence[int]], keys: Sequence[int]) -> list[list[int]]:
        sequences = self.model.generate(**self.padded(prompts, "right"), logits_processor=self.processors(keys))
        # The first token is the decoder's start.
        return [ids[1:] for ids in sequences.tolist()]
