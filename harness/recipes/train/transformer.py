"""Transformer encoders with one vector a text, all layers learning or the top ones only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.dense.loading import EncoderSettings, loaded_model, sentence_transformer
from harness.dense.roles import PASSAGES, QUESTIONS, Task, declared_by, prompt_of
from harness.errors import InvalidInput
from harness.progress import Progress
from harness.recipes.train.columns import Columns, EncoderStage
from harness.recipes.train.frozen import States, split, top_module
from harness.recipes.train.kinds import TransformerModel
from harness.recipes.train.recipe import Recipe
from harness.recipes.train.stages import AlignStage, GenerateStage, MaskedStage, ReadStage

if TYPE_CHECKING:
    import torch

_NotCompared = AlignStage | MaskedStage | GenerateStage | ReadStage


class TransformerNetwork:
    """A model of sentence-transformers, in whose first module are the recipe's lengths; stages change its weights."""

    many_vectors = False

    def __init__(self, recipe: Recipe, folder: Path, device: str, progress: Progress) -> None:
        """Raises ``InvalidInput`` for a folder that holds no transformer, or one whose layers cannot be told apart."""
        model = recipe.model
        assert isinstance(model, TransformerModel)
        self._progress = progress
        # What it is compared by in the end is what it was trained for last.
        compared = [stage.similarity for stage in recipe.stages if not isinstance(stage, _NotCompared)]
        self._similarity = compared[-1] if compared else None
        self.model = loaded_model(EncoderSettings(folder, model.pooling, None, "float32", device), sentence_transformer)
        first = self.model[0]
        if not hasattr(first, "model"):
            raise InvalidInput(f"the model {model.start} is no transformer: its first module is {type(first).__name__}")
        first.query_length, first.document_length = model.query_length, model.passage_length
        declared = declared_by(folder)
        prefixes: dict[Task, str | None] = {"query": model.query_prefix, "document": model.passage_prefix}
        own: dict[Task, str] = {"query": prompt_of(QUESTIONS, declared), "document": prompt_of(PASSAGES, declared)}
        self._prefixes: dict[Task, str] = {t: own[t] if given is None else given for t, given in prefixes.items()}
        if model.normalize:
            from sentence_transformers.sentence_transformer.modules import Normalize

            self.model.append(Normalize())
        # Vectors are pooled from the tokens' states: this one has no gradient, which processes would wait for.
        if (
            pooler := getattr(first.model, "pooler", None)
        ) is not None and first.module_output_name == "token_embeddings":
            pooler.requires_grad_(False)
        self.folder = folder
        self._parts: tuple[Any, Any] | None = None
        if model.trained_layers is not None:
            self._parts = split(first.model, model.trained_layers)
            self.model.requires_grad_(False)
            self._parts[1].requires_grad_(True)
        self.trained = self.model

    def opened(
        self, stage: EncoderStage, columns: Columns, seed: int, work: Path
    ) -> tuple[Any, tuple[torch.Generator, ...]]:
        """What the trainer trains; with few learning layers, those alone over the states of all that is below them."""
        from sentence_transformers import SentenceTransformer

        if self._parts is None:
            # Another object in every stage: accelerate marks what it has prepared, and would not wrap it once more.
            return SentenceTransformer(modules=list(self.model.children()), device=str(self.model.device)), ()
        states = States(self.model[0], self._parts[0], self._prefixes)
        states.compute(columns.texts(), work, self._progress)
        modules = [top_module(self._parts[1], states), *list(self.model.children())[1:]]
        return SentenceTransformer(modules=modules, device=str(self.model.device)), ()

    def prompts(self, columns: Columns) -> dict[str, str]:
        return {column: self._prefixes[task] for column, task in columns.tasks.items() if self._prefixes[task]}

    def save(self, folder: Path) -> None:
        """Write a model that sentence-transformers loads, float32, with prompts, lengths and similarity as trained."""
        self.model.prompts = {"query": self._prefixes["query"], "document": self._prefixes["document"]}
        if self._similarity is not None:
            self.model.similarity_fn_name = self._similarity
        self.model.eval()
        # How it last cut and padded is the tokenizer's state, which would be saved.
        tokenizer = self.model[0].tokenizer.backend_tokenizer
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.model.save_pretrained(str(folder), create_model_card=False)
