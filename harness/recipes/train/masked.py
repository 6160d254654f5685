"""Masked language modelling with an encoder, in one text or in a text and its translation (arXiv 1901.07291)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from harness.errors import InvalidInput
from harness.recipes.train.batches import GroupedBatches
from harness.recipes.train.loop import Operating, StageJob
from harness.recipes.train.pairs import Pair
from harness.recipes.train.recipe import Recipe
from harness.recipes.train.sequences import plain_trainer
from harness.recipes.train.stages import MaskedStage
from harness.recipes.train.transformer import TransformerNetwork


class Masked(NamedTuple):
    """A stage with the pairs of its sources."""

    stage: MaskedStage
    sources: Sequence[Sequence[Pair]]
    seed: int


def check_head(model: Any, missing: Collection[str], name: str) -> None:
    """A start has a head over the pieces, whole, or none, which is then trained anew."""
    head = {key for key, _ in model.named_parameters() if not key.startswith(f"{model.base_model_prefix}.")}
    absent = head & set(missing)
    if absent and absent != head:
        raise InvalidInput(
            f"the files of the model in {name} have a head for masked words that lacks {', '.join(sorted(absent)[:3])}, for "
            "which random numbers would be taken: they are damaged; fetch or save them again"
        )


def masked_job(recipe: Recipe, network: TransformerNetwork, masked: Masked, operating: Operating) -> StageJob:
    """Every different text of the pairs is a row, for "tlm" every pair of a text and its English translation.

    The head over the pieces is the start's own where it has one, and is not kept. Raises ``InvalidInput``.
    """
    import torch
    from transformers import AutoModelForMaskedLM, DataCollatorForLanguageModeling

    stage, sources, seed = masked
    rows = [_rows(stage, pairs) for pairs in sources]
    flat = [row for own in rows for row in own]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model, report = AutoModelForMaskedLM.from_pretrained(
            network.folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    check_head(model, report["missing_keys"], network.folder.name)
    # The layers are those of the network: what is learned stays when the head goes.
    setattr(model, model.base_model_prefix, network.model[0].model)
    model.tie_weights()
    model.to(operating.device)
    tokenizer = network.model[0].tokenizer
    collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=stage.probability)
    collator.generator = torch.Generator().manual_seed(seed)

    def collated(numbers: Sequence[int], epoch: int) -> Mapping[str, Any]:
        columns = list(zip(*(flat[number] for number in numbers), strict=True))
        found = tokenizer(
            *map(list, columns), truncation=True, max_length=stage.max_length, return_special_tokens_mask=True
        )
        return collator([{key: found[key][i] for key in found} for i in range(len(numbers))])  # type: ignore[no-any-return]

    groups = [[str(place) for place in range(len(own))] for own in rows]
    weights = [source.weight for source in stage.sources]
    return StageJob(
        stage=stage,
        seed=seed,
        precision=recipe.precision,
        model=model,
        batches=GroupedBatches(groups, weights, stage.batch_size, seed, operating.share),
        collated=collated,
        candidates=lambda *_: 0,
        trainer=plain_trainer(model),
        generators=(collator.generator,),
    )


def _rows(stage: MaskedStage, pairs: Sequence[Pair]) -> list[tuple[str, ...]]:
    if stage.objective == "tlm":
        if lacking := sum(not pair.english for pair in pairs):
            raise InvalidInput(f"stage {stage.name}: {lacking} of {len(pairs)} pairs have no English translation")
        return list(dict.fromkeys((pair.anchor.text, pair.english) for pair in pairs))
    texts = (side.text for pair in pairs for side in (pair.anchor, pair.positive, *pair.positives, *pair.negatives))
    return list(dict.fromkeys((text,) for text in texts))
