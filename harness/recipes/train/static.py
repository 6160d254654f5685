"""Static encoders: the mean of learned piece vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import InvalidInput
from harness.recipes.train.columns import Columns, EncoderStage
from harness.recipes.train.kinds import StaticModel
from harness.recipes.train.stages import ContrastiveStage

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer


class StaticNetwork:
    """Piece vectors, float32, (vocabulary, dimensions), from a seeded normal distribution or a model; stages change them."""

    many_vectors = False

    def __init__(self, model: StaticModel, tokenizer: Tokenizer, weights: torch.Tensor) -> None:
        self._model, self._tokenizer = model, tokenizer
        self.trained = _training_embedding(tokenizer, weights)

    @classmethod
    def new(cls, model: StaticModel, tokenizer: Tokenizer, seed: int) -> StaticNetwork:
        import torch

        size = (tokenizer.get_vocab_size(), model.dimensions or 0)
        return cls(model, tokenizer, torch.randn(*size, generator=torch.Generator().manual_seed(seed)))

    @classmethod
    def started(cls, model: StaticModel, folder: Path) -> StaticNetwork:
        """Raises ``InvalidInput`` for a folder that holds another kind of model."""
        from harness.dense.loading import EncoderSettings, loaded_model, sentence_transformer

        first = loaded_model(EncoderSettings(folder, "model", None, "float32", "cpu"), sentence_transformer)[0]
        if not hasattr(first, "embedding"):
            raise InvalidInput(f"the model {model.start} is no static one: its first module is {type(first).__name__}")
        return cls(model, first.tokenizer, first.embedding.weight.detach().float().clone())

    def opened(
        self, stage: EncoderStage, columns: Columns, seed: int, work: Path
    ) -> tuple[Any, tuple[torch.Generator, ...]]:
        """What the trainer trains, and the generators that training draws from."""
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import Normalize

        choice = self.trained.drop(stage.token_dropout, seed)
        # A saved model has unit vectors; where cosines alone are compared, the loss divides by their lengths itself.
        is_alone = isinstance(stage, ContrastiveStage) and stage.similarity == "cosine"
        modules = [self.trained] if is_alone else [self.trained, Normalize()]
        return SentenceTransformer(modules=modules, device="cpu"), (choice,)

    def prompts(self, columns: Columns) -> dict[str, str]:
        return {}

    def save(self, folder: Path) -> None:
        """Write a model that sentence-transformers loads: piece vectors of the recipe's dtype, mean, unit length."""
        import torch
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

        weights = self.trained.embedding.weight.detach().to("cpu", copy=True)
        if self._model.dtype == "float8":
            # Cosines do not change with the size of a table, but what lies beyond a format's range is lost.
            limit = torch.finfo(torch.float8_e4m3fn).max
            weights = (weights * (limit / weights.abs().max())).to(torch.float8_e4m3fn)
        else:
            weights = weights.to(getattr(torch, self._model.dtype))
        embedding = StaticEmbedding(self._tokenizer, embedding_weights=weights)
        SentenceTransformer(modules=[embedding, Normalize()], device="cpu").save_pretrained(
            str(folder), create_model_card=False
        )
        for path in folder.rglob("tokenizer.json"):
            # The library indents it, which doubles its size.
            path.write_text(
                json.dumps(json.loads(path.read_text("utf-8")), ensure_ascii=False, separators=(",", ":")), "utf-8"
            )


def _training_embedding(tokenizer: Tokenizer, weights: torch.Tensor) -> Any:
    """sentence-transformers' module, which in training remembers what it has tokenized and leaves out some pieces."""
    import torch
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    class TrainingEmbedding(StaticEmbedding):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(tokenizer, embedding_weights=weights)
            self._known: dict[str, torch.Tensor] = {}
            self._share, self._choice = 0.0, torch.Generator()

        def drop(self, share: float, seed: int) -> torch.Generator:
            self._share = share
            return self._choice.manual_seed(seed)

        def preprocess(self, inputs: list[str], *_: object, **__: object) -> dict[str, torch.Tensor]:
            new = [text for text in dict.fromkeys(inputs) if text not in self._known]
            for text, encoding in zip(new, self.tokenizer.encode_batch(new, add_special_tokens=False), strict=True):
                self._known[text] = torch.tensor(encoding.ids, dtype=torch.long)
            rows = [self._known[text] for text in inputs]
            lengths = torch.tensor([len(row) for row in rows])
            ids = torch.cat(rows)
            if self._share:
                owners = torch.repeat_interleave(torch.arange(len(rows)), lengths)
                stays = torch.rand(len(ids), generator=self._choice) >= self._share
                ids, lengths = ids[stays], torch.bincount(owners[stays], minlength=len(rows))
            return {"input_ids": ids, "offsets": torch.cumsum(lengths, 0) - lengths}

        tokenize = preprocess

    return TrainingEmbedding()
