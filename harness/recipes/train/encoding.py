"""Stages of encoders: what is common to all kinds whose texts become vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from harness.recipes.train.batches import Buckets, GroupedBatches
from harness.recipes.train.columns import Columns, EncoderStage
from harness.recipes.train.loop import Operating, StageJob
from harness.recipes.train.losses import loss_of, multi_vector_loss
from harness.recipes.train.recipe import Recipe

if TYPE_CHECKING:
    import torch


class Network(Protocol):
    """A model that stages change. ``trained``: the module whose parameters that require gradients are what is learned."""

    trained: Any

    def save(self, folder: Path) -> None: ...


class Encoders(Network, Protocol):
    """``many_vectors``: one for each token of a text."""

    many_vectors: bool

    def opened(
        self, stage: EncoderStage, columns: Columns, seed: int, work: Path
    ) -> tuple[Any, tuple[torch.Generator, ...]]: ...

    def prompts(self, columns: Columns) -> dict[str, str]: ...


class Stage(NamedTuple):
    """A stage with its pairs in the order in which batches number them."""

    stage: EncoderStage
    buckets: Buckets
    columns: Columns
    seed: int


def encoder_job(recipe: Recipe, network: Encoders, stage: Stage, operating: Operating) -> StageJob:
    """How sentence-transformers' trainer trains the network in this stage."""
    library = _library(network)
    own, buckets, columns, seed = stage
    model, generators = network.opened(own, columns, seed, operating.work)
    # No model card is generated: with an example here, the library does not go looking for some.
    model.model_card_data.widget = [{"text": buckets.pairs[0].anchor.text}]
    # Every column is named: of one that is not, the library would silently cut nothing at the recipe's lengths.
    collator = library.collator(
        preprocess_fn=model.preprocess, router_mapping=dict(columns.tasks), prompts=network.prompts(columns)
    )

    def collated(numbers: Sequence[int], epoch: int) -> Mapping[str, Any]:
        return collator(columns.rows(numbers, epoch))  # type: ignore[no-any-return]

    def trainer(checkpointed: Callable[[type], type], arguments: Mapping[str, Any]) -> Any:
        from datasets import Dataset

        # Never trained on: batches come from the loader. But of some of its texts the library takes statistics when the
        # trainer is made, which draws from the generators: with all of them, models come out as they always did.
        rows = columns.rows(range(len(buckets.pairs)), 0) if generators else [dict.fromkeys(columns.tasks, "")]
        return checkpointed(library.trainer)(
            model=model,
            args=library.arguments(**arguments),
            # Rows of a source without negatives lack their columns.
            train_dataset=Dataset.from_dict(
                {column: [row.get(column, "") for row in rows] for column in columns.tasks}
            ),
            data_collator=collator,
            loss=library.loss(own, model, gathered=operating.share.processes > 1),
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


class _Library(NamedTuple):
    """Classes of sentence-transformers that belong together, and what makes a stage's loss."""

    trainer: Any
    arguments: Any
    collator: Any
    loss: Callable[..., Any]


def _library(network: Encoders) -> _Library:
    if network.many_vectors:
        from sentence_transformers.multi_vector_encoder.data_collator import MultiVectorEncoderDataCollator
        from sentence_transformers.multi_vector_encoder.trainer import MultiVectorEncoderTrainer
        from sentence_transformers.multi_vector_encoder.training_args import MultiVectorEncoderTrainingArguments

        return _Library(
            MultiVectorEncoderTrainer,
            MultiVectorEncoderTrainingArguments,
            MultiVectorEncoderDataCollator,
            multi_vector_loss,
        )
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator

    return _Library(
        SentenceTransformerTrainer, SentenceTransformerTrainingArguments, SentenceTransformerDataCollator, loss_of
    )
