"""Static encoders: the mean of learned piece vectors, trained with sentence-transformers' own trainer."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.progress import Progress
from harness.recipes.train.batches import GroupedBatches
from harness.recipes.train.data import Pair
from harness.recipes.train.record import StageRecord
from harness.recipes.train.stages import ContrastiveStage

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer


class StaticTrainer:
    """Piece vectors, float32, shape (vocabulary, dimensions), from a seeded normal distribution; stages change them."""

    def __init__(self, tokenizer: Tokenizer, dimensions: int, seed: int, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self._tokenizer = tokenizer
        start = torch.randn(tokenizer.get_vocab_size(), dimensions, generator=torch.Generator().manual_seed(seed))
        self._embedding = _training_embedding(tokenizer, start)

    def weights(self) -> torch.Tensor:
        return self._embedding.embedding.weight.detach().clone()  # type: ignore[no-any-return]

    def run(
        self,
        stage: ContrastiveStage,
        sources: Sequence[Sequence[Pair]],
        weights: Sequence[int],
        seed: int,
        progress: Progress,
    ) -> StageRecord:
        """Train on pairs with the other pairs of the batch as negatives, in both directions."""
        from datasets import Dataset
        from sentence_transformers import (
            SentenceTransformer,
            SentenceTransformerTrainer,
            SentenceTransformerTrainingArguments,
        )
        from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
        from transformers import PrinterCallback

        start = time.perf_counter()
        batches = GroupedBatches([[p.group for p in pairs] for pairs in sources], weights, stage.batch_size, seed)
        pairs = [pair for source in sources for pair in source]
        steps = stage.steps or len(batches) * (stage.epochs or 1)
        self._embedding.drop(stage.token_dropout, seed)
        model = SentenceTransformer(modules=[self._embedding], device="cpu")
        # No model card is generated: with an example here, the library does not go looking for some.
        model.model_card_data.widget = [{"text": pairs[0].anchor.text}]
        with (
            tempfile.TemporaryDirectory() as work,
            progress.task(f"train {stage.name}", total=steps, unit="steps") as advance,
        ):
            trainer = SentenceTransformerTrainer(
                model=model,
                args=SentenceTransformerTrainingArguments(
                    output_dir=work,
                    num_train_epochs=stage.epochs or 1,
                    max_steps=stage.steps or -1,
                    per_device_train_batch_size=stage.batch_size,
                    learning_rate=stage.optimizer.learning_rate,
                    warmup_steps=round(stage.optimizer.warmup * steps),
                    max_grad_norm=stage.optimizer.max_grad_norm,
                    weight_decay=stage.optimizer.weight_decay,
                    seed=seed,
                    use_cpu=True,
                    batch_sampler=lambda *_, **__: batches,
                    save_strategy="no",
                    logging_strategy="no",
                    report_to=[],
                    disable_tqdm=True,
                ),
                train_dataset=Dataset.from_dict(
                    {"anchor": [p.anchor.text for p in pairs], "positive": [p.positive.text for p in pairs]}
                ),
                loss=MultipleNegativesRankingLoss(
                    model,
                    scale=stage.factor,
                    directions=("query_to_doc", "doc_to_query"),
                    partition_mode="per_direction",
                ),
                callbacks=[_steps_to(advance)],
            )
            # Progress is reported by the callback alone.
            trainer.remove_callback(PrinterCallback)
            loss = trainer.train().training_loss
        self._embedding.drop(0.0, seed)
        return StageRecord(
            name=stage.name,
            pairs=len(pairs),
            steps=steps,
            seconds=round(time.perf_counter() - start, 1),
            mean_loss=round(float(loss), 4),
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

        def drop(self, share: float, seed: int) -> None:
            self._share = share
            self._choice.manual_seed(seed)

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


def _steps_to(advance: Any) -> Any:
    from transformers import TrainerCallback

    class Steps(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: object, **__: object) -> None:
            advance(1)

    return Steps()


def save(tokenizer: Tokenizer, weights: torch.Tensor, dtype: str, folder: Path) -> None:
    """Write a model that sentence-transformers loads: piece vectors of ``dtype``, mean, unit length."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

    embedding = StaticEmbedding(tokenizer, embedding_weights=weights.to(getattr(torch, dtype)))
    SentenceTransformer(modules=[embedding, Normalize()], device="cpu").save_pretrained(
        str(folder), create_model_card=False
    )
    for path in folder.rglob("tokenizer.json"):
        # The library indents it, which doubles its size.
        path.write_text(
            json.dumps(json.loads(path.read_text("utf-8")), ensure_ascii=False, separators=(",", ":")), "utf-8"
        )
