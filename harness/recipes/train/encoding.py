"""Stages of encoders: what is common to all kinds whose texts become vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from harness.recipes.train.batches import Buckets, GroupedBatches
from harness.recipes.train.columns import Columns, EncoderStage
from harness.recipes.train.loop import Operating, StageJob
from harness.recipes.train.losses import loss_of
from harness.recipes.train.recipe import Recipe

if TYPE_CHECKING:
    import torch


class Network(Protocol):
    """A model that stages change. ``trained``: the module whose parameters that require gradients are what is learned."""

    trained: Any

    def opened(
        self, stage: EncoderStage, columns: Columns, seed: int, work: Path
    ) -> tuple[Any, tuple[torch.Generator, ...]]: ...

    def prompts(self, columns: Columns) -> dict[str, str]: ...

    def save(self, folder: Path) -> None: ...


class Stage(NamedTuple):
    """A stage with its pairs in the order in which batches number them."""

    stage: EncoderStage
    buckets: Buckets
    columns: Columns
    seed: int


def encoder_job(recipe: Recipe, network: Network, stage: Stage, operating: Operating) -> StageJob:
    """How sentence-transformers' trainer trains the network in this stage."""
    from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator

    own, buckets, columns, seed = stage
    model, generators = network.opened(own, columns, seed, operating.work)
    # No model card is generated: with an example here, the library does not go looking for some.
    model.model_card_data.widget = [{"text": buckets.pairs[0].anchor.text}]
    # Every column is named: of one that is not, the library would silently cut nothing at the recipe's lengths.
    collator = SentenceTransformerDataCollator(
        preprocess_fn=model.preprocess, router_mapping=dict(columns.tasks), prompts=network.prompts(columns)
    )

    def collated(numbers: Sequence[int], epoch: int) -> Mapping[str, Any]:
        return collator(columns.rows(numbers, epoch))  # type: ignore[no-any-return]

    def trainer(checkpointed: Callable[[type], type], arguments: Mapping[str, Any]) -> Any:
        from datasets import Dataset
        from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments

        # Never trained on: batches come from the loader. But of some of its texts the library takes statistics when the
        # trainer is made, which draws from the generators: with all of them, models come out as they always did.
        rows = columns.rows(range(len(buckets.pairs)), 0) if generators else [dict.fromkeys(columns.tasks, "")]
        return checkpointed(SentenceTransformerTrainer)(
            model=model,
            args=SentenceTransformerTrainingArguments(**arguments),
            train_dataset=Dataset.from_dict({column: [row[column] for row in rows] for column in columns.tasks}),
            data_collator=collator,
            loss=loss_of(own, model, gathered=operating.share.processes > 1),
        )

    return StageJob(
        stage=own,
        seed=seed,
        precision=recipe.precision,
        model=network.trained,
        batches=GroupedBatches(buckets.groups(), buckets.weights, own.batch_size, seed, operating.share),
        collated=collated,
        candidates=columns.candidates,
        trainer=trainer,
        generators=generators,
    )
