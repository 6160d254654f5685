"""Encoders with one vector a token, compared by MaxSim (ColBERT), as sentence-transformers has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.dense.loading import EncoderSettings, Pooling, is_plain, kind_of, loaded_model, sentence_transformer
from harness.ragged.loading import multi_vector_model
from harness.recipes.train.columns import Columns, EncoderStage
from harness.recipes.train.kinds import MultiVectorModel

if TYPE_CHECKING:
    import torch


class MultiVectorNetwork:
    """A transformer, a layer to ``dimensions`` dimensions, unit length for every token; punctuation counts."""

    many_vectors = True

    def __init__(self, model: MultiVectorModel, folder: Path, device: str) -> None:
        """Raises ``InvalidInput`` for a folder that holds no transformer."""
        self.model = loaded_model(EncoderSettings(folder, "model", None, "float32", device), _made(model.dimensions))
        first = self.model[0]
        first.query_length, first.document_length = model.query_length, model.passage_length
        if model.expansion:
            first.query_length = None
            mask = first.tokenizer.mask_token
            first.query_expansion = {"strategy": "fixed", "attend": False, "length": model.expansion, "token": mask}
        self._prefixes = {"query": model.query_prefix or "", "document": model.passage_prefix or ""}
        if (pooler := getattr(first.model, "pooler", None)) is not None:
            pooler.requires_grad_(False)
        self.trained = self.model

    def opened(
        self, stage: EncoderStage, columns: Columns, seed: int, work: Path
    ) -> tuple[Any, tuple[torch.Generator, ...]]:
        from sentence_transformers import MultiVectorEncoder

        return MultiVectorEncoder(modules=list(self.model.children()), device=str(self.model.device)), ()

    def prompts(self, columns: Columns) -> dict[str, str]:
        return {column: self._prefixes[task] for column, task in columns.tasks.items() if self._prefixes[task]}

    def save(self, folder: Path) -> None:
        self.model.prompts = dict(self._prefixes)
        self.model.eval()
        tokenizer = self.model[0].tokenizer.backend_tokenizer
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.model.save_pretrained(str(folder), create_model_card=False)


def _made(dimensions: int) -> Callable[[EncoderSettings], Any]:
    """What a folder holds: such a model, or a transformer, whose layer to vectors of tokens is drawn by the global seed."""

    def made(settings: EncoderSettings) -> Any:
        import torch
        from sentence_transformers import MultiVectorEncoder
        from sentence_transformers.base.modules import Dense
        from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
        from sentence_transformers.sentence_transformer.modules import Normalize

        if kind_of(settings.path) == "MultiVectorEncoder":
            return multi_vector_model(settings)
        pooling: Pooling = "mean" if is_plain(settings.path) else "model"
        transformer = sentence_transformer(replace(settings, pooling=pooling))[0]
        layer = Dense(
            in_features=transformer.get_embedding_dimension(),
            out_features=dimensions,
            bias=False,
            activation_function=torch.nn.Identity(),
            module_input_name="token_embeddings",
        )
        modules = [transformer, layer, MultiVectorMask(), Normalize(module_input_name="token_embeddings")]
        return MultiVectorEncoder(modules=modules, device=settings.device)

    return made
